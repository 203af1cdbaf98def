package onnx

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func gemm(c *call) error {
	a := c.in[0]
	b, err := c.need(1)
	if err != nil {
		return err
	}
	out := c.out[0]
	out.dtype = a.dtype
	if err := wantRank(a, "its first matrix", 2); err != nil {
		return err
	}
	if err := wantRank(b, "its second matrix", 2); err != nil {
		return err
	}
	if a.shape == nil || b.shape == nil {
		return nil
	}
	rows, inner := a.shape[0], a.shape[1]
	if c.AttrInt("transA", 0) != 0 {
		rows, inner = inner, rows
	}
	other, columns := b.shape[0], b.shape[1]
	if c.AttrInt("transB", 0) != 0 {
		other, columns = columns, other
	}
	if inner.Known() && other.Known() && inner != other {
		return fmt.Errorf("%w: %v by %v", ErrShape, a.shape, b.shape)
	}
	out.shape = Shape{rows, columns}
	if bias := c.input(2); bias != nil {
		if _, err := broadcast(out.shape, bias.shape); err != nil {
			return fmt.Errorf("bias: %w", err)
		}
	}
	return nil
}

func matMul(c *call) error {
	b, err := c.need(1)
	if err != nil {
		return err
	}
	x, y, out := c.in[0].shape, b.shape, c.out[0]
	out.dtype = c.in[0].dtype
	if x == nil || y == nil {
		return nil
	}
	if len(x) == 0 || len(y) == 0 {
		return fmt.Errorf("%w: %v by %v", ErrShape, x, y)
	}
	left, right := slices.Clone(x), slices.Clone(y)
	if len(left) == 1 {
		left = append(Shape{Fixed(1)}, left...)
	}
	if len(right) == 1 {
		right = append(right, Fixed(1))
	}
	inner, other := left[len(left)-1], right[len(right)-2]
	if inner.Known() && other.Known() && inner != other {
		return fmt.Errorf("%w: %v by %v", ErrShape, x, y)
	}
	if out.shape, err = broadcast(left[:len(left)-2], right[:len(right)-2]); err != nil {
		return err
	}
	if len(x) > 1 {
		out.shape = append(out.shape, left[len(left)-2])
	}
	if len(y) > 1 {
		out.shape = append(out.shape, right[len(right)-1])
	}
	return nil
}

// reduce removes axes or makes them 1. They are an attribute up to version 17 (ReduceSum: 12), an input after.
func reduce(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	list, given, known := c.ints("axes", 1)
	if x.shape == nil || !known && c.AttrInt("keepdims", 1) == 0 {
		return nil
	}
	if !known {
		out.shape = slices.Repeat(Shape{Unknown()}, len(x.shape))
		return nil
	}
	if (!given || len(list) == 0) && c.AttrInt("noop_with_empty_axes", 0) != 0 {
		return identity(c)
	}
	set, err := axes(list, len(x.shape))
	if err != nil {
		return err
	}
	out.shape = Shape{}
	for i, d := range x.shape {
		switch {
		case !set[i] && len(set) > 0:
			out.shape = append(out.shape, d)
		case c.AttrInt("keepdims", 1) != 0:
			out.shape = append(out.shape, Fixed(1))
		}
	}
	if c.Op == "ReduceProd" && len(out.shape) <= 1 && len(x.shape) == 1 && x.ints() != nil {
		product := integer{v: 1}
		for _, e := range x.ints() {
			product = mulIntegers(product, e)
		}
		out.setInts([]integer{product})
	}
	return nil
}

func argument(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = Int64
	if x.shape == nil {
		return nil
	}
	at, err := axis(c.AttrInt("axis", 0), len(x.shape))
	if err != nil {
		return err
	}
	out.shape = slices.Clone(x.shape)
	if c.AttrInt("keepdims", 1) != 0 {
		out.shape[at] = Fixed(1)
	} else {
		out.shape = slices.Delete(out.shape, at, at+1)
	}
	return nil
}

func not(c *call) error {
	if ints, ok := c.in[0].int64s(); ok {
		var list []integer
		for _, v := range ints {
			list = append(list, integer{v: 1 - v})
		}
		c.out[0].setInts(list)
	}
	return unary(c)
}

func oneHot(c *call) error {
	x, out := c.in[0], c.out[0]
	depth, err := c.need(1)
	if err != nil {
		return err
	}
	values, err := c.need(2)
	if err != nil {
		return err
	}
	out.dtype = values.dtype
	if x.shape == nil {
		return nil
	}
	at, err := axis(c.AttrInt("axis", -1), len(x.shape)+1)
	if err != nil {
		return err
	}
	size := Unknown()
	if len(depth.ints()) == 1 {
		size = depth.ints()[0].dim()
	}
	out.shape = slices.Insert(slices.Clone(x.shape), at, size)
	return nil
}

// einsum reads the result's axes from the equation. With an ellipsis the result is unknown.
func einsum(c *call) error {
	out := c.out[0]
	out.dtype = c.in[0].dtype
	equation := strings.ReplaceAll(c.AttrStr("equation", ""), " ", "")
	left, result, explicit := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if len(equation) > maxName || strings.Contains(equation, ".") || len(terms) != len(c.in) {
		return nil
	}
	sizes := map[rune]Dim{}
	for i, term := range terms {
		v, err := c.need(i)
		if err != nil {
			return err
		}
		if v.shape == nil {
			return nil
		}
		if len(v.shape) != len(term) {
			return fmt.Errorf("%w: %v for %q", ErrShape, v.shape, term)
		}
		for k, label := range term {
			known, ok := sizes[label]
			switch d := v.shape[k]; {
			case !ok || known == Unknown() || known == Fixed(1):
				sizes[label] = d
			case known.Known() && d.Known() && known != d && d != Fixed(1):
				return fmt.Errorf("%w: %c is %v and %v in %q", ErrShape, label, known, d, equation)
			}
		}
	}
	if !explicit {
		for _, label := range slices.Sorted(maps.Keys(sizes)) {
			if strings.Count(left, string(label)) == 1 {
				result += string(label)
			}
		}
	}
	out.shape = Shape{}
	for _, label := range result {
		d, ok := sizes[label]
		if !ok {
			return fmt.Errorf("%w: %c of the result stands nowhere else in %q", ErrShape, label, equation)
		}
		out.shape = append(out.shape, d)
	}
	return nil
}
