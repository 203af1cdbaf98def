package gradient

import (
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// unbroadcast sums dY, which has the shape of the forward value y, back to the shape of the forward
// value x that numpy's rules had broadcast to it.
func (b *builder) unbroadcast(dY, y, x string) (string, error) {
	from, to := b.info[y].Shape, b.info[x].Shape
	if from == nil || to == nil {
		return "", fmt.Errorf("the shapes of %s and %s cannot be inferred", y, x)
	}
	if from.Equal(to) {
		return dY, nil
	}
	lead := len(from) - len(to)
	var axes []int64
	for i := range from {
		switch {
		case i < lead:
			axes = append(axes, int64(i))
		case to[i-lead] == from[i]:
		case to[i-lead] == onnx.Fixed(1):
			axes = append(axes, int64(i))
		default:
			return "", fmt.Errorf("cannot tell whether axis %d of %s %s is broadcast to %s", i-lead, x, to, from)
		}
	}
	if len(axes) == 0 {
		return dY, nil
	}
	sum := b.reduceSum(dY, axes)
	if lead > 0 {
		sum = b.reshapeLike(sum, x)
	}
	return sum, nil
}

// reduceSum sums x over axes (ascending) and keeps them with size 1. A run of axes at the end is
// summed before others: ONNX Runtime is three times as fast over (2,3) and then 0 as over (0,2,3).
func (b *builder) reduceSum(x string, axes []int64) string {
	last := len(axes) - 1
	for last > 0 && axes[last-1] == axes[last]-1 {
		last--
	}
	sum := b.node("ReduceSum", []string{x, b.ints(axes[last:]...)}, onnx.IntAttr("keepdims", 1))
	if last > 0 {
		sum = b.reduceSum(sum, axes[:last])
	}
	return sum
}

// perChannel sums x [N,C,...] of the given rank over all axes but the second: [C].
func (b *builder) perChannel(x string, rank int) string {
	if rank > 2 {
		axes := make([]int64, rank-2)
		for i := range axes {
			axes[i] = int64(i + 2)
		}
		x = b.node("ReduceSum", []string{x, b.ints(axes...)}, onnx.IntAttr("keepdims", 0))
	}
	return b.node("ReduceSum", []string{x, b.ints(0)}, onnx.IntAttr("keepdims", 0))
}

// giveUnbroadcast gives input its share of dY.
func (b *builder) giveUnbroadcast(input, dY, y string) error {
	if !b.depends[input] {
		return nil
	}
	d, err := b.unbroadcast(dY, y, input)
	if err != nil {
		return err
	}
	b.give(input, d)
	return nil
}
