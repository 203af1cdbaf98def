package gradient

import (
	"errors"

	"github.com/abn-studio/studio/onnx"
)

// alongAxes gives a reduction's output, or its gradient, back the axes that were reduced, with size 1.
func (b *builder) alongAxes(n *onnx.Node, value string) (kept string, axes []int64, err error) {
	shape := b.info[n.Input(0)].Shape
	if shape == nil {
		return "", nil, errors.New("its input's shape cannot be inferred")
	}
	if axes, err = b.reducedAxes(n, len(shape)); err != nil {
		return "", nil, err
	}
	if n.AttrInt("keepdims", 1) == 0 && len(axes) > 0 {
		value = b.node("Unsqueeze", []string{value, b.ints(axes...)})
	}
	return value, axes, nil
}

// reduceExtreme is for ReduceMax and ReduceMin: dY goes in equal shares to all elements that are equal to the extreme, as in
// torch.amax.
func reduceExtreme(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	y, axes, err := b.alongAxes(n, n.Outputs[0])
	if err != nil {
		return err
	}
	if dY, _, err = b.alongAxes(n, dY); err != nil {
		return err
	}
	if len(axes) == 0 {
		b.give(x, dY)
		return nil
	}
	mask := b.equals(x, y)
	b.give(x, b.mul(mask, b.div(dY, b.reduceSum(mask, axes))))
	return nil
}

// least is a norm below which a slope x/y counts as 0, as where all of x is.
const least = 1e-20

// reduceNorm is for ReduceSumSquare, ReduceL2 and ReduceL1: dX = dY·slope, with slope 2x, x/y and sign(x).
func reduceNorm(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	kept, axes, err := b.alongAxes(n, dY)
	if err != nil {
		return err
	}
	if len(axes) == 0 {
		return errors.New("it reduces no axis")
	}
	switch n.Op {
	case "ReduceSumSquare":
		b.give(x, b.mul(b.scaled(kept, 2), x))
	case "ReduceL1":
		b.give(x, b.mul(kept, b.node("Sign", []string{x})))
	case "ReduceL2":
		y, _, err := b.alongAxes(n, n.Outputs[0])
		if err != nil {
			return err
		}
		b.give(x, b.mul(b.div(kept, b.node("Max", []string{y, b.scalar(least)})), x))
	}
	return nil
}

// globalMaxPool is rewritten as a MaxPool with one window, which can return the place of the first maximum.
func globalMaxPool(b *builder, n *onnx.Node, dY string) error {
	spatial, err := b.spatial(n.Input(0))
	if err != nil {
		return err
	}
	n.Op = "MaxPool"
	n.SetAttr(onnx.IntsAttr("kernel_shape", spatial...))
	return maxPool(b, n, dY)
}
