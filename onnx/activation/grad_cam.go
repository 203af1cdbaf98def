package activation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// ErrValue says that a value cannot be weighted by Grad-CAM.
var ErrValue = errors.New("not a value to weight")

// GradCAM makes the graph of a branch's Grad-CAM, ReLU(Σ_c α_{k,c}·A_c). value is A by its name in the file; "" is the last
// convolutional value: what a global average pool at the end reads or, without one, the last value (N,C,h,w) before the logits
// that is not itself pooled. The error is ErrValue if the value has no cells or the logits do not depend on it, and a
// *gradient.UnsupportedError if an operator has no derivative.
func GradCAM(ctx context.Context, abn *onnx.ABN, name Branch, value string) (*Graph, error) {
	b, err := newBranch(ctx, abn, name)
	if err != nil {
		return nil, err
	}
	if value == "" {
		value, err = b.lastConvolutional(ctx)
	} else {
		value, err = b.named(value)
	}
	if err != nil {
		return nil, err
	}
	class := b.classInput()
	// Images do not influence each other, so that the derivative of the sum over a batch is each image's own.
	score := b.Node("ReduceSum", []string{b.Node("Mul", []string{b.logits, b.chosen(class)})}, onnx.IntAttr("keepdims", 0))
	derivatives, err := gradient.Append(ctx, b.model, score, []string{value})
	if err != nil {
		return nil, fmt.Errorf("Grad-CAM of the %s branch: %w", name, err)
	}
	alpha := b.Node("GlobalAveragePool", []string{derivatives[value]})
	return b.graph(class, b.Node("Relu", []string{b.weightedSum(alpha, value)}), value), nil
}

// onTheWay are the nodes between the branch's inputs and its logits.
func (b *branch) onTheWay() map[*onnx.Node]bool {
	varying := map[string]bool{onnx.PortFeatures: true, onnx.PortMap: b.name == Perception}
	after := map[*onnx.Node]bool{}
	for _, n := range b.model.Graph.Nodes {
		if slices.ContainsFunc(n.Reads(), func(in string) bool { return varying[in] }) {
			after[n] = true
			for _, out := range n.Outputs {
				varying[out] = true
			}
		}
	}
	way := map[*onnx.Node]bool{}
	for queue := []string{b.logits}; len(queue) > 0; queue = queue[1:] {
		if n := b.index.Producer[queue[0]]; n != nil && after[n] && !way[n] {
			way[n] = true
			queue = append(queue, n.Reads()...)
		}
	}
	return way
}

// lastConvolutional is the value that Grad-CAM weights if none is named.
func (b *branch) lastConvolutional(ctx context.Context) (string, error) {
	if h, err := b.head(ctx); err == nil {
		if _, rows, columns, ok := b.sizes(h.pooled); ok && rows*columns > 1 {
			return h.pooled, nil
		}
	}
	way := b.onTheWay()
	for _, n := range slices.Backward(b.model.Graph.Nodes) {
		if !way[n] || n.IsOp(passing...) {
			continue
		}
		if _, h, w, ok := b.sizes(n.Output(0)); ok && h*w > 1 {
			return n.Output(0), nil
		}
	}
	return "", fmt.Errorf("Grad-CAM of the %s branch: %w: no value (N,C,h,w) with more than one cell lies between features and logits", b.name, ErrValue)
}

// named finds a value by its name in the file.
func (b *branch) named(value string) (string, error) {
	inner := value
	for _, port := range []string{onnx.PortFeatures, onnx.PortMap, onnx.PortLogitsAtt, onnx.PortLogitsPer} {
		if value == b.fileName(port) {
			inner = port
		}
	}
	if why := b.unfit(inner); why != "" {
		return "", fmt.Errorf("Grad-CAM of the %s branch: %q is %w: %s", b.name, value, ErrValue, why)
	}
	return inner, nil
}

// unfit says why there is no map of the branch's derivatives by a value; "" if there is one.
func (b *branch) unfit(value string) string {
	if _, known := b.inferred.Values[value]; !known {
		return "the branch has no such value"
	}
	if _, h, w, ok := b.sizes(value); !ok || h*w < 2 {
		return fmt.Sprintf("its shape is %v, want (N,C,h,w) with more than one cell", b.inferred.Shape(value))
	}
	for n := range b.onTheWay() {
		if slices.Contains(n.Reads(), value) {
			return ""
		}
	}
	return "the branch's logits do not depend on it"
}
