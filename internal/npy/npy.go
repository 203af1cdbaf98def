package npy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FormatError says why bytes are no npy array that can be read here.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return "not an .npy array: " + e.Reason }

func wrong(format string, args ...any) error { return &FormatError{fmt.Sprintf(format, args...)} }

// The npy format, version 1 to 3 (numpy.lib.format): magic, version, header length, a Python dict
// literal, then the values.
const (
	magic     = "\x93NUMPY"
	maxHeader = 1 << 16
)

var (
	descrField   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	fortranField = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	shapeField   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9, ]*)\)`)
)

// Header is what stands before an array's values.
type Header struct {
	Kind    byte // 'f', 'b', 'u' or 'i'
	Size    int  // bytes of a value
	Order   binary.ByteOrder
	Fortran bool // the first axis runs fastest
	Shape   []int
}

// ReadHeader reads an array's start, up to its first value. Its errors are FormatErrors.
func ReadHeader(in io.Reader) (Header, error) {
	var start [8]byte
	if _, err := io.ReadFull(in, start[:]); err != nil || string(start[:6]) != magic {
		return Header{}, wrong("it does not start as one")
	}
	var length int
	switch start[6] {
	case 1:
		var b [2]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return Header{}, wrong("it ends in its header")
		}
		length = int(binary.LittleEndian.Uint16(b[:]))
	case 2, 3:
		var b [4]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return Header{}, wrong("it ends in its header")
		}
		length = int(min(binary.LittleEndian.Uint32(b[:]), maxHeader+1))
	default:
		return Header{}, wrong("format version %d is not known", start[6])
	}
	if length > maxHeader {
		return Header{}, wrong("a header of more than %d bytes", maxHeader)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(in, text); err != nil {
		return Header{}, wrong("it ends in its header")
	}
	return parseHeader(string(text))
}

func parseHeader(text string) (Header, error) {
	descr, fortran, shape := descrField.FindStringSubmatch(text), fortranField.FindStringSubmatch(text), shapeField.FindStringSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return Header{}, wrong("header %.80q gives no descr, fortran_order and shape", text)
	}
	h := Header{Fortran: fortran[1] == "True", Order: binary.LittleEndian}
	code := descr[1]
	if strings.HasPrefix(code, ">") {
		h.Order = binary.BigEndian
	}
	code = strings.TrimLeft(code, "<>|=")
	switch code {
	case "f2", "f4", "f8", "b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8":
		h.Kind, h.Size = code[0], int(code[1]-'0')
	default:
		return Header{}, wrong("values of type %q: want float32 (or float16, float64, bool, an integer)", descr[1])
	}
	for field := range strings.SplitSeq(shape[1], ",") {
		field = strings.TrimSpace(field)
		if field == "" {
			continue
		}
		n, err := strconv.Atoi(field)
		if err != nil || len(h.Shape) == 8 {
			return Header{}, wrong("shape (%.60s)", shape[1])
		}
		h.Shape = append(h.Shape, n)
	}
	return h, nil
}

// Value decodes one value of h.Size bytes.
func (h Header) Value(b []byte) float64 {
	var bits uint64
	switch h.Size {
	case 1:
		bits = uint64(b[0])
	case 2:
		bits = uint64(h.Order.Uint16(b))
	case 4:
		bits = uint64(h.Order.Uint32(b))
	case 8:
		bits = h.Order.Uint64(b)
	}
	switch {
	case h.Kind == 'f' && h.Size == 2:
		return halfFloat(uint16(bits))
	case h.Kind == 'f' && h.Size == 4:
		return float64(math.Float32frombits(uint32(bits)))
	case h.Kind == 'f':
		return math.Float64frombits(bits)
	case h.Kind == 'b':
		if bits != 0 {
			return 1
		}
		return 0
	case h.Kind == 'i':
		return float64(int64(bits<<(64-8*h.Size)) >> (64 - 8*h.Size)) // sign-extended
	}
	return float64(bits)
}

// halfFloat decodes IEEE 754 binary16.
func halfFloat(bits uint16) float64 {
	sign, exponent, fraction := 1.0, int(bits>>10&0x1f), float64(bits&0x3ff)
	if bits>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 0x1f:
		if fraction != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// Array is a whole array. Data holds its values in row-major order, little-endian, whatever the file had.
type Array struct {
	Name  string // in its archive, without .npy
	Kind  byte   // 'f', 'b', 'u' or 'i'
	Size  int    // bytes of a value
	Shape []int
	Data  []byte
}

// Values are the array's numbers, in row-major order.
func (a Array) Values() []float64 {
	h := Header{Kind: a.Kind, Size: a.Size, Order: binary.LittleEndian}
	values := make([]float64, len(a.Data)/a.Size)
	for i := range values {
		values[i] = h.Value(a.Data[i*a.Size : (i+1)*a.Size])
	}
	return values
}

// Read reads one array of at most limit bytes, and expects nothing after it.
func Read(r io.Reader, limit int64) (Array, error) {
	in := bufio.NewReader(r)
	h, err := ReadHeader(in)
	if err != nil {
		return Array{}, err
	}
	bytes, values := int64(h.Size), 1
	for _, n := range h.Shape {
		if n > 0 && bytes > limit/int64(n) {
			return Array{}, wrong("shape %v: at most %d bytes are read", h.Shape, limit)
		}
		bytes, values = bytes*int64(n), values*n
	}
	a := Array{Kind: h.Kind, Size: h.Size, Shape: h.Shape}
	if a.Data, err = readAll(in, bytes); err != nil {
		return Array{}, wrong("it ends before its %d values do", values)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return Array{}, wrong("more bytes than its %d values", values)
	}
	if h.Order == binary.BigEndian {
		for i := 0; i < len(a.Data); i += h.Size {
			slices.Reverse(a.Data[i : i+h.Size])
		}
	}
	if h.Fortran {
		a.Data = rowMajor(a.Data, h.Shape, h.Size)
	}
	return a, nil
}

// readAll reads exactly n bytes. Memory grows with what is there, not with what a header claims.
func readAll(r io.Reader, n int64) ([]byte, error) {
	var b bytes.Buffer
	if _, err := io.CopyN(&b, r, n); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// rowMajor reorders values whose first axis runs fastest.
func rowMajor(data []byte, shape []int, size int) []byte {
	out := make([]byte, 0, len(data))
	strides := make([]int, len(shape))
	step := size
	for i, n := range shape {
		strides[i] = step
		step *= n
	}
	at := make([]int, len(shape))
	for len(out) < len(data) {
		from := 0
		for i, k := range at {
			from += k * strides[i]
		}
		out = append(out, data[from:from+size]...)
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < shape[i] {
				break
			}
			at[i] = 0
		}
	}
	return out
}

// Write writes an array as numpy does.
func Write(w io.Writer, a Array) error {
	if err := WriteHeader(w, a.Kind, a.Size, a.Shape); err != nil {
		return err
	}
	_, err := w.Write(a.Data)
	return err
}

// WriteHeader writes what stands before an array's values, which the caller writes after it: in row-major order, little-endian.
func WriteHeader(w io.Writer, kind byte, size int, dims []int) error {
	order := byte('<')
	if size == 1 {
		order = '|'
	}
	return writeHeader(w, fmt.Sprintf("%c%c%d", order, kind, size), dims)
}

// WriteStrings writes an array of strings, one axis, of numpy's type U: as many UTF-32 characters each as the longest has. It is read
// without pickle; package npy itself reads numbers only.
func WriteStrings(w io.Writer, list []string) error {
	longest := 1
	for _, s := range list {
		longest = max(longest, utf8.RuneCountInString(s))
	}
	if err := writeHeader(w, fmt.Sprintf("<U%d", longest), []int{len(list)}); err != nil {
		return err
	}
	cell := make([]byte, 0, 4*longest)
	for _, s := range list {
		cell = cell[:0]
		for _, r := range s {
			cell = binary.LittleEndian.AppendUint32(cell, uint32(r))
		}
		if _, err := w.Write(append(cell, make([]byte, 4*longest-len(cell))...)); err != nil {
			return err
		}
	}
	return nil
}

func writeHeader(w io.Writer, descr string, dims []int) error {
	shape := make([]string, len(dims))
	for i, n := range dims {
		shape[i] = strconv.Itoa(n)
	}
	axes := strings.Join(shape, ", ")
	if len(shape) == 1 {
		axes += ","
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, axes)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n" // values begin at a multiple of 64
	start := append([]byte(magic), 1, 0)
	start = binary.LittleEndian.AppendUint16(start, uint16(len(header)))
	_, err := w.Write(append(start, header...))
	return err
}
