package gradient

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// ErrNoPath says that the loss does not depend on a value of wrt.
var ErrNoPath = errors.New("does not influence the loss")

// Append adds to m's graph the nodes that compute the derivative of the scalar value loss by every value of wrt (initializers,
// inputs, or outputs of nodes), and returns the names of these derivatives, each of its value's shape. The graph's outputs are
// not changed; the caller adds those it wants to read. Only the paths from wrt to loss are differentiated, so that other branches
// may have any operators. The model is raised to operator set 17 at least (see Raise), and nodes that are differentiated may get
// further outputs (a MaxPool's indices, a BatchNormalization's statistics).
//
// m's shapes must be inferable but for the batch axis. An *UnsupportedError names the nodes that have no rule; m must not be used
// after an error.
func Append(ctx context.Context, m *onnx.Model, loss string, wrt []string) (map[string]string, error) {
	return AppendBlocked(ctx, m, loss, wrt, 0)
}

// AppendBlocked is Append with operators of BlockedDomain for values [N,C,H,W] whose C is a multiple of block. All others, and
// everything if block is 0, are written in standard operators.
func AppendBlocked(ctx context.Context, m *onnx.Model, loss string, wrt []string, block int64) (map[string]string, error) {
	b, err := newBuilder(ctx, m, wrt)
	if err != nil {
		return nil, err
	}
	b.block = block
	info, known := b.info[loss]
	if !known {
		return nil, fmt.Errorf("differentiating %s: the graph has no such value", loss)
	}
	for _, d := range info.Shape {
		if d != onnx.Fixed(1) {
			return nil, fmt.Errorf("differentiating %s: its shape is %s, want a scalar", loss, info.Shape)
		}
	}
	for _, name := range wrt {
		if _, known := b.info[name]; !known {
			return nil, fmt.Errorf("differentiating by %s: the graph has no such value", name)
		}
	}
	seed := b.floats([]float32{1}, slices.Repeat([]int64{1}, len(info.Shape))...)
	b.give(loss, seed)
	if err := b.walk(ctx); err != nil {
		return nil, err
	}
	if len(b.reasons) > 0 {
		return nil, &UnsupportedError{b.reasons}
	}
	derivatives, given := make(map[string]string, len(wrt)), map[string]bool{}
	for _, name := range wrt {
		d := b.gradient(name)
		if d == "" {
			return nil, fmt.Errorf("differentiating by %s: it %w", name, ErrNoPath)
		}
		// Every derivative is a value of its own, so that all can be outputs of the graph.
		if given[d] || !b.isNode(d) {
			d = b.node("Identity", []string{d})
		}
		given[d] = true
		derivatives[name] = d
	}
	b.order(seed)
	return derivatives, nil
}

// order puts the added nodes that need no gradient, such as masks and turned kernels, before those that do. ONNX Runtime goes
// from a node's youngest input to its oldest when it decides what to run: if masks come after the gradient they are multiplied
// with, all of them are made in the forward pass and kept, which took a quarter of the step's memory.
func (b *builder) order(seed string) {
	late := map[string]bool{seed: true}
	var early, rest []*onnx.Node
	for _, n := range b.graph.Nodes[len(b.forward):] {
		if !slices.ContainsFunc(n.Inputs, func(i string) bool { return late[i] }) {
			early = append(early, n)
			continue
		}
		rest = append(rest, n)
		for _, o := range n.Outputs {
			late[o] = true
		}
	}
	b.graph.Nodes = slices.Concat(b.forward, early, rest)
}

// walk visits the forward nodes from the last to the first. When a node is reached, the gradients of its outputs are complete,
// since all nodes that read them come after it.
func (b *builder) walk(ctx context.Context) error {
	for _, n := range slices.Backward(b.forward) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !slices.ContainsFunc(n.Outputs, func(o string) bool { return b.depends[o] && len(b.parts[o]) > 0 }) {
			continue
		}
		err := b.differentiate(n)
		if b.err != nil {
			return fmt.Errorf("differentiating %v: %w", n, b.err)
		}
		if err != nil {
			b.reasons = append(b.reasons, Reason{Node: nodeName(n), Op: n.Op, Why: err.Error()})
			// Go on as if it had worked, so that one call finds all nodes without a rule.
			for _, input := range n.Inputs {
				if b.depends[input] && len(b.parts[input]) == 0 {
					b.give(input, input)
				}
			}
		}
	}
	slices.Reverse(b.reasons)
	return nil
}

func (b *builder) differentiate(n *onnx.Node) error {
	if n.IsOp("If", "Loop", "Scan") {
		return errors.New("control flow is not differentiated. PyTorch's older exporter writes an If for squeeze() of an axis whose size it does not know: use flatten(1), or export with dynamo=True")
	}
	r, known := rules[n.Op]
	if !known || (n.Domain != "" && n.Domain != "ai.onnx") {
		return errors.New("there is no gradient for this operator")
	}
	dY := make([]string, len(n.Outputs))
	if t := b.info[n.Output(0)].Type; t != onnx.Float && isReal(t) && !n.IsOp("Cast", "CastLike") {
		return fmt.Errorf("it computes in %v, and gradients are float32: export after model.float(), without .double() or .half() inside", t)
	}
	for i, output := range n.Outputs {
		if output != "" && b.depends[output] {
			dY[i] = b.gradient(output)
		}
	}
	if dY[0] == "" {
		return errors.New("the loss depends on another output than the first")
	}
	return r(b, n, dY[0])
}

// isNode reports whether a value is made by a node that was added, not by a forward one or a constant.
func (b *builder) isNode(value string) bool {
	return b.added[value]
}

func nodeName(n *onnx.Node) string {
	if n.Name == "" && len(n.Outputs) > 0 {
		return n.Outputs[0]
	}
	return n.Name
}
