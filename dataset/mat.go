package dataset

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
)

// ErrMAT is returned for a file that is not a MATLAB 5 file, or is in a form that is not read.
var ErrMAT = errors.New("not a MATLAB file of level 5")

// Bounds of a MATLAB file: its bytes on disk and unpacked, how deeply cells and structures are nested, and how many values it has.
const (
	maxMAT      = 256 << 20
	maxMATDepth = 8
	maxMATParts = 2_000_000
)

// matrix is one array of a MATLAB file: numbers or text by columns, the cells of a list, or the fields of structures.
type matrix struct {
	name    string
	shape   []int
	numbers []float64
	cells   []*matrix
	fields  map[string][]*matrix // by name; each has one value for every structure
	text    string
}

// matReader reads the parts of a file within its bounds.
type matReader struct {
	order binary.ByteOrder
	left  int // bytes that may still be unpacked
	parts int
}

// readMAT reads the arrays of a MATLAB 5 file (MATLAB's MAT-File Format, level 5; save -v6 and -v7).
func readMAT(r io.Reader) ([]*matrix, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxMAT+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxMAT {
		return nil, fmt.Errorf("%w: larger than %d MiB", ErrMAT, maxMAT>>20)
	}
	if len(data) < 128 {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrMAT, len(data))
	}
	m := &matReader{left: maxMAT}
	switch string(data[126:128]) {
	case "IM":
		m.order = binary.LittleEndian
	case "MI":
		m.order = binary.BigEndian
	default:
		return nil, fmt.Errorf("%w: save it with -v7, not as an HDF5 file (-v7.3)", ErrMAT)
	}
	return m.all(data[128:], 0)
}

// The types of data elements that are read.
const (
	miINT8       = 1
	miUINT8      = 2
	miINT16      = 3
	miUINT16     = 4
	miINT32      = 5
	miUINT32     = 6
	miSINGLE     = 7
	miDOUBLE     = 9
	miINT64      = 12
	miUINT64     = 13
	miMATRIX     = 14
	miCOMPRESSED = 15
	miUTF8       = 16
	miUTF16      = 17
)

// element reads one data element from the front of data.
func (m *matReader) element(data []byte) (kind int, body, rest []byte, err error) {
	if m.parts++; m.parts > maxMATParts {
		return 0, nil, nil, fmt.Errorf("%w: more than %d parts", ErrMAT, maxMATParts)
	}
	if len(data) < 8 {
		return 0, nil, nil, fmt.Errorf("%w: it ends too early", ErrMAT)
	}
	word := m.order.Uint32(data)
	if small := int(word >> 16); small != 0 { // up to four bytes within the tag
		if small > 4 {
			return 0, nil, nil, fmt.Errorf("%w: a small element of %d bytes", ErrMAT, small)
		}
		return int(word & 0xffff), data[4 : 4+small], data[8:], nil
	}
	n := int64(m.order.Uint32(data[4:]))
	if n > int64(len(data)-8) {
		return 0, nil, nil, fmt.Errorf("%w: it ends too early", ErrMAT)
	}
	end := 8 + int(n)
	body = data[8:end]
	if kind = int(word); kind != miCOMPRESSED {
		end = min((end+7)&^7, len(data))
	}
	return kind, body, data[end:], nil
}

// all reads arrays until the data ends.
func (m *matReader) all(data []byte, depth int) ([]*matrix, error) {
	var out []*matrix
	for len(data) >= 8 {
		kind, body, rest, err := m.element(data)
		if err != nil {
			return nil, err
		}
		data = rest
		switch kind {
		case miCOMPRESSED:
			if depth > 0 {
				return nil, fmt.Errorf("%w: packed twice", ErrMAT)
			}
			unpacked, err := m.unpack(body)
			if err != nil {
				return nil, err
			}
			inner, err := m.all(unpacked, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
		case miMATRIX:
			a, err := m.matrix(body, 0)
			if err != nil {
				return nil, err
			}
			out = append(out, a)
		default:
			return nil, fmt.Errorf("%w: an element of kind %d", ErrMAT, kind)
		}
	}
	return out, nil
}

func (m *matReader) unpack(body []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMAT, err)
	}
	out, err := io.ReadAll(io.LimitReader(z, int64(m.left)+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMAT, err)
	}
	if m.left -= len(out); m.left < 0 {
		return nil, fmt.Errorf("%w: larger than %d MiB when unpacked", ErrMAT, maxMAT>>20)
	}
	return out, nil
}

// The classes of arrays.
const (
	mxCELL   = 1
	mxSTRUCT = 2
	mxCHAR   = 4
	mxDOUBLE = 6
	mxUINT64 = 15
)

// matrix reads the body of an array. An array of another class than numbers, text, cells or structures is returned without content.
func (m *matReader) matrix(body []byte, depth int) (*matrix, error) {
	if depth > maxMATDepth {
		return nil, fmt.Errorf("%w: deeper than %d", ErrMAT, maxMATDepth)
	}
	out := &matrix{}
	if len(body) == 0 { // an empty cell
		return out, nil
	}
	_, flags, rest, err := m.element(body)
	if err != nil {
		return nil, err
	}
	if len(flags) < 4 {
		return nil, fmt.Errorf("%w: an array without flags", ErrMAT)
	}
	class := m.order.Uint32(flags) & 0xff
	kind, dims, rest, err := m.element(rest)
	if err != nil {
		return nil, err
	}
	count := 1
	for _, v := range m.numbers(kind, dims) {
		if v < 0 || v > maxMAT || count > 0 && v > float64(maxMAT/count) {
			return nil, fmt.Errorf("%w: an array of an impossible size", ErrMAT)
		}
		out.shape = append(out.shape, int(v))
		count *= int(v)
	}
	if len(out.shape) < 2 || len(out.shape) > 8 {
		return nil, fmt.Errorf("%w: an array of %d dimensions", ErrMAT, len(out.shape))
	}
	_, name, rest, err := m.element(rest)
	if err != nil {
		return nil, err
	}
	out.name = string(name)
	switch {
	case class == mxCELL:
		for range count {
			cell, after, err := m.child(rest, depth)
			if err != nil {
				return nil, err
			}
			out.cells, rest = append(out.cells, cell), after
		}
	case class == mxSTRUCT:
		return out, m.structure(out, rest, count, depth)
	case class == mxCHAR, class >= mxDOUBLE && class <= mxUINT64:
		kind, body, _, err := m.element(rest)
		if err != nil {
			return nil, err
		}
		if class == mxCHAR {
			out.text = m.characters(kind, body)
			return out, nil
		}
		if m.left -= 8 * len(body); m.left < 0 { // each number takes eight bytes, however it was packed
			return nil, fmt.Errorf("%w: larger than %d MiB when unpacked", ErrMAT, maxMAT>>20)
		}
		if out.numbers = m.numbers(kind, body); len(out.numbers) != count {
			return nil, fmt.Errorf("%w: the array %s has %d numbers, its shape wants %d", ErrMAT, out.name, len(out.numbers), count)
		}
	}
	return out, nil
}

// child reads an array inside another.
func (m *matReader) child(data []byte, depth int) (*matrix, []byte, error) {
	kind, body, rest, err := m.element(data)
	if err != nil {
		return nil, nil, err
	}
	if kind != miMATRIX {
		return nil, nil, fmt.Errorf("%w: an element of kind %d in a list", ErrMAT, kind)
	}
	a, err := m.matrix(body, depth+1)
	return a, rest, err
}

func (m *matReader) structure(out *matrix, data []byte, count, depth int) error {
	kind, length, rest, err := m.element(data)
	if err != nil {
		return err
	}
	_, names, rest, err := m.element(rest)
	if err != nil {
		return err
	}
	sizes := m.numbers(kind, length)
	if len(sizes) != 1 || sizes[0] < 1 || sizes[0] > 256 {
		return fmt.Errorf("%w: a structure without names", ErrMAT)
	}
	each := int(sizes[0])
	out.fields = map[string][]*matrix{}
	var order []string
	for i := 0; i+each <= len(names); i += each {
		name, _, _ := bytes.Cut(names[i:i+each], []byte{0})
		if out.fields[string(name)] == nil {
			out.fields[string(name)] = []*matrix{}
		} else {
			return fmt.Errorf("%w: a structure has the field %q twice", ErrMAT, name)
		}
		order = append(order, string(name))
	}
	if len(order) == 0 {
		return nil
	}
	for range count {
		for _, name := range order {
			value, after, err := m.child(rest, depth)
			if err != nil {
				return err
			}
			out.fields[name], rest = append(out.fields[name], value), after
		}
	}
	return nil
}

// numbers reads packed numbers; nil if kind is not a type of numbers.
func (m *matReader) numbers(kind int, body []byte) []float64 {
	size := map[int]int{miINT8: 1, miUINT8: 1, miINT16: 2, miUINT16: 2, miINT32: 4, miUINT32: 4, miSINGLE: 4, miDOUBLE: 8, miINT64: 8, miUINT64: 8}[kind]
	if size == 0 {
		return nil
	}
	out := make([]float64, len(body)/size)
	for i := range out {
		b := body[i*size:]
		switch kind {
		case miINT8:
			out[i] = float64(int8(b[0]))
		case miUINT8:
			out[i] = float64(b[0])
		case miINT16:
			out[i] = float64(int16(m.order.Uint16(b)))
		case miUINT16:
			out[i] = float64(m.order.Uint16(b))
		case miINT32:
			out[i] = float64(int32(m.order.Uint32(b)))
		case miUINT32:
			out[i] = float64(m.order.Uint32(b))
		case miSINGLE:
			out[i] = float64(math.Float32frombits(m.order.Uint32(b)))
		case miDOUBLE:
			out[i] = math.Float64frombits(m.order.Uint64(b))
		case miINT64:
			out[i] = float64(int64(m.order.Uint64(b)))
		case miUINT64:
			out[i] = float64(m.order.Uint64(b))
		}
	}
	return out
}

// characters reads text of one row.
func (m *matReader) characters(kind int, body []byte) string {
	switch kind {
	case miINT8, miUINT8, miUTF8:
		return string(body)
	}
	if kind == miUTF16 {
		kind = miUINT16
	}
	var runes []rune
	for _, v := range m.numbers(kind, body) {
		runes = append(runes, rune(v))
	}
	return string(runes)
}

// birdFile is what CUB-200-2010 says of one image.
type birdFile struct {
	box  Box
	mask *image.Gray // nil where it has none
}

// readBirdFile reads a file of annotations-mat: bbox, a structure of left, top, right and bottom, and seg, 1 on the bird.
func readBirdFile(file string) (birdFile, error) {
	f, err := os.Open(file)
	if err != nil {
		return birdFile{}, err
	}
	defer f.Close()
	return decodeBird(f)
}

func decodeBird(r io.Reader) (out birdFile, err error) {
	arrays, err := readMAT(r)
	if err != nil {
		return out, err
	}
	boxed := false
	for _, a := range arrays {
		switch {
		case a.name == "bbox" && a.fields != nil:
			var side [4]float64
			boxed = true
			for i, name := range []string{"left", "top", "right", "bottom"} {
				if v := a.fields[name]; len(v) == 1 && len(v[0].numbers) == 1 && !math.IsNaN(v[0].numbers[0]) && math.Abs(v[0].numbers[0]) < 1e6 {
					side[i] = v[0].numbers[0]
				} else {
					boxed = false
				}
			}
			out.box = Box{X: float32(side[0]), Y: float32(side[1]), Width: float32(side[2] - side[0]), Height: float32(side[3] - side[1])}
			boxed = boxed && out.box.Width > 0 && out.box.Height > 0
		case a.name == "seg" && len(a.shape) == 2 && len(a.numbers) > 0:
			height, width := a.shape[0], a.shape[1]
			mask := image.NewGray(image.Rect(0, 0, width, height))
			for i, v := range a.numbers {
				if v != 0 {
					mask.Pix[i%height*mask.Stride+i/height] = 255
				}
			}
			if !isBlack(mask) {
				out.mask = mask
			}
		}
	}
	if out.mask == nil && !boxed {
		return out, errors.New("it has neither a segmentation (seg) nor a box (bbox)")
	}
	return out, nil
}
