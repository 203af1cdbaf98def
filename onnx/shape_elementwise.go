package onnx

import (
	"fmt"
	"math"
)

// unary is the rule of operators whose output has the type and shape of their first input.
func unary(c *call) error {
	c.out[0].dtype, c.out[0].shape = c.in[0].dtype, c.in[0].shape
	return nil
}

// identity is unary for operators that pass on their input's elements.
func identity(c *call) error {
	*c.out[0] = *c.in[0]
	return nil
}

// unaryFunc is unary for operators that are computed on constants.
func unaryFunc(f func(float64) float64) func(c *call) error {
	return func(c *call) error {
		if err := unary(c); err != nil {
			return err
		}
		in := c.in[0]
		if reals := in.floats(); reals != nil {
			list := make([]float64, len(reals))
			for i, v := range reals {
				list[i] = f(v)
			}
			c.out[0].setFloats(list)
		}
		if ints, ok := in.int64s(); ok && in.dtype != Bool {
			list := make([]integer, len(ints))
			for i, v := range ints {
				list[i] = integer{v: int64(f(float64(v)))}
			}
			c.out[0].setInts(list)
		}
		return nil
	}
}

// dropout passes its input on; the optional second output is a mask of the same shape.
func dropout(c *call) error {
	if err := unary(c); err != nil {
		return err
	}
	if len(c.out) > 1 {
		c.out[1].dtype, c.out[1].shape = Bool, c.in[0].shape
	}
	return nil
}

func cast(c *call) error { return c.castTo(DataType(c.AttrInt("to", 0))) }

// castLike casts to the type of its second input.
func castLike(c *call) error {
	like, err := c.need(1)
	if err != nil {
		return err
	}
	return c.castTo(like.dtype)
}

func (c *call) castTo(to DataType) error {
	in, out := c.in[0], c.out[0]
	out.dtype, out.shape = to, in.shape
	switch {
	case in.ints() != nil && to.IsFloat():
		ints, ok := in.int64s()
		if !ok {
			return nil
		}
		list := make([]float64, len(ints))
		for i, v := range ints {
			list[i] = float64(v)
		}
		out.setFloats(list)
	case in.ints() != nil:
		out.wholes = in.ints()
	case in.floats() != nil && to.IsFloat():
		out.reals = in.floats()
	case in.floats() != nil:
		list := make([]integer, len(in.floats()))
		for i, v := range in.floats() {
			list[i] = integer{v: int64(v)}
		}
		out.setInts(list)
	}
	return nil
}

// arithmetic is the rule of operators that broadcast their inputs against each other. integer and float compute constants; nil:
// they are not computed.
func arithmetic(integers func(a, b integer) integer, floats func(a, b float64) float64) func(c *call) error {
	return func(c *call) error {
		b, err := c.need(1)
		if err != nil {
			return err
		}
		a, out := c.in[0], c.out[0]
		out.dtype = a.dtype
		if out.shape, err = broadcast(a.shape, b.shape); err != nil {
			return err
		}
		switch {
		case !a.known() || !b.known():
		case a.ints() != nil && b.ints() != nil && integers != nil:
			left, right, list := a.ints(), b.ints(), []integer(nil)
			zip(out, a, b, func(i, j int) { list = append(list, integers(left[i], right[j])) })
			out.setInts(list)
		case a.floats() != nil && b.floats() != nil && floats != nil:
			left, right, list := a.floats(), b.floats(), []float64(nil)
			zip(out, a, b, func(i, j int) { list = append(list, floats(left[i], right[j])) })
			out.setFloats(list)
		}
		return nil
	}
}

// zip walks two broadcast constants.
func zip(out, a, b *value, visit func(i, j int)) {
	n, ok := out.shape.elements()
	if !ok || n == 0 {
		return
	}
	var is, js []int
	collect := func(from *value, to *[]int) {
		index := &value{shape: out.shape}
		strides := from.shape.strides()
		order := &value{wholes: make([]integer, max(len(from.ints()), len(from.floats())))}
		for i := range order.wholes {
			order.wholes[i] = integer{v: int64(i)}
		}
		index.gatherElements(order, func(position []int64) int {
			flat := int64(0)
			for k := range from.shape {
				if from.shape[k].Size != 1 {
					flat += position[k+len(position)-len(from.shape)] * strides[k]
				}
			}
			return int(flat)
		})
		for _, e := range index.ints() {
			*to = append(*to, int(e.v))
		}
	}
	collect(a, &is)
	collect(b, &js)
	for k := range is {
		visit(is[k], js[k])
	}
}

func addIntegers(a, b integer) integer {
	switch {
	case a.fixed() && b.fixed():
		return sum(a.v, b.v)
	case a.fixed() && a.v == 0:
		return b
	case b.fixed() && b.v == 0:
		return a
	}
	return integer{unknown: true}
}

// sum is a + b, unknown where that is no int64.
func sum(a, b int64) integer {
	if s := a + b; (s > a) == (b > 0) {
		return integer{v: s}
	}
	return integer{unknown: true}
}

func subIntegers(a, b integer) integer {
	switch {
	case a.fixed() && b.fixed():
		if b.v == math.MinInt64 { // has no negative
			return integer{unknown: true}
		}
		return sum(a.v, -b.v)
	case b.fixed() && b.v == 0:
		return a
	case a.name != "" && a == b:
		return integer{}
	}
	return integer{unknown: true}
}

func mulIntegers(a, b integer) integer {
	switch {
	case a.fixed() && b.fixed():
		p := a.v * b.v
		if a.v != 0 && (p/a.v != b.v || a.v == -1 && b.v == math.MinInt64) { // ran over
			return integer{unknown: true}
		}
		return integer{v: p}
	case b.fixed() && a.name != "":
		a, b = b, a
	}
	if a.fixed() && a.v > 0 && b.name != "" {
		if name := multiple(a.v, b.name); name != "" {
			return integer{name: name}
		}
	}
	return integer{unknown: true}
}

func divIntegers(a, b integer) integer {
	switch {
	case b.fixed() && b.v == 0:
		return integer{unknown: true}
	case a.fixed() && b.fixed():
		return integer{v: a.v / b.v}
	case b.fixed() && b.v == 1:
		return a
	case a.name != "" && a == b:
		return integer{v: 1}
	case a.name != "" && b.fixed() && b.v > 1:
		if n, name := factors(a.name); n%b.v == 0 {
			return integer{name: multiple(n/b.v, name)}
		}
	}
	return integer{unknown: true}
}

// numbers applies f to two elements if both are known.
func numbers(f func(a, b int64) int64) func(a, b integer) integer {
	return func(a, b integer) integer {
		if a.fixed() && b.fixed() {
			return integer{v: f(a.v, b.v)}
		}
		return integer{unknown: true}
	}
}

// compare is arithmetic for operators that give booleans.
func compare(f func(a, b int64) bool) func(c *call) error {
	both := numbers(func(a, b int64) int64 {
		if f(a, b) {
			return 1
		}
		return 0
	})
	rule := arithmetic(func(a, b integer) integer {
		if a.name != "" && b.fixed() && b.v < 0 { // no size is negative: any would compare alike
			a = integer{}
		}
		if b.name != "" && a.fixed() && a.v < 0 {
			b = integer{}
		}
		return both(a, b)
	}, nil)
	return func(c *call) error {
		err := rule(c)
		c.out[0].dtype = Bool
		return err
	}
}

// variadic is the rule of Sum, Mean, Min and Max.
func variadic(c *call) error {
	out := c.out[0]
	out.dtype, out.shape = c.in[0].dtype, c.in[0].shape
	for i := 1; i < len(c.in); i++ {
		v, err := c.need(i)
		if err != nil {
			return err
		}
		if out.shape, err = broadcast(out.shape, v.shape); err != nil {
			return err
		}
	}
	return nil
}

func where(c *call) error {
	a, err := c.need(1)
	if err != nil {
		return err
	}
	b, err := c.need(2)
	if err != nil {
		return err
	}
	condition, out := c.in[0], c.out[0]
	out.dtype = a.dtype
	if out.shape, err = broadcast(a.shape, b.shape); err != nil {
		return err
	}
	if out.shape, err = broadcast(out.shape, condition.shape); err != nil {
		return err
	}
	n, ok := out.shape.elements()
	if ok && len(condition.ints()) == n && len(a.ints()) == n && len(b.ints()) == n {
		var list []integer
		for i, e := range condition.ints() {
			switch {
			case !e.fixed():
				list = append(list, integer{unknown: true})
			case e.v != 0:
				list = append(list, a.ints()[i])
			default:
				list = append(list, b.ints()[i])
			}
		}
		out.setInts(list)
	}
	return nil
}

// broadcast is the shape of two values combined elementwise, as numpy has it.
func broadcast(a, b Shape) (Shape, error) {
	if a == nil || b == nil {
		return nil, nil
	}
	if len(a) < len(b) {
		a, b = b, a
	}
	out := make(Shape, len(a))
	copy(out, a)
	for i := range b {
		k := i + len(a) - len(b)
		d, err := broadcastDim(a[k], b[i])
		if err != nil {
			return nil, fmt.Errorf("%w: %v against %v", err, a, b)
		}
		out[k] = d
	}
	return out, nil
}

func broadcastDim(a, b Dim) (Dim, error) {
	one := Fixed(1)
	switch {
	case a == b, b == one:
		return a, nil
	case a == one:
		return b, nil
	case a.Known() && b.Known():
		return Dim{}, ErrShape
	case a.Known() && b.Name == BatchName, b.Known() && a.Name == BatchName:
		return Dim{}, fmt.Errorf("%w: a fixed size stands against the batch", ErrShape)
	case a.Known():
		return a, nil
	case b.Known():
		return b, nil
	}
	return Unknown(), nil
}

func pow(a, b integer) integer {
	return numbers(func(a, b int64) int64 { return int64(math.Pow(float64(a), float64(b))) })(a, b)
}
