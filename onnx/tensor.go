package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrType says that a tensor does not hold elements of the wanted kind.
var ErrType = errors.New("tensor is of another type")

// ErrSize says that a tensor's bytes do not fill its dims.
var ErrSize = errors.New("tensor's data does not fill its shape")

// Size is the number of bytes of one element; 0 where elements have no fixed size in whole bytes
// (strings, 4-bit integers) or the type is not known here.
func (t DataType) Size() int {
	switch t {
	case Uint8, Int8, Bool:
		return 1
	case Uint16, Int16, Float16, BFloat16:
		return 2
	case Float, Int32, uint32Type:
		return 4
	case Int64, Double, uint64Type, complex64Type:
		return 8
	case complex128Type:
		return 16
	}
	return 0
}

// Types that are only passed through, never decoded.
const (
	uint32Type     DataType = 12
	uint64Type     DataType = 13
	complex64Type  DataType = 14
	complex128Type DataType = 15
)

var typeNames = map[DataType]string{
	Float: "float32", Uint8: "uint8", Int8: "int8", Uint16: "uint16", Int16: "int16", Int32: "int32", Int64: "int64",
	String: "string", Bool: "bool", Float16: "float16", Double: "float64", BFloat16: "bfloat16", uint32Type: "uint32", uint64Type: "uint64",
	complex64Type: "complex64", complex128Type: "complex128",
}

// String is the type's usual name, such as "float32".
func (t DataType) String() string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("type %d", int32(t))
}

// IsFloat reports whether elements are floating-point numbers.
func (t DataType) IsFloat() bool {
	return t == Float || t == Double || t == Float16 || t == BFloat16
}

// Elements is the product of the dims: 1 for a scalar. It fails on a negative dim or a product beyond
// what a file can hold.
func (t *Tensor) Elements() (int64, error) {
	n := int64(1)
	empty := false
	for _, d := range t.Dims {
		switch {
		case d < 0:
			return 0, fmt.Errorf("tensor %q: %w: negative dimension in %v", t.Name, ErrSize, t.Dims)
		case d == 0:
			empty = true
		case n > math.MaxInt32*16/d: // 2 GiB of any type that a file may hold, with room
			return 0, fmt.Errorf("tensor %q: %w: %v is too large", t.Name, ErrSize, t.Dims)
		default:
			n *= d
		}
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// check refuses a tensor whose bytes do not fill its dims.
func (t *Tensor) check() error {
	n, err := t.Elements()
	if err != nil {
		return err
	}
	if size := int64(t.Type.Size()); size > 0 && int64(len(t.Raw)) != n*size {
		return fmt.Errorf("tensor %q: %w: %d bytes for %d elements of %v %v", t.Name, ErrSize, len(t.Raw), n, t.Type, t.Dims)
	}
	return nil
}

// Float32s decodes the elements of a floating-point tensor, in row-major order, into a new slice.
func (t *Tensor) Float32s() ([]float32, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	switch t.Type {
	case Float:
		return decode(t.Raw, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }), nil
	case Double:
		return decode(t.Raw, 8, func(b []byte) float32 {
			return float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}), nil
	case Float16:
		return decode(t.Raw, 2, func(b []byte) float32 { return halfToFloat(binary.LittleEndian.Uint16(b)) }), nil
	case BFloat16:
		return decode(t.Raw, 2, func(b []byte) float32 {
			return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16)
		}), nil
	}
	return nil, fmt.Errorf("tensor %q: %w: %v, want floating-point numbers", t.Name, ErrType, t.Type)
}

// Int64s decodes the elements of an integer or boolean tensor, in row-major order, into a new slice.
func (t *Tensor) Int64s() ([]int64, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	switch t.Type {
	case Int64:
		return decode(t.Raw, 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }), nil
	case Int32:
		return decode(t.Raw, 4, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }), nil
	case Int16:
		return decode(t.Raw, 2, func(b []byte) int64 { return int64(int16(binary.LittleEndian.Uint16(b))) }), nil
	case Uint16:
		return decode(t.Raw, 2, func(b []byte) int64 { return int64(binary.LittleEndian.Uint16(b)) }), nil
	case Int8:
		return decode(t.Raw, 1, func(b []byte) int64 { return int64(int8(b[0])) }), nil
	case Uint8, Bool:
		return decode(t.Raw, 1, func(b []byte) int64 { return int64(b[0]) }), nil
	}
	return nil, fmt.Errorf("tensor %q: %w: %v, want integers", t.Name, ErrType, t.Type)
}

func decode[T any](raw []byte, size int, one func([]byte) T) []T {
	out := make([]T, len(raw)/size)
	for i := range out {
		out[i] = one(raw[i*size : i*size+size])
	}
	return out
}

// halfToFloat widens an IEEE 754 binary16 number; every one has an exact float32.
func halfToFloat(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent := uint32(h >> 10 & 0x1f)
	fraction := uint32(h & 0x3ff)
	switch {
	case exponent == 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	case exponent != 0:
		return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
	}
	v := float32(fraction) / (1 << 24) // subnormal: fraction · 2⁻²⁴
	if sign != 0 {
		v = -v
	}
	return v
}
