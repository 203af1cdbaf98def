package onnx

import (
	"fmt"
	"slices"
)

func constantNode(c *call) error {
	out := c.out[0]
	for _, a := range c.Attributes {
		switch a.Name {
		case "value":
			if a.Tensor != nil {
				*out = *c.inf.valueOf(a.Tensor)
			}
		case "value_int":
			*out = *c.inf.valueOf(NewInt64("", nil, []int64{a.Int}))
		case "value_ints":
			*out = *c.inf.valueOf(NewInt64("", []int64{int64(len(a.Ints))}, a.Ints))
		case "value_float":
			*out = *c.inf.valueOf(NewFloat32("", nil, []float32{a.Float}))
		case "value_floats":
			*out = *c.inf.valueOf(NewFloat32("", []int64{int64(len(a.Floats))}, a.Floats))
		}
	}
	return nil
}

func constantOfShape(c *call) error {
	out := c.out[0]
	fill := &value{dtype: Float, reals: []float64{0}}
	if t := c.AttrTensor("value"); t != nil {
		if n, err := t.Elements(); err != nil || n != 1 {
			return fmt.Errorf("%w: its value has shape %v, want one element", ErrShape, t.Dims)
		}
		fill = c.inf.valueOf(t)
	}
	out.dtype = fill.dtype
	if c.in[0].ints() == nil {
		return nil
	}
	var err error
	if out.shape, err = shapeFrom(c.in[0].ints()); err != nil {
		return err
	}
	out.gatherElements(fill, func([]int64) int { return 0 })
	return nil
}

// shapeFrom is the shape that a list of sizes asks for.
func shapeFrom(sizes []integer) (Shape, error) {
	if len(sizes) > maxRank {
		return nil, fmt.Errorf("%w: %d axes, at most %d are read", ErrLimit, len(sizes), maxRank)
	}
	s := make(Shape, len(sizes))
	for i, e := range sizes {
		if e.fixed() && e.v < 0 {
			return nil, fmt.Errorf("%w: an axis of size %d", ErrShape, e.v)
		}
		s[i] = e.dim()
	}
	return s, nil
}

// shapeOf gives the input's axes as integers, symbolic ones included; versions from 15 on can take a part.
func shapeOf(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = Int64
	if x.shape == nil {
		out.shape = Shape{Unknown()}
		return nil
	}
	rank := int64(len(x.shape))
	clip := func(i int64) int64 {
		if i < 0 {
			i += rank
		}
		return min(max(i, 0), rank)
	}
	start, end := clip(c.AttrInt("start", 0)), clip(c.AttrInt("end", rank))
	sizes := []integer{}
	for i := start; i < end; i++ {
		sizes = append(sizes, integerOf(x.shape[i]))
	}
	out.setInts(sizes)
	out.shape = Shape{Fixed(int64(len(sizes)))}
	return nil
}

func sizeOf(c *call) error {
	out := c.out[0]
	out.dtype, out.shape = Int64, Shape{}
	out.setInts([]integer{integerOf(c.in[0].shape.product().over(product{coefficient: 1}))})
	return nil
}

// slice takes starts, ends, axes and steps as attributes up to version 9, as inputs after.
func slice(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	if x.shape == nil {
		return nil
	}
	starts, _, ok1 := c.ints("starts", 1)
	ends, _, ok2 := c.ints("ends", 2)
	list, given, ok3 := c.ints("axes", 3)
	steps, stepped, ok4 := c.ints("steps", 4)
	out.shape = slices.Clone(x.shape)
	if !ok3 || !ok1 || !ok2 || !ok4 {
		for i := range out.shape {
			if !ok3 || !given || slices.Contains(list, int64(i)) || slices.Contains(list, int64(i-len(x.shape))) {
				out.shape[i] = Unknown()
			}
		}
		return nil
	}
	if !given {
		for i := range starts {
			list = append(list, int64(i))
		}
	}
	if !stepped {
		steps = slices.Repeat([]int64{1}, len(starts))
	}
	if len(ends) != len(starts) || len(list) != len(starts) || len(steps) != len(starts) {
		return fmt.Errorf("%w: starts %v, ends %v, axes %v, steps %v", ErrShape, starts, ends, list, steps)
	}
	first, stride := make([]int64, len(x.shape)), slices.Repeat([]int64{1}, len(x.shape))
	for k := range starts {
		i, err := axis(list[k], len(x.shape))
		if err != nil {
			return err
		}
		if steps[k] == 0 {
			return fmt.Errorf("%w: step 0", ErrShape)
		}
		d := x.shape[i]
		if !d.Known() {
			if starts[k] != 0 || steps[k] != 1 || ends[k] < 1<<31-1 { // anything but the whole axis
				out.shape[i] = Unknown()
			}
			continue
		}
		var n int64
		first[i], n = SliceRange(starts[k], ends[k], steps[k], d.Size)
		stride[i] = steps[k]
		out.shape[i] = Fixed(n)
	}
	if x.ints() != nil || x.floats() != nil {
		strides := x.shape.strides()
		out.gatherElements(x, func(position []int64) int {
			flat := int64(0)
			for i, p := range position {
				flat += (first[i] + p*stride[i]) * strides[i]
			}
			return int(flat)
		})
	}
	return nil
}

// SliceRange clamps one axis of a Slice as numpy does: where it starts, and how many elements it takes.
func SliceRange(start, end, step, size int64) (first, n int64) {
	low, high := int64(0), size
	if step < 0 {
		low, high = -1, size-1
	}
	clamp := func(i int64) int64 {
		if i < 0 {
			if i < -size { // also keeps the smallest integer from overflowing
				return low
			}
			i += size
		}
		return min(max(i, low), high)
	}
	first, last := clamp(start), clamp(end)
	step = min(max(step, -size-1), size+1) // a longer step takes no more elements, and could overflow
	if step > 0 {
		return first, max(0, (last-first+step-1)/step)
	}
	return first, max(0, (first-last-step-1)/-step)
}

// pad takes its amounts as an attribute up to version 10, as an input after; axes came with version 18.
func pad(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	if x.shape == nil {
		return nil
	}
	pads, _, known := c.ints("pads", 1)
	list, given, listed := c.ints("axes", 3)
	out.shape = slices.Clone(x.shape)
	if !known || !listed {
		for i := range out.shape {
			out.shape[i] = Unknown()
		}
		return nil
	}
	if !given {
		for i := range x.shape {
			list = append(list, int64(i))
		}
	}
	if len(pads) != 2*len(list) {
		return fmt.Errorf("%w: pads %v for %d axes", ErrShape, pads, len(list))
	}
	for k, a := range list {
		i, err := axis(a, len(x.shape))
		if err != nil {
			return err
		}
		amount := sum(pads[k], pads[k+len(list)])
		if !amount.fixed() || amount.v < -MaxElements || amount.v > MaxElements {
			return fmt.Errorf("%w: pads %v of %v", ErrLimit, pads, x.shape)
		}
		out.shape[i] = addIntegers(integerOf(x.shape[i]), amount).dim()
		if x.shape[i].Known() && x.shape[i].Size+amount.v < 0 {
			return fmt.Errorf("%w: pads %v of %v", ErrShape, pads, x.shape)
		}
	}
	return nil
}

func gather(c *call) error {
	x, out := c.in[0], c.out[0]
	index, err := c.need(1)
	if err != nil {
		return err
	}
	out.dtype = x.dtype
	if x.shape == nil || index.shape == nil {
		return nil
	}
	at, err := axis(c.AttrInt("axis", 0), len(x.shape))
	if err != nil {
		return err
	}
	out.shape = slices.Concat(x.shape[:at], index.shape, x.shape[at+1:])
	if out.shape == nil {
		out.shape = Shape{}
	}
	picked, ok := index.int64s()
	if !ok || x.ints() == nil && x.floats() == nil || len(x.shape) != 1 {
		return nil
	}
	for i, p := range picked {
		k, err := axis(p, int(x.shape[0].Size))
		if err != nil {
			return fmt.Errorf("%w: index %d of %v", ErrShape, p, x.shape)
		}
		picked[i] = int64(k)
	}
	next := 0
	out.gatherElements(x, func([]int64) int { next++; return int(picked[next-1]) })
	return nil
}

// gatherND infers what takes slices of a value by the last axis of a table of indices, as torch.export writes x[:, :, rows, columns].
func gatherND(c *call) error {
	x, out := c.in[0], c.out[0]
	index, err := c.need(1)
	if err != nil {
		return err
	}
	out.dtype = x.dtype
	if len(x.shape) == 0 || len(index.shape) == 0 || !index.shape[len(index.shape)-1].Known() {
		return nil
	}
	table, alike := index.shape[:len(index.shape)-1], c.AttrInt("batch_dims", 0)
	deep := index.shape[len(table)].Size
	if alike < 0 || alike > int64(len(table)) || deep < 1 || deep > int64(len(x.shape)) || alike+deep > int64(len(x.shape)) {
		return fmt.Errorf("%w: indices %v of %v, with %d axes in common", ErrShape, index.shape, x.shape, alike)
	}
	out.shape = slices.Concat(Shape{}, table, x.shape[alike+deep:])
	return nil
}

// likeIndices infers what takes single elements, one for each of a table of indices.
func likeIndices(c *call) error {
	index, err := c.need(1)
	if err != nil {
		return err
	}
	c.out[0].dtype, c.out[0].shape = c.in[0].dtype, index.shape
	return nil
}

func expand(c *call) error {
	x, out := c.in[0], c.out[0]
	target, err := c.need(1)
	if err != nil {
		return err
	}
	out.dtype = x.dtype
	if target.ints() == nil {
		return nil
	}
	wanted, err := shapeFrom(target.ints())
	if err != nil {
		return err
	}
	if out.shape, err = broadcast(x.shape, wanted); err != nil || x.ints() == nil && x.floats() == nil {
		return err
	}
	if n := max(len(x.ints()), len(x.floats())); n == 1 {
		out.gatherElements(x, func([]int64) int { return 0 })
	}
	return nil
}

func tile(c *call) error {
	x, out := c.in[0], c.out[0]
	repeats, err := c.need(1)
	if err != nil {
		return err
	}
	out.dtype = x.dtype
	if x.shape == nil {
		return nil
	}
	out.shape = slices.Repeat(Shape{Unknown()}, len(x.shape))
	if len(repeats.ints()) == len(x.shape) {
		for i, e := range repeats.ints() {
			out.shape[i] = mulIntegers(integerOf(x.shape[i]), e).dim()
		}
	}
	return nil
}

func rangeOf(c *call) error {
	out := c.out[0]
	out.dtype, out.shape = c.in[0].dtype, Shape{Unknown()}
	limit, err := c.need(1)
	if err != nil {
		return err
	}
	delta, err := c.need(2)
	if err != nil {
		return err
	}
	a, ok1 := c.in[0].int64s()
	b, ok2 := limit.int64s()
	d, ok3 := delta.int64s()
	if !ok1 || !ok2 || !ok3 || len(a)*len(b)*len(d) != 1 || d[0] == 0 {
		return nil
	}
	ints := []integer{}
	for v := a[0]; d[0] > 0 && v < b[0] || d[0] < 0 && v > b[0]; v += d[0] {
		if ints = append(ints, integer{v: v}); len(ints) > maxConstant {
			return nil
		}
	}
	out.setInts(ints)
	out.shape = Shape{Fixed(int64(len(ints)))}
	return nil
}
