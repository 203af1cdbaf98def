package onnx

import (
	"encoding/binary"
	"math"
	"slices"
)

// value is what inference knows of one value of the graph.
type value struct {
	dtype  DataType
	shape  Shape
	tensor *Tensor // an initializer or attribute, as it stands in the file
	inf    *inference

	undecoded bool      // wholes or reals are in tensor
	wholes    []integer // elements of an integer or boolean value; nil: not known
	reals     []float64 // elements of a floating-point value; nil: not known
}

// ints are the elements of an integer or boolean value; nil: not known.
func (v *value) ints() []integer { v.decode(); return v.wholes }

// floats are the elements of a floating-point value; nil: not known.
func (v *value) floats() []float64 { v.decode(); return v.reals }

// known reports whether something is known of the elements, without decoding them.
func (v *value) known() bool { return v.undecoded || v.wholes != nil || v.reals != nil }

func (v *value) setInts(list []integer) {
	v.wholes = list
	v.inf.fold(len(list))
}

func (v *value) setFloats(list []float64) {
	v.reals = list
	v.inf.fold(len(list))
}

// integer is an element of a value that shapes are computed from: a number, the size of a symbolic axis, or unknown.
type integer struct {
	v       int64
	name    string
	unknown bool
}

func (e integer) fixed() bool { return e.name == "" && !e.unknown }

func integerOf(d Dim) integer {
	return integer{v: max(d.Size, 0), name: d.Name, unknown: d.Name == "" && d.Size < 0}
}

// dim is the axis whose size is e; a negative number is no size.
func (e integer) dim() Dim {
	switch {
	case e.name != "":
		return Dim{Name: e.name}
	case e.unknown || e.v < 0:
		return Unknown()
	}
	return Fixed(e.v)
}

// valueOf describes a constant of the file; small ones are decoded when a rule looks at their elements.
func (inf *inference) valueOf(t *Tensor) *value {
	v := &value{dtype: t.Type, shape: ShapeOf(t.Dims...), tensor: t, inf: inf}
	if v.shape == nil {
		v.shape = Shape{}
	}
	n, err := t.Elements()
	v.undecoded = err == nil && n <= maxConstant
	return v
}

func (v *value) decode() {
	if !v.undecoded {
		return
	}
	v.undecoded = false
	t := v.tensor
	n, err := t.Elements()
	if err != nil {
		return
	}
	if t.Type.IsFloat() {
		if t.Type == Double && int64(len(t.Raw)) == 8*n {
			v.setFloats(decode(t.Raw, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }))
		} else if floats, err := t.Float32s(); err == nil {
			list := make([]float64, len(floats))
			for i, f := range floats {
				list[i] = float64(f)
			}
			v.setFloats(list)
		}
	} else if ints, err := t.Int64s(); err == nil {
		list := make([]integer, len(ints))
		for i, x := range ints {
			list[i] = integer{v: x}
		}
		v.setInts(list)
	}
}

// constant reports whether every element is known as a number.
func (v *value) constant() bool {
	if v.tensor != nil || v.floats() != nil {
		return true
	}
	return v.ints() != nil && !slices.ContainsFunc(v.ints(), func(e integer) bool { return !e.fixed() })
}

// int64s are the elements of an integer value, with ok false where one is not a known number.
func (v *value) int64s() (list []int64, ok bool) {
	if v.ints() == nil {
		return nil, false
	}
	list = make([]int64, len(v.ints()))
	for i, e := range v.ints() {
		if !e.fixed() {
			return nil, false
		}
		list[i] = e.v
	}
	return list, true
}

// asTensor is the value's content under a name; nil where it is not known.
func (v *value) asTensor(name string) *Tensor {
	if v.tensor != nil {
		t := v.tensor.Clone()
		t.Name = name
		return t
	}
	dims, ok := v.shape.Sizes()
	if !ok || !v.constant() {
		return nil
	}
	t := &Tensor{Name: name, Type: v.dtype, Dims: dims, Raw: []byte{}}
	for _, e := range v.ints() {
		switch v.dtype {
		case Int64:
			t.Raw = binary.LittleEndian.AppendUint64(t.Raw, uint64(e.v))
		case Int32:
			t.Raw = binary.LittleEndian.AppendUint32(t.Raw, uint32(e.v))
		case Bool, Int8, Uint8:
			t.Raw = append(t.Raw, byte(e.v))
		default:
			return nil
		}
	}
	for _, f := range v.floats() {
		switch v.dtype {
		case Float:
			t.Raw = binary.LittleEndian.AppendUint32(t.Raw, math.Float32bits(float32(f)))
		case Double:
			t.Raw = binary.LittleEndian.AppendUint64(t.Raw, math.Float64bits(f))
		default:
			return nil
		}
	}
	if t.check() != nil {
		return nil
	}
	return t
}

// copyElements copies what is known of another value's elements, for operators that only change the shape.
func (v *value) copyElements(from *value) {
	if n, ok := v.shape.elements(); ok && n == max(len(from.ints()), len(from.floats())) {
		v.wholes, v.reals = from.ints(), from.floats()
	}
	if from.tensor != nil && v.ints() == nil && v.floats() == nil {
		if dims, ok := v.shape.Sizes(); ok {
			t := from.tensor.Clone()
			t.Dims = dims
			v.tensor = t
		}
	}
}

// elements is the number of elements, with ok false where it is not known or beyond maxConstant.
func (s Shape) elements() (n int, ok bool) {
	sizes, ok := s.Sizes()
	if !ok {
		return 0, false
	}
	total, ok := Product(sizes...)
	return int(total), ok && total <= maxConstant
}

// gatherElements fills v (whose shape is set) with elements of from, where source gives the flat index in
// from of the element at a position of v.
func (v *value) gatherElements(from *value, source func(position []int64) int) {
	n, ok := v.shape.elements()
	if !ok || from.ints() == nil && from.floats() == nil {
		return
	}
	sizes, _ := v.shape.Sizes()
	ints, floats := from.ints(), from.floats()
	if ints != nil {
		v.wholes = make([]integer, 0, n)
	} else {
		v.reals = make([]float64, 0, n)
	}
	v.inf.fold(n)
	position := make([]int64, len(sizes))
	for range n {
		i := source(position)
		if ints != nil {
			v.wholes = append(v.wholes, ints[i])
		} else {
			v.reals = append(v.reals, floats[i])
		}
		for a := len(position) - 1; a >= 0; a-- {
			if position[a]++; position[a] < sizes[a] {
				break
			}
			position[a] = 0
		}
	}
}

// strides are the row-major strides of a fully known shape that is bounded.
func (s Shape) strides() []int64 {
	strides := make([]int64, len(s))
	step := int64(1)
	for i := len(s) - 1; i >= 0; i-- {
		strides[i] = step
		step *= s[i].Size
	}
	return strides
}

// declaredAs fills in what inference does not know with the shape that the file declares. Of the first axis it takes only the
// name of the batch (nameBatch), since a declared size may be that of another batch.
func (v *value) declaredAs(d *ValueInfo) *value {
	if d == nil {
		return v
	}
	if v.dtype == 0 {
		v.dtype = d.Type
	}
	if v.shape == nil && d.Shape != nil {
		v.shape = slices.Clone(d.Shape)
		return v
	}
	if len(v.shape) != len(d.Shape) {
		return v
	}
	for i := range v.shape {
		if v.shape[i] == Unknown() && d.Shape[i] != Unknown() && (i > 0 || d.Shape[i] == Batch()) {
			v.shape = slices.Clone(v.shape)
			v.shape[i] = d.Shape[i]
		}
	}
	return v
}
