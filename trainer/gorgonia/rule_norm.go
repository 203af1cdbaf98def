package gorgonia

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// batchNormRule is y = γ·(x−μ)/√(v+ε) + β per channel, written in simple operators that Gorgonia differentiates. Gorgonia's own
// BatchNorm keeps its statistics inside the operator, so that those of a file or a checkpoint cannot be set. With the batch's
// statistics μ and v = mean((x−μ)²) are computed here and the gradient runs through them; otherwise they are the file's.
func batchNormRule(b *builder, c *ruleCall) (*G.Node, error) {
	if c.output != 0 {
		return nil, fmt.Errorf("its output %d is read: only the first is had here", c.output)
	}
	in, err := b.inputs(c, 0, 1, 2)
	if err != nil {
		return nil, err
	}
	x, scale, shift := in[0], in[1], in[2]
	var mean, variance *G.Node
	if b.batch[c.Node] {
		if mean, variance, err = b.statistics(x); err != nil {
			return nil, err
		}
		b.norms[c.Node] = batchNormNodes{mean, variance}
	} else {
		running, err := b.inputs(c, 3, 4)
		if err != nil {
			return nil, err
		}
		mean, variance = running[0], running[1]
	}
	variance, err = G.Add(variance, G.NewConstant(c.AttrFloat("epsilon", 1e-5)))
	if err != nil {
		return nil, err
	}
	deviation, err := G.Sqrt(variance)
	if err != nil {
		return nil, err
	}
	if scale, err = G.HadamardDiv(scale, deviation); err != nil {
		return nil, err
	}
	m := nodeChain{b: b, node: x}
	m.with(G.Sub, mean)
	m.times(scale)
	m.with(G.Add, shift)
	return m.node, m.err
}

// statistics are mean and population variance over all axes but the channels', [C] each.
func (b *builder) statistics(x *G.Node) (mean, variance *G.Node, err error) {
	shape := x.Shape()
	column := make([]int, len(shape))
	for i := range column {
		column[i] = 1
	}
	column[1] = shape[1]
	share := float32(1 / float64(shape.TotalSize()/shape[1]))
	average := func(of *G.Node) *G.Node {
		if err != nil {
			return nil
		}
		var small *G.Node
		if small, err = G.ApplyOp(total(shape, column, share), of); err != nil {
			return nil
		}
		small, err = b.reshape(small, []int{shape[1]})
		return small
	}
	if mean = average(x); err != nil {
		return nil, nil, err
	}
	m := nodeChain{b: b, node: x}
	m.with(G.Sub, mean)
	if m.err != nil {
		return nil, nil, m.err
	}
	squares, err := G.Square(m.node)
	if err != nil {
		return nil, nil, err
	}
	variance = average(squares)
	return mean, variance, err
}

// nodeChain combines a value [N, C, …] with one per-channel vector after the other and keeps the first error.
type nodeChain struct {
	b    *builder
	node *G.Node
	err  error
}

func (m *nodeChain) with(op func(a, b *G.Node) (*G.Node, error), channel *G.Node) {
	if m.err != nil {
		return
	}
	if channel, m.err = m.b.perChannel(channel, m.node.Shape()); m.err == nil {
		m.node, m.err = op(m.node, channel)
	}
}

// times multiplies by a per-channel vector.
func (m *nodeChain) times(channel *G.Node) {
	if m.err != nil {
		return
	}
	shape := m.node.Shape()
	if channel, m.err = m.b.column(channel, shape); m.err == nil {
		m.node, m.err = m.b.product(m.node, channel, shape)
	}
}

// momentsRule is InstanceNormalization and LayerNormalization: (x−μ)/√(v+ε) with the moments of each image's channel, or
// of all axes from one on, times a scale, plus a shift.
func momentsRule(b *builder, c *ruleCall) (*G.Node, error) {
	if c.output != 0 {
		return nil, fmt.Errorf("its output %d is read: only the first is had here", c.output)
	}
	in, err := b.inputs(c, 0, 1)
	if err != nil {
		return nil, err
	}
	first := 2
	align := b.column // [C] over [N, C, …]
	if c.Op == "LayerNormalization" {
		if first, err = axisOf(c.AttrInt("axis", -1), len(c.dims)); err != nil {
			return nil, err
		}
		align = b.aligned
	}
	y, err := b.standardized(in[0], first, c.AttrFloat("epsilon", 1e-5))
	if err != nil {
		return nil, err
	}
	scale, err := align(in[1], c.dims)
	if err != nil {
		return nil, err
	}
	if y, err = b.product(y, scale, c.dims); err != nil || c.Input(2) == "" {
		return y, err
	}
	shift, err := b.inputs(c, 2)
	if err != nil {
		return nil, err
	}
	if shift[0], err = align(shift[0], c.dims); err != nil {
		return nil, err
	}
	if shift[0], err = b.broadcast(shift[0], c.dims); err != nil {
		return nil, err
	}
	return G.Add(y, shift[0])
}

// standardized is (x−μ)/√(v+ε), the moments taken over the axes from first on.
func (b *builder) standardized(x *G.Node, first int, epsilon float32) (*G.Node, error) {
	shape := x.Shape()
	small := shape.Clone()
	for i := first; i < len(small); i++ {
		small[i] = 1
	}
	share := float32(float64(small.TotalSize()) / float64(shape.TotalSize()))
	mean, err := G.ApplyOp(total(shape, small, share), x)
	if err != nil {
		return nil, err
	}
	if mean, err = b.broadcast(mean, shape); err != nil {
		return nil, err
	}
	if x, err = G.Sub(x, mean); err != nil {
		return nil, err
	}
	variance, err := G.Square(x)
	if err != nil {
		return nil, err
	}
	if variance, err = G.ApplyOp(total(shape, small, share), variance); err != nil {
		return nil, err
	}
	if variance, err = G.Add(variance, G.NewConstant(epsilon)); err != nil {
		return nil, err
	}
	if variance, err = G.Sqrt(variance); err != nil {
		return nil, err
	}
	inverse, err := G.Inverse(variance)
	if err != nil {
		return nil, err
	}
	return b.product(x, inverse, shape)
}
