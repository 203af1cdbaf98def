package gorgonia

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// reduceRule is a reduction over axes: a mean, a sum (of elements, squares or absolute values), a maximum or a minimum. A
// GlobalAveragePool is a mean over all axes after the channels.
func reduceRule(b *builder, c *ruleCall) (*G.Node, error) {
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
	y, err := b.reduced(c, in[0], small)
	if err != nil {
		return nil, err
	}
	return b.reshape(y, c.dims)
}

// reduced sums over the axes in which small has size 1.
func (b *builder) reduced(c *ruleCall, x *G.Node, small []int) (y *G.Node, err error) {
	shape, factor := x.Shape(), float32(1)
	switch c.Op {
	case "GlobalAveragePool", "ReduceMean":
		factor = float32(float64(tensor.Shape(small).TotalSize()) / float64(shape.TotalSize()))
	case "ReduceSumSquare", "ReduceL2":
		x, err = G.Square(x)
	case "ReduceL1":
		x, err = G.ApplyOp(newPointwise("Abs", shape, abs, sign), x)
	case "ReduceMax", "ReduceMin":
		var share *G.Node
		if share, err = G.ApplyOp(extremeShares(shape, small, c.Op == "ReduceMax"), x); err == nil {
			x, err = G.HadamardProd(x, share)
		}
	}
	if err != nil {
		return nil, err
	}
	if slices.Equal(small, shape) {
		y = x
	} else if y, err = G.ApplyOp(total(shape, small, factor), x); err != nil {
		return nil, err
	}
	if c.Op == "ReduceL2" {
		return G.Sqrt(y)
	}
	return y, nil
}

// extremeShares are the weights with which the maximum (or minimum) over the axes in which small has size 1 is a weighted sum: 1
// for the largest element, in equal shares if several are equal, and 0 for all others. Gorgonia can differentiate the sum.
func extremeShares(large, small []int, largest bool) *detached {
	runs := runsOf(small, large)
	return &detached{newOwnOp("extreme", large, large), func(y, x []float32) {
		extremes, counts := make([]float32, tensor.Shape(small).TotalSize()), make([]float32, tensor.Shape(small).TotalSize())
		visitRuns(runs, 0, 0, func(s, l int) {
			if v := x[l]; counts[s] == 0 || v != extremes[s] && v > extremes[s] == largest {
				extremes[s], counts[s] = v, 1
			} else if v == extremes[s] {
				counts[s]++
			}
		})
		visitRuns(runs, 0, 0, func(s, l int) {
			if x[l] == extremes[s] {
				y[l] = 1 / counts[s]
			}
		})
	}}
}

// visitRuns calls visit for every element of the large tensor with its place in the small one.
func visitRuns(runs []run, small, large int, visit func(small, large int)) {
	for i := range runs[0].size {
		if len(runs) > 1 {
			visitRuns(runs[1:], small+i*runs[0].inner, large+i*runs[0].step, visit)
		} else {
			visit(small+i*runs[0].inner, large+i)
		}
	}
}

func averagePoolRule(b *builder, c *ruleCall) (*G.Node, error) {
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

func maxPoolRule(b *builder, c *ruleCall) (*G.Node, error) {
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
