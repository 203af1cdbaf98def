package onnx

import (
	"context"
	"errors"
	"fmt"
)

// ErrShape says that shapes of a graph do not fit together.
var ErrShape = errors.New("shapes do not fit")

// ErrGraph says that a graph is not well-formed: a value made twice, or read before it is made.
var ErrGraph = errors.New("graph is not well-formed")

// Inferred is what static inference found out about a model's values.
type Inferred struct {
	// Values gives type and shape of every input, initializer and node output. A shape that is not known is nil, an axis that is
	// not known Unknown().
	Values map[string]ValueInfo

	known map[string]*value
}

// InferShapes is Infer for callers that need no constants.
func InferShapes(ctx context.Context, m *Model, inputs map[string]Shape) (map[string]ValueInfo, error) {
	inferred, err := Infer(ctx, m, inputs)
	if err != nil {
		return nil, err
	}
	return inferred.Values, nil
}

// Infer works out type and shape of every value, from the shapes of the graph's inputs: those given here by name, else those the
// file declares. Axes may be symbolic: a batch named "N" stays "N" through convolutions, flattening and the shape arithmetic
// exporters write, whose integers are followed as constants. An operator this package does not know leaves its outputs with what
// the file declares for them. Shapes that contradict each other (ErrShape) and sizes beyond limits.go (ErrLimit) give an error
// that names the node.
func Infer(ctx context.Context, m *Model, inputs map[string]Shape) (*Inferred, error) {
	inf := &inference{opset: m.Opset(), values: make(map[string]*value, 2*len(m.Graph.Nodes)), declared: map[string]*ValueInfo{}}
	if err := inf.start(m.Graph, inputs); err != nil {
		return nil, err
	}
	for _, n := range m.Graph.Nodes {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := inf.node(n); err != nil {
			return nil, fmt.Errorf("%v: %w", n, err)
		}
	}
	out := &Inferred{Values: make(map[string]ValueInfo, len(inf.values)), known: inf.values}
	for name, v := range inf.values {
		out.Values[name] = ValueInfo{Name: name, Type: v.dtype, Shape: v.shape}
	}
	return out, nil
}

// Shape is the shape of a value; nil where it is not known or there is no such value.
func (inf *Inferred) Shape(name string) Shape { return inf.Values[name].Shape }

// Constant is the value's content if it is known and does not depend on the graph's inputs: an initializer, or a result of shape
// arithmetic of at most maxConstant elements. Else nil.
func (inf *Inferred) Constant(name string) *Tensor {
	v := inf.known[name]
	if v == nil {
		return nil
	}
	return v.asTensor(name)
}

// Ints is the value's content as integers, where it is known and no longer than MaxList.
func (inf *Inferred) Ints(name string) (list []int64, ok bool) {
	t := inf.Constant(name)
	if t == nil {
		return nil, false
	}
	if n, err := t.Elements(); err != nil || n > MaxList {
		return nil, false
	}
	list, err := t.Int64s()
	return list, err == nil
}

// Number is the value's content where it is known to be one number.
func (inf *Inferred) Number(name string) (v float64, ok bool) {
	t := inf.Constant(name)
	if t == nil {
		return 0, false
	}
	if n, err := t.Elements(); err != nil || n != 1 {
		return 0, false
	}
	list, err := t.Float32s()
	if err != nil || len(list) != 1 {
		return 0, false
	}
	return float64(list[0]), true
}

// inference is one run over a graph.
type inference struct {
	opset    int64
	folded   int // elements of constants computed so far
	values   map[string]*value
	declared map[string]*ValueInfo // what the file says of node outputs
}

func (inf *inference) start(g *Graph, inputs map[string]Shape) error {
	for _, t := range g.Initializers {
		if inf.values[t.Name] != nil {
			return fmt.Errorf("%w: it has two initializers named %q, so that it is not clear which values its nodes read: export the network again, or give one of them a name of its own", ErrGraph, cut(t.Name))
		}
		v := inf.valueOf(t)
		if err := v.shape.bounded(); err != nil {
			return fmt.Errorf("initializer %q: %w", t.Name, err)
		}
		inf.values[t.Name] = v
	}
	for _, in := range g.Inputs {
		if inf.values[in.Name] != nil {
			continue // an initializer that older files repeat among the inputs
		}
		v := &value{dtype: in.Type, shape: in.Shape, inf: inf}
		if given, ok := inputs[in.Name]; ok {
			v.shape = given
		}
		if err := v.shape.bounded(); err != nil {
			return fmt.Errorf("input %q: %w", in.Name, err)
		}
		inf.values[in.Name] = v
	}
	for _, list := range [][]*ValueInfo{g.ValueInfo, g.Outputs} {
		for _, v := range list {
			inf.declared[v.Name] = v
		}
	}
	return nil
}

// node infers the outputs of one node.
func (inf *inference) node(n *Node) error {
	c := &call{Node: n, inf: inf, opset: inf.opset, in: make([]*value, len(n.Inputs)), out: make([]*value, len(n.Outputs))}
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		if c.in[i] = inf.values[name]; c.in[i] == nil {
			return fmt.Errorf("%w: it reads %q, which nothing before it makes", ErrGraph, name)
		}
	}
	for i := range c.out {
		c.out[i] = &value{inf: inf}
	}
	rule, known := shapeRules[n.Op]
	if known && n.IsOp(n.Op) {
		if err := c.ready(); err != nil {
			return err
		}
		if err := rule(c); err != nil {
			return err
		}
		if inf.folded > maxFolded {
			return fmt.Errorf("%w: with it the graph computes more than %d elements of constants", ErrLimit, maxFolded)
		}
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if inf.values[name] != nil {
			return fmt.Errorf("%w: it makes %q, which exists already", ErrGraph, name)
		}
		v := c.out[i].declaredAs(inf.declared[name])
		if err := v.shape.bounded(); err != nil {
			return fmt.Errorf("its output %q: %w", name, err)
		}
		inf.values[name] = v
	}
	return nil
}

// fold counts elements of constants that were computed; node holds the sum to maxFolded.
func (inf *inference) fold(elements int) {
	if inf != nil {
		inf.folded += elements
	}
}

// call is one node with what is known of its inputs; a rule fills out.
type call struct {
	*Node
	inf   *inference
	opset int64
	in    []*value
	out   []*value
}

// ready checks that the first input and output are there, so that rules need not.
func (c *call) ready() error {
	if len(c.out) == 0 {
		return fmt.Errorf("%w: it has no output", ErrGraph)
	}
	switch c.Op {
	case "Constant", "RandomNormal", "RandomUniform":
		return nil
	}
	for _, a := range c.Attributes {
		if len(a.Ints) > maxConstant {
			return fmt.Errorf("%w: %d numbers in its attribute %q, at most %d are read", ErrLimit, len(a.Ints), a.Name, maxConstant)
		}
	}
	if len(c.in) == 0 || c.in[0] == nil {
		return fmt.Errorf("%w: its first input is missing", ErrGraph)
	}
	return nil
}

// input is the i-th input, or nil where it is left out.
func (c *call) input(i int) *value {
	if i < len(c.in) {
		return c.in[i]
	}
	return nil
}

// need is the i-th input, which must be there.
func (c *call) need(i int) (*value, error) {
	if v := c.input(i); v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("%w: input %d is missing", ErrGraph, i)
}

// ints is a list of integers that is an attribute in older operator sets and the i-th input in newer ones.
// given is false where the node says nothing; known is false where the input is not a known constant.
func (c *call) ints(attribute string, i int) (values []int64, given, known bool) {
	if a := c.Attr(attribute); a != nil && a.Type == AttributeInts {
		return a.Ints, true, true
	}
	v := c.input(i)
	if v == nil {
		return nil, false, true
	}
	values, known = v.int64s()
	return values, true, known
}

// axis resolves a possibly negative axis of a value of this rank.
func axis(a int64, rank int) (int, error) {
	if a < 0 {
		a += int64(rank)
	}
	if a < 0 || a >= int64(rank) {
		return 0, fmt.Errorf("%w: axis %d of a value with %d axes", ErrShape, a, rank)
	}
	return int(a), nil
}

// axes resolves a list of axes into a set.
func axes(list []int64, rank int) (map[int]bool, error) {
	set := make(map[int]bool, len(list))
	for _, a := range list {
		i, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		set[i] = true
	}
	return set, nil
}

// wantRank refuses a value of another rank; an unknown rank passes.
func wantRank(v *value, what string, rank int) error {
	if v.shape != nil && len(v.shape) != rank {
		return fmt.Errorf("%w: %s has shape %v, want %d axes", ErrShape, what, v.shape, rank)
	}
	return nil
}
