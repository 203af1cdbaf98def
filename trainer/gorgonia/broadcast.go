package gorgonia

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// reshape gives a node another shape.
func (b *builder) reshape(x *G.Node, to []int) (*G.Node, error) {
	if slices.Equal(x.Shape(), to) {
		return x, nil
	}
	return G.ApplyOp(newReshaped(x.Shape(), to), x)
}

// aligned gives x as many axes as to has, new ones of size 1, and checks that it broadcasts to to.
func (b *builder) aligned(x *G.Node, to []int) (*G.Node, error) {
	from := append(slices.Repeat([]int{1}, max(len(to)-x.Dims(), 0)), x.Shape()...)
	for i, size := range from {
		if len(from) != len(to) || size != 1 && size != to[i] {
			return nil, fmt.Errorf("shape %v does not broadcast to %v", x.Shape(), to)
		}
	}
	return b.reshape(x, from)
}

// broadcast repeats x to a shape, as numpy does.
func (b *builder) broadcast(x *G.Node, to []int) (*G.Node, error) {
	x, err := b.aligned(x, to)
	if err != nil || slices.Equal(x.Shape(), to) {
		return x, err
	}
	return G.ApplyOp(spread(x.Shape(), to, 1), x)
}

// product is x·y, elementwise, both broadcast to a shape.
func (b *builder) product(x, y *G.Node, to []int) (*G.Node, error) {
	if !slices.Equal(x.Shape(), to) {
		x, y = y, x
	}
	x, err := b.broadcast(x, to)
	if err != nil {
		return nil, err
	}
	if y, err = b.aligned(y, to); err != nil {
		return nil, err
	}
	if slices.Equal(y.Shape(), to) {
		return G.HadamardProd(x, y)
	}
	return G.ApplyOp(newSpreadProduct(to, y.Shape()), x, y)
}

// column gives [C] the axes of [N, C, …].
func (b *builder) column(x *G.Node, to []int) (*G.Node, error) {
	column := slices.Repeat([]int{1}, len(to))
	column[1] = to[1]
	return b.reshape(x, column)
}

// perChannel repeats [C] over [N, C, …].
func (b *builder) perChannel(x *G.Node, to []int) (*G.Node, error) {
	x, err := b.column(x, to)
	if err != nil {
		return nil, err
	}
	return b.broadcast(x, to)
}

// scale is factor·x.
func (b *builder) scale(x *G.Node, factor float32) (*G.Node, error) {
	if factor == 1 {
		return x, nil
	}
	return G.ApplyOp(spread(x.Shape(), x.Shape(), factor), x)
}
