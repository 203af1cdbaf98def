package onnx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// product is a number of elements: coefficient × the sizes of symbolic axes. With an unknown axis it is unknown.
type product struct {
	coefficient int64
	names       []string
	unknown     bool
}

func (s Shape) product() product {
	p := product{coefficient: 1, unknown: s == nil}
	for _, d := range s {
		p.multiply(d)
	}
	return p
}

func (p *product) multiply(d Dim) {
	switch {
	case d.Name != "":
		times, name := factors(d.Name)
		p.names = append(p.names, name)
		p.multiply(Fixed(times))
	case d.Size < 0:
		p.unknown = true
	default:
		if n, ok := Product(p.coefficient, d.Size); ok {
			p.coefficient = n
		} else {
			p.unknown = true
		}
	}
}

// multiple is the name of an axis n times as long as a symbolic one, as heads of attention and windows fold into the batch: 2·N.
func multiple(n int64, name string) string {
	before, name := factors(name)
	all, ok := Product(n, before)
	switch {
	case !ok || all < 1:
		return ""
	case all == 1:
		return name
	}
	return strconv.FormatInt(all, 10) + "·" + name
}

// factors takes such a name apart.
func factors(name string) (n int64, of string) {
	if number, of, found := strings.Cut(name, "·"); found {
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && n > 1 && n <= MaxElements {
			return n, of
		}
	}
	return 1, name
}

// over is the axis of size p/q, where it is one number, or a multiple of one symbolic axis.
func (p product) over(q product) Dim {
	if p.unknown || q.unknown || q.coefficient == 0 || p.coefficient%q.coefficient != 0 {
		return Unknown()
	}
	names := slices.Clone(p.names)
	for _, name := range q.names {
		i := slices.Index(names, name)
		if i < 0 {
			return Unknown()
		}
		names = slices.Delete(names, i, i+1)
	}
	ratio := p.coefficient / q.coefficient
	switch {
	case len(names) == 0:
		return Fixed(ratio)
	case len(names) == 1 && multiple(ratio, names[0]) != "":
		return Dim{Name: multiple(ratio, names[0])}
	}
	return Unknown()
}

// contradicts reports whether p and q cannot be equal for all symbolic sizes. A symbol on one side only is a contradiction, since
// the two differ for some batch size.
func (p product) contradicts(q product) bool {
	if p.unknown || q.unknown {
		return false
	}
	a, b := slices.Sorted(slices.Values(p.names)), slices.Sorted(slices.Values(q.names))
	return p.coefficient != q.coefficient || !slices.Equal(a, b)
}

func flatten(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	if x.shape == nil {
		out.shape = Shape{Unknown(), Unknown()}
		return nil
	}
	at := c.AttrInt("axis", 1)
	if at < 0 {
		at += int64(len(x.shape))
	}
	if at < 0 || at > int64(len(x.shape)) {
		return fmt.Errorf("%w: axis %d of %v", ErrShape, at, x.shape)
	}
	one := product{coefficient: 1}
	out.shape = Shape{x.shape[:at].orScalar().product().over(one), x.shape[at:].orScalar().product().over(one)}
	return nil
}

// orScalar makes an empty part of a shape count as one element.
func (s Shape) orScalar() Shape {
	if s == nil {
		return Shape{}
	}
	return s
}

func reshape(c *call) error {
	x, out := c.in[0], c.out[0]
	target, err := c.need(1)
	if err != nil {
		return err
	}
	out.dtype = x.dtype
	if target.ints() == nil {
		if len(target.shape) == 1 && target.shape[0].Known() && target.shape[0].Size <= maxRank {
			out.shape = slices.Repeat(Shape{Unknown()}, int(target.shape[0].Size))
		}
		return nil
	}
	open := -1
	if len(target.ints()) > maxRank {
		return fmt.Errorf("%w: %d axes, at most %d are read", ErrLimit, len(target.ints()), maxRank)
	}
	out.shape = Shape{}
	for i, e := range target.ints() {
		d := e.dim()
		switch {
		case e.fixed() && e.v == -1:
			if open >= 0 {
				return fmt.Errorf("%w: two axes of size -1", ErrShape)
			}
			open = i
		case e.fixed() && e.v < 0:
			return fmt.Errorf("%w: an axis of size %d", ErrShape, e.v)
		case e.fixed() && e.v == 0 && c.AttrInt("allowzero", 0) == 0:
			if d = Unknown(); x.shape != nil {
				if i >= len(x.shape) {
					return fmt.Errorf("%w: axis %d copied from %v", ErrShape, i, x.shape)
				}
				d = x.shape[i]
			}
		}
		out.shape = append(out.shape, d)
	}
	whole := x.shape.product()
	if open >= 0 {
		rest := product{coefficient: 1}
		for i, d := range out.shape {
			if i != open {
				rest.multiply(d)
			}
		}
		out.shape[open] = whole.over(rest)
		if !whole.unknown && !rest.unknown && rest.coefficient > 0 && whole.coefficient%rest.coefficient != 0 && len(whole.names) == 0 {
			return fmt.Errorf("%w: %v into %v", ErrShape, x.shape, out.shape)
		}
	} else if whole.contradicts(out.shape.product()) {
		return fmt.Errorf("%w: %v into %v", ErrShape, x.shape, out.shape)
	}
	if x.constant() || x.ints() != nil {
		out.copyElements(x)
	}
	return nil
}

func transpose(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	if x.shape == nil {
		return nil
	}
	perm := c.AttrInts("perm")
	if perm == nil {
		for i := range x.shape {
			perm = append(perm, int64(len(x.shape)-1-i))
		}
	}
	set, err := axes(perm, len(x.shape))
	if err != nil || len(perm) != len(x.shape) || len(set) != len(perm) || len(perm) > 0 && slices.Min(perm) < 0 {
		return fmt.Errorf("%w: perm %v of %v", ErrShape, perm, x.shape)
	}
	out.shape = make(Shape, len(perm))
	for i, p := range perm {
		out.shape[i] = x.shape[p]
	}
	if x.ints() != nil || x.floats() != nil {
		strides := x.shape.strides()
		out.gatherElements(x, func(position []int64) int {
			flat := int64(0)
			for i, p := range perm {
				flat += position[i] * strides[p]
			}
			return int(flat)
		})
	}
	return nil
}

func squeeze(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	list, _, known := c.ints("axes", 1)
	given := len(list) > 0
	if x.shape == nil || !known {
		return nil
	}
	if !given && slices.ContainsFunc(x.shape, func(d Dim) bool { return !d.Known() }) {
		return nil // every axis that happens to be 1 goes: a batch of one loses its batch axis
	}
	set, err := axes(list, len(x.shape))
	if err != nil {
		return err
	}
	out.shape = Shape{}
	for i, d := range x.shape {
		switch {
		case given && set[i]:
			if d.Known() && d.Size != 1 {
				return fmt.Errorf("%w: axis %d of %v is not 1", ErrShape, i, x.shape)
			}
		case given || d != Fixed(1):
			out.shape = append(out.shape, d)
		}
	}
	out.copyElements(x)
	return nil
}

func unsqueeze(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	list, _, known := c.ints("axes", 1)
	if x.shape == nil || !known {
		return nil
	}
	rank := len(x.shape) + len(list)
	if rank > maxRank {
		return fmt.Errorf("%w: %d axes, at most %d are read", ErrLimit, rank, maxRank)
	}
	set, err := axes(list, rank)
	if err != nil {
		return err
	}
	if len(set) != len(list) {
		return fmt.Errorf("%w: axes %v name one twice", ErrShape, list)
	}
	rest := x.shape
	out.shape = make(Shape, 0, rank)
	for i := range rank {
		if set[i] {
			out.shape = append(out.shape, Fixed(1))
		} else {
			out.shape = append(out.shape, rest[0])
			rest = rest[1:]
		}
	}
	out.copyElements(x)
	return nil
}

func concat(c *call) error {
	out := c.out[0]
	out.dtype = c.in[0].dtype
	first := c.in[0].shape
	if first == nil {
		return nil
	}
	at, err := axis(c.AttrInt("axis", 0), len(first))
	if err != nil {
		return err
	}
	shape := slices.Clone(first)
	followed := len(first) == 1
	var ints []integer // at most maxConstant
	for i := range c.in {
		v, err := c.need(i)
		if err != nil {
			return err
		}
		if v.shape == nil {
			return nil
		}
		if len(v.shape) != len(shape) {
			return fmt.Errorf("%w: %v beside %v", ErrShape, v.shape, first)
		}
		if followed = followed && v.ints() != nil && len(ints)+len(v.ints()) <= maxConstant; followed {
			ints = append(ints, v.ints()...)
		}
		for k, d := range v.shape {
			switch {
			case k == at && i > 0:
				shape[k] = addIntegers(integerOf(shape[k]), integerOf(d)).dim()
			case k != at && shape[k].Known() && d.Known() && shape[k] != d:
				return fmt.Errorf("%w: %v beside %v along axis %d", ErrShape, v.shape, first, at)
			case k != at && !shape[k].Known() && d.Known():
				shape[k] = d
			}
		}
	}
	out.shape = shape
	if followed {
		out.setInts(ints)
	}
	return nil
}

func split(c *call) error {
	x := c.in[0]
	for _, out := range c.out {
		out.dtype = x.dtype
	}
	if x.shape == nil {
		return nil
	}
	at, err := axis(c.AttrInt("axis", 0), len(x.shape))
	if err != nil {
		return err
	}
	sizes, given, known := c.ints("split", 1)
	n := int64(len(c.out))
	if given && known && int64(len(sizes)) != n {
		return fmt.Errorf("%w: split %v into %d outputs", ErrShape, sizes, n)
	}
	for i, out := range c.out {
		out.shape = slices.Clone(x.shape)
		d := x.shape[at]
		switch {
		case given && known:
			out.shape[at] = Fixed(sizes[i])
		case given || !d.Known():
			out.shape[at] = Unknown()
		default: // equal parts; the last one is smaller if the size is no multiple
			part := (d.Size + n - 1) / n
			out.shape[at] = Fixed(max(0, min(part, d.Size-part*int64(i))))
		}
	}
	return nil
}
