package gorgonia

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
	"github.com/abn-studio/studio/trainer/step"
)

// builder turns the nodes of an ONNX graph, raised to gradient.Level, into nodes of a Gorgonia graph for
// one batch size. Values keep their ONNX shapes; a scalar is [1].
type builder struct {
	ctx      context.Context // of the call that builds the graph
	graph    *G.ExprGraph
	inferred *onnx.Inferred
	index    *onnx.Index
	trained  map[string][]float32 // buffers of initializers that a run changes; nil if nothing will be run, and initializers then have no values
	batch    map[*onnx.Node]bool  // BatchNormalizations on the batch's statistics
	values   map[string]*G.Node
	norms    map[*onnx.Node]batchNormNodes
	maker    map[int64]*onnx.Node // which node a Gorgonia node was made for

	lacks map[*onnx.Node]error // nodes that could not be built
}

// batchNormNodes are a batch's own statistics, [C].
type batchNormNodes struct{ mean, variance *G.Node }

// errUnknown says that a value cannot be built because one it needs could not; that one has the reason.
var errUnknown = errors.New("it depends on a node that the gorgonia engine lacks")

// newBuilder starts a graph in which the source's input holds n rows.
func newBuilder(ctx context.Context, source step.Source, input []int64, n int, trained map[string][]float32) (*builder, error) {
	shape := onnx.ShapeOf(append([]int64{int64(n)}, input...)...)
	inferred, err := onnx.Infer(ctx, source.Model, map[string]onnx.Shape{source.Input: shape})
	if err != nil {
		return nil, fmt.Errorf("shapes of the branches: %w", err)
	}
	b := &builder{
		ctx:   ctx,
		graph: G.NewGraph(), inferred: inferred, index: source.Model.Graph.Index(), trained: trained,
		batch: map[*onnx.Node]bool{}, values: map[string]*G.Node{}, norms: map[*onnx.Node]batchNormNodes{}, maker: map[int64]*onnx.Node{},
	}
	b.values[source.Input] = b.input("input/"+source.Input, b.dims(source.Input), nil)
	return b, nil
}

// dims is a value's shape, nil where it is not known.
func (b *builder) dims(name string) []int {
	sizes, ok := b.inferred.Shape(name).Sizes()
	if !ok {
		return nil
	}
	return dimsOf(sizes)
}

// dimsOf is an ONNX shape as Gorgonia's tensors have it here.
func dimsOf(sizes []int64) []int {
	if len(sizes) == 0 {
		return []int{1}
	}
	dims := make([]int, len(sizes))
	for i, d := range sizes {
		dims[i] = int(d)
	}
	return dims
}

// input is a leaf of the graph; with data nil its value is bound later.
func (b *builder) input(name string, dims []int, data []float32) *G.Node {
	options := []G.NodeConsOpt{G.WithName(name), G.WithShape(dims...)}
	if data != nil {
		options = append(options, G.WithValue(tensor.New(tensor.WithShape(dims...), tensor.WithBacking(data))))
	}
	return G.NewTensor(b.graph, tensor.Float32, len(dims), options...)
}

// node is the Gorgonia node of an ONNX value, built when first asked for.
func (b *builder) node(name string) (*G.Node, error) {
	if v, ok := b.values[name]; ok {
		if v == nil {
			return nil, errUnknown
		}
		return v, nil
	}
	if t := b.index.Initializers[name]; t != nil {
		data, ok := b.trained[name]
		if !ok && b.trained != nil {
			var err error
			if data, err = t.Float32s(); err != nil {
				return nil, err
			}
		}
		if !t.Type.IsFloat() {
			return nil, fmt.Errorf("%s holds %v, want floating-point numbers", name, t.Type)
		}
		b.values[name] = b.input("initializer/"+name, dimsOf(t.Dims), data)
		return b.values[name], nil
	}
	n := b.index.Producer[name]
	if n == nil {
		return nil, fmt.Errorf("%w: nothing makes the value %q", onnx.ErrGraph, name)
	}
	v, err := b.convert(n, slices.Index(n.Outputs, name))
	if err != nil {
		b.lack(n, err)
		// Go on with the nodes before and behind it, so that one call finds all that cannot be built.
		for _, in := range n.Inputs {
			if in != "" && b.inferred.Constant(in) == nil {
				_, _ = b.node(in)
			}
		}
		if v = nil; b.dims(name) != nil {
			v = b.input("lacking/"+name, b.dims(name), nil)
		}
	}
	b.values[name] = v
	if v == nil {
		return nil, errUnknown
	}
	return v, nil
}

// lack notes a node that could not be built.
func (b *builder) lack(n *onnx.Node, err error) {
	if errors.Is(err, errUnknown) {
		return
	}
	if b.lacks == nil {
		b.lacks = map[*onnx.Node]error{}
	}
	if b.lacks[n] == nil {
		b.lacks[n] = err
	}
}

// reasons lists what could not be built, in the graph's order.
func (b *builder) reasons() (list []gradient.Reason) {
	nodes := slices.SortedFunc(maps.Keys(b.lacks), func(x, y *onnx.Node) int { return b.index.Position[x] - b.index.Position[y] })
	for _, n := range nodes {
		list = append(list, gradient.Reason{Node: cmp.Or(n.Name, n.Output(0)), Op: n.Op, Why: b.lacks[n].Error()})
	}
	return list
}

// convert applies the node's rule. Gorgonia panics where others return errors.
func (b *builder) convert(n *onnx.Node, output int) (v *G.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("gorgonia: %v", p)
		}
	}()
	if b.ctx.Err() != nil {
		return nil, context.Cause(b.ctx)
	}
	rule, known := rules[n.Op]
	if !known || !n.IsOp(n.Op) {
		return nil, errors.New("the gorgonia engine has no such operator")
	}
	dims := b.dims(n.Outputs[output])
	if dims == nil {
		return nil, fmt.Errorf("the shape of its output %q is not known: %s", n.Outputs[output], b.inferred.Shape(n.Outputs[output]))
	}
	sizes, _ := b.inferred.Shape(n.Outputs[output]).Sizes()
	if _, ok := onnx.Product(sizes...); !ok {
		return nil, fmt.Errorf("%w: its output has shape %v: the gorgonia engine takes at most %d elements", onnx.ErrLimit, sizes, int64(onnx.MaxElements))
	}
	before := len(b.graph.AllNodes())
	if v, err = rule(b, &ruleCall{Node: n, output: output, dims: dims}); err != nil {
		return nil, err
	}
	for _, made := range b.graph.AllNodes()[before:] {
		if made.Op() != nil && b.maker[made.ID()] == nil {
			b.maker[made.ID()] = n
		}
	}
	if !slices.Equal(v.Shape(), dims) {
		return nil, fmt.Errorf("the gorgonia engine gives it shape %v, want %v", v.Shape(), dims)
	}
	return v, nil
}

// ruleCall is a node of which one output is to be built.
type ruleCall struct {
	*onnx.Node
	output int
	dims   []int // of that output
}

// rule makes the Gorgonia node of a node's output.
type rule func(b *builder, c *ruleCall) (*G.Node, error)

// inputs builds the call's inputs i, ….
func (b *builder) inputs(c *ruleCall, which ...int) ([]*G.Node, error) {
	out := make([]*G.Node, len(which))
	for i, k := range which {
		name := c.Input(k)
		if name == "" {
			return nil, fmt.Errorf("input %d is missing", k)
		}
		var err error
		if out[i], err = b.node(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ints is an input that is a constant list of integers; nil if it is left out.
func (b *builder) ints(c *ruleCall, i int) ([]int64, error) {
	if c.Input(i) == "" {
		return nil, nil
	}
	list, ok := b.inferred.Ints(c.Input(i))
	if !ok {
		return nil, fmt.Errorf("its input %d (%s) is no constant list of integers", i, c.Input(i))
	}
	return list, nil
}

// float is an input that is one constant number, or missing if it is left out.
func (b *builder) float(c *ruleCall, i int, missing float32) (float32, error) {
	if c.Input(i) == "" {
		return missing, nil
	}
	v, ok := b.inferred.Number(c.Input(i))
	if !ok || b.trained[c.Input(i)] != nil {
		return 0, fmt.Errorf("its input %d (%s) is not one constant number", i, c.Input(i))
	}
	return float32(v), nil
}
