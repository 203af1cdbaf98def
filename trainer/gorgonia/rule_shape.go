package gorgonia

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/abn-studio/studio/onnx"
)

// reshapeRule is for operators that keep the elements and their order. A Dropout passes its input on: apart from BatchNorm,
// networks are trained here in evaluation mode.
func reshapeRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	if c.output != 0 {
		return nil, fmt.Errorf("its output %d is read: only the first is had here", c.output)
	}
	if c.Op == "Dropout" && c.Input(2) != "" {
		if training, err := b.ints(c, 2); err != nil || training[0] != 0 {
			return nil, errors.New("it is in training mode, and its mask would not repeat: export the model in evaluation mode")
		}
	}
	return b.reshape(in[0], c.dims)
}

func expandRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	return b.broadcast(in[0], c.dims)
}

// constantRule is a Constant node that holds floating-point numbers.
func constantRule(b *builder, c *ruleCall) (*G.Node, error) {
	var data []float32
	switch t, one, list := c.AttrTensor("value"), c.Attr("value_float"), c.Attr("value_floats"); {
	case t != nil:
		var err error
		if data, err = t.Float32s(); err != nil {
			return nil, err
		}
	case one != nil && one.Type == onnx.AttributeFloat:
		data = []float32{one.Float}
	case list != nil:
		data = list.Floats
	default:
		return nil, errors.New("it holds no floating-point numbers")
	}
	return b.input("constant/"+c.Output(0), c.dims, slices.Clone(data)), nil
}

// castRule passes floating-point numbers on, and converts constant integers, which exporters write.
func castRule(b *builder, c *ruleCall) (*G.Node, error) {
	if to := b.inferred.Values[c.Output(0)].Type; to != onnx.Float {
		return nil, fmt.Errorf("it casts to %v: all numbers are float32 here", to)
	}
	if b.inferred.Values[c.Input(0)].Type == onnx.Float {
		return reshapeRule(b, c)
	}
	known, err := b.ints(c, 0)
	if err != nil {
		return nil, err
	}
	data := make([]float32, len(known))
	for i, v := range known {
		data[i] = float32(v)
	}
	return b.input("constant/"+c.Output(0), c.dims, data), nil
}

// gatherRule takes elements of one axis at constant places: [a…, size, b…] by [i…] is [a…, i…, b…].
func gatherRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	picked, err := b.ints(c, 1)
	if err != nil {
		return nil, err
	}
	from := in[0].Shape()
	axis, err := axisOf(c.AttrInt("axis", 0), len(from))
	if err != nil {
		return nil, err
	}
	for i, p := range picked {
		if picked[i], err = placeOf(p, from[axis]); err != nil {
			return nil, err
		}
	}
	flat := slices.Clone(from)
	flat[axis] = len(picked)
	y, err := G.ApplyOp(gather("gather", from, flat, placesOf(from, flat, func(index, at []int) bool {
		copy(at, index)
		at[axis] = int(picked[index[axis]])
		return true
	})), in[0])
	if err != nil {
		return nil, err
	}
	return b.reshape(y, c.dims)
}

// placeOf resolves a possibly negative place along an axis.
func placeOf(place int64, size int) (int64, error) {
	if place < 0 {
		place += int64(size)
	}
	if place < 0 || place >= int64(size) {
		return 0, fmt.Errorf("place %d on an axis of %d", place, size)
	}
	return place, nil
}

func transposeRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	rank := in[0].Dims()
	order := make([]int, rank)
	for i := range order {
		order[i] = rank - 1 - i
	}
	if perm := c.AttrInts("perm"); perm != nil {
		order = dimsOf(perm)
	}
	return G.ApplyOp(transposition(in[0].Shape(), order), in[0])
}

// sliceRule is cut along some axes at constant places.
func sliceRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	var lists [4][]int64 // starts, ends, axes, steps
	for i := range lists {
		if lists[i], err = b.ints(c, 1+i); err != nil {
			return nil, err
		}
	}
	shape := in[0].Shape()
	start, step := make([]int, len(shape)), slices.Repeat([]int{1}, len(shape))
	for i, s := range lists[0] {
		axis := int64(i)
		if lists[2] != nil {
			axis = lists[2][i]
		}
		a, err := axisOf(axis, len(shape))
		if err != nil {
			return nil, err
		}
		if lists[3] != nil {
			step[a] = int(lists[3][i])
		}
		size := int64(shape[a])
		if s < 0 {
			s += size
		}
		if step[a] < 0 {
			size--
		}
		start[a] = int(min(max(s, 0), size))
	}
	return G.ApplyOp(cut(shape, start, step, c.dims), in[0])
}

// splitRule is one slice of an axis; the sizes are those of the outputs.
func splitRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	axis, err := axisOf(c.AttrInt("axis", 0), len(c.dims))
	if err != nil {
		return nil, err
	}
	start := 0
	for _, before := range c.Outputs[:c.output] {
		dims := b.dims(before)
		if dims == nil {
			return nil, fmt.Errorf("the shape of its output %q is not known", before)
		}
		start += dims[axis]
	}
	return G.ApplyOp(placedAlong(c.dims, in[0].Shape(), axis, start).transpose(), in[0])
}

func concatRule(b *builder, c *ruleCall) (*G.Node, error) {
	axis, err := axisOf(c.AttrInt("axis", 0), len(c.dims))
	if err != nil {
		return nil, err
	}
	which := make([]int, len(c.Inputs))
	for i := range which {
		which[i] = i
	}
	in, err := b.inputs(c, which...)
	if err != nil {
		return nil, err
	}
	var shapes [][]int
	for _, x := range in {
		shapes = append(shapes, x.Shape())
	}
	return G.ApplyOp(newJoined(shapes, c.dims, axis), in...)
}

// padRule is x placed in a larger tensor; negative pads cut.
func padRule(b *builder, c *ruleCall) (*G.Node, error) {
	if mode := c.AttrStr("mode", "constant"); mode != "constant" {
		return nil, fmt.Errorf("its mode is %q: only padding with a constant is had here", mode)
	}
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	x := in[0]
	pads, err := b.ints(c, 1)
	if err != nil {
		return nil, err
	}
	axes, err := b.ints(c, 3)
	if err != nil {
		return nil, err
	}
	value, err := b.float(c, 2, 0)
	if err != nil {
		return nil, err
	}
	before := make([]int, x.Dims())
	for i := range len(pads) / 2 {
		axis := i
		if axes != nil {
			if axis, err = axisOf(axes[i], x.Dims()); err != nil {
				return nil, err
			}
		}
		before[axis] = int(pads[i])
	}
	place := placed(x.Shape(), c.dims, before)
	y, err := G.ApplyOp(place, x)
	if err != nil || value == 0 {
		return y, err
	}
	if b.trained == nil { // nothing is to be run
		return G.Add(y, b.input("padding/"+c.Output(0), c.dims, nil))
	}
	inside, around := make([]float32, x.Shape().TotalSize()), make([]float32, y.Shape().TotalSize())
	for i := range inside {
		inside[i] = 1
	}
	place.apply(around, inside)
	for i, v := range around {
		around[i] = value * (1 - v)
	}
	return G.Add(y, b.input("padding/"+c.Output(0), c.dims, around))
}
