package gorgonia

import (
	"context"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/abn-studio/studio/onnx"
)

// program runs the part of a Gorgonia graph that some targets need, in the order in which its nodes were made. It replaces
// Gorgonia's tape machine, which keeps every value of a step until the next one, computes gradients that are not needed, writes
// some results into their inputs (parameters and reshaped values included) and cannot be stopped. Operators and differentiation
// are still Gorgonia's.
type program struct {
	steps   []instruction
	targets []int // places in steps
	maker   map[int64]*onnx.Node
}

type instruction struct {
	node   *G.Node
	inputs []int // places of what it reads
	frees  []int // of them, those that nobody reads after it
}

// newProgram plans how to compute targets.
func newProgram(graph *G.ExprGraph, targets G.Nodes, maker map[int64]*onnx.Node) *program {
	children := map[*G.Node]G.Nodes{}
	for stack := slices.Clone(targets); len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, seen := children[n]; seen {
			continue
		}
		list := G.Nodes{}
		if it := graph.From(n.ID()); it != nil && !bound(n) {
			for it.Next() {
				list = append(list, it.Node().(*G.Node))
			}
		}
		children[n] = list
		stack = append(stack, list...)
	}
	p := &program{maker: maker}
	for n := range children {
		p.steps = append(p.steps, instruction{node: n})
	}
	// A node is made after what it reads, and identifiers count up.
	slices.SortFunc(p.steps, func(x, y instruction) int { return int(x.node.ID() - y.node.ID()) })
	place := map[*G.Node]int{}
	lastRead := map[int]int{}
	for i := range p.steps {
		s := &p.steps[i]
		place[s.node] = i
		for _, c := range children[s.node] {
			s.inputs = append(s.inputs, place[c])
			lastRead[place[c]] = i
		}
	}
	for _, t := range targets {
		p.targets = append(p.targets, place[t])
		delete(lastRead, place[t])
	}
	for value, reader := range lastRead {
		p.steps[reader].frees = append(p.steps[reader].frees, value)
	}
	return p
}

// bound reports whether a node has a value of its own: an input or a constant.
func bound(n *G.Node) bool { return n.Op() == nil || n.Value() != nil }

// run computes the targets from the inputs that hold no value of their own. It stops between two nodes when ctx ends.
func (p *program) run(ctx context.Context, feeds map[*G.Node][]float32) ([][]float32, error) {
	values := make([]G.Value, len(p.steps))
	for i := range p.steps {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		s := &p.steps[i]
		var err error
		if data, fed := feeds[s.node]; fed {
			values[i] = tensor.New(tensor.WithShape(s.node.Shape()...), tensor.WithBacking(data))
		} else if values[i], err = p.compute(s, values); err != nil {
			return nil, err
		}
		for _, read := range s.frees {
			values[read] = nil
		}
	}
	out := make([][]float32, len(p.targets))
	for i, t := range p.targets {
		data, ok := values[t].Data().([]float32)
		if !ok {
			return nil, fmt.Errorf("gorgonia gives %T for %v, want float32", values[t].Data(), p.steps[t].node)
		}
		out[i] = data
	}
	return out, nil
}

// compute is one node's value. Gorgonia panics where others return errors.
func (p *program) compute(s *instruction, values []G.Value) (v G.Value, err error) {
	if bound(s.node) {
		if s.node.Value() == nil {
			return nil, fmt.Errorf("gorgonia: no value is bound to %s", s.node.Name())
		}
		return s.node.Value(), nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
		if err != nil {
			v, err = nil, fmt.Errorf("gorgonia computes %v for %s: %w", s.node.Op(), p.of(s), err)
		}
	}()
	in := make([]G.Value, len(s.inputs))
	for i, at := range s.inputs {
		in[i] = values[at]
	}
	return s.node.Op().Do(in...)
}

// of names the node of the file for which something is computed. For gradient nodes it is not always known.
func (p *program) of(s *instruction) string {
	if n := p.maker[s.node.ID()]; n != nil {
		return n.String()
	}
	for _, forward := range s.node.DerivOf() {
		if n := p.maker[forward.ID()]; n != nil {
			return "the gradient of " + n.String()
		}
	}
	return "the losses or a gradient"
}
