package trainer

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// reduceRule is a mean or a sum over axes: all axes after the channels for a GlobalAveragePool.
func reduceRule(b *gorgoniaBuilder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	shape := in[0].Shape()
	axes := c.AttrInts("axes")
	if axes == nil && c.Op != "GlobalAveragePool" {
		if axes, err = b.ints(c, 1); err != nil {
			return nil, err
		}
		if len(axes) == 0 && c.AttrInt("noop_with_empty_axes", 0) != 0 {
			return in[0], nil
		}
	}
	small := shape.Clone()
	for i := range shape {
		if len(axes) == 0 && (c.Op != "GlobalAveragePool" || i > 1) {
			small[i] = 1
		}
	}
	for _, a := range axes {
		i, err := axisOf(a, len(shape))
		if err != nil {
			return nil, err
		}
		small[i] = 1
	}
	factor := float32(1)
	if c.Op != "ReduceSum" {
		factor = float32(float64(small.TotalSize()) / float64(shape.TotalSize()))
	}
	y := in[0]
	if !slices.Equal(small, shape) {
		if y, err = G.ApplyOp(total(shape, small, factor), y); err != nil {
			return nil, err
		}
	}
	return b.reshape(y, c.dims)
}

func averagePoolRule(b *gorgoniaBuilder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	w, err := windowsOf(c.Node, in[0].Shape(), c.dims, nil)
	if err != nil {
		return nil, err
	}
	return G.ApplyOp(w.averages(c.AttrInt("count_include_pad", 0) != 0), in[0])
}

func maxPoolRule(b *gorgoniaBuilder, c *ruleCall) (*G.Node, error) {
	if c.output != 0 {
		return nil, fmt.Errorf("its output %d is read: only the first is had here", c.output)
	}
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	shape := in[0].Shape()
	if len(shape) != 4 {
		return nil, fmt.Errorf("its input has shape %v: windows move over two axes here", shape)
	}
	w, err := windowsOf(c.Node, shape, c.dims, []int64{int64(shape[2]), int64(shape[3])})
	if err != nil {
		return nil, err
	}
	return G.ApplyOp(newMaxima(w), in[0])
}
