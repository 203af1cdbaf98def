package gorgonia

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// convRule is a convolution as one matrix product: the windows side by side [C·k, N·h·w], the kernel [O, C·k] before
// them. With groups there is a product per group, on the same columns.
func convRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0, 1)
	if err != nil {
		return nil, err
	}
	x, weight := in[0], in[1]
	if x.Dims() != 4 || weight.Dims() != 4 {
		return nil, fmt.Errorf("its input has shape %v: convolutions are over two axes here", x.Shape())
	}
	kernel, groups := weight.Shape(), int(c.AttrInt("group", 1))
	w, err := windowsOf(c.Node, x.Shape(), c.dims, []int64{int64(kernel[2]), int64(kernel[3])})
	if err != nil {
		return nil, err
	}
	outputs, depth, width := kernel[0], kernel[1]*w.points(), w.n*w.cells()
	columns, err := G.ApplyOp(w.columns(), x)
	if err != nil {
		return nil, err
	}
	var y *G.Node
	if groups == 1 {
		if weight, err = b.reshape(weight, []int{outputs, depth}); err != nil {
			return nil, err
		}
		y, err = G.Mul(weight, columns)
	} else {
		y, err = b.groupedConv(weight, columns, groups, outputs, depth, width)
	}
	if err != nil {
		return nil, err
	}
	if y, err = G.ApplyOp(imagesFirst(outputs, w.n, w.cells(), c.dims), y); err != nil {
		return nil, err
	}
	if c.Input(2) == "" {
		return y, nil
	}
	bias, err := b.inputs(c, 2)
	if err != nil {
		return nil, err
	}
	spreadBias, err := b.perChannel(bias[0], c.dims)
	if err != nil {
		return nil, err
	}
	return G.Add(y, spreadBias)
}

func (b *builder) groupedConv(weight, columns *G.Node, groups, outputs, depth, width int) (*G.Node, error) {
	weight, err := b.reshape(weight, []int{groups, outputs / groups, depth})
	if err != nil {
		return nil, err
	}
	if columns, err = b.reshape(columns, []int{groups, depth, width}); err != nil {
		return nil, err
	}
	y, err := G.ApplyOp(newGroupedProduct(groups, outputs/groups, depth, width, false, false), weight, columns)
	if err != nil {
		return nil, err
	}
	return b.reshape(y, []int{outputs, width})
}

// gemmRule is α·A·B + β·C, A and B transposed where the node says so.
func gemmRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0, 1)
	if err != nil {
		return nil, err
	}
	for i, attribute := range []string{"transA", "transB"} {
		if c.AttrInt(attribute, 0) != 0 {
			if in[i], err = G.ApplyOp(transposition(in[i].Shape(), []int{1, 0}), in[i]); err != nil {
				return nil, err
			}
		}
	}
	y, err := G.Mul(in[0], in[1])
	if err != nil {
		return nil, err
	}
	if y, err = b.scale(y, c.AttrFloat("alpha", 1)); err != nil || c.Input(2) == "" {
		return y, err
	}
	bias, err := b.inputs(c, 2)
	if err != nil {
		return nil, err
	}
	offset, err := b.broadcast(bias[0], c.dims)
	if err != nil {
		return nil, err
	}
	if offset, err = b.scale(offset, c.AttrFloat("beta", 1)); err != nil {
		return nil, err
	}
	return G.Add(y, offset)
}

// matMulRule is a product of matrices; the first may be a stack of them where the second is one, or both be stacks of
// equally many.
func matMulRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0, 1)
	if err != nil {
		return nil, err
	}
	x, y := in[0], in[1]
	if x.Dims() < 2 || y.Dims() < 2 {
		return nil, fmt.Errorf("it multiplies shapes %v and %v: both must have two axes at least here", x.Shape(), y.Shape())
	}
	rows, depth, width := x.Shape()[x.Dims()-2], x.Shape()[x.Dims()-1], y.Shape()[y.Dims()-1]
	if y.Dims() > 2 {
		if !slices.Equal(x.Shape()[:x.Dims()-2], y.Shape()[:y.Dims()-2]) {
			return nil, fmt.Errorf("it multiplies stacks of shapes %v and %v: they are not broadcast here", x.Shape(), y.Shape())
		}
		stack := x.Shape().TotalSize() / (rows * depth)
		if x, err = b.reshape(x, []int{stack, rows, depth}); err != nil {
			return nil, err
		}
		if y, err = b.reshape(y, []int{stack, depth, width}); err != nil {
			return nil, err
		}
		if x, err = G.ApplyOp(newGroupedProduct(stack, rows, depth, width, false, false), x, y); err != nil {
			return nil, err
		}
		return b.reshape(x, c.dims)
	}
	if x, err = b.reshape(x, []int{x.Shape().TotalSize() / depth, depth}); err != nil {
		return nil, err
	}
	if x, err = G.Mul(x, y); err != nil {
		return nil, err
	}
	return b.reshape(x, c.dims)
}
