package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/npy"
)

// ErrNPY is returned for bytes that are no npy array, or one that cannot be an attention map.
var ErrNPY = errors.New("not an .npy array that can be an attention map")

// readNPY reads one map of shape (h,w), (1,h,w), (1,1,h,w) or (h,w,1). Floats are used as they are; booleans become 0 and 1; unsigned
// bytes are divided by 255 unless all are 0 or 1; other integers must be 0 or 1. Values outside [0,1] are attention.ErrValue, a wrong
// shape is attention.ErrGrid. The shape is checked against the largest grid before memory is allocated.
func readNPY(r io.Reader) (attention.Map, error) {
	in := bufio.NewReader(r)
	header, err := npy.ReadHeader(in)
	if err != nil {
		var format *npy.FormatError
		if errors.As(err, &format) {
			err = fmt.Errorf("%w: %s", ErrNPY, format.Reason)
		}
		return attention.Map{}, err
	}
	height, width, err := gridShape(header.Shape)
	if err != nil {
		return attention.Map{}, err
	}
	size := header.Size
	data := make([]byte, height*width*size)
	if _, err := io.ReadFull(in, data); err != nil {
		return attention.Map{}, fmt.Errorf("%w: it ends before its %d values do", ErrNPY, height*width)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return attention.Map{}, fmt.Errorf("%w: more bytes than its %d values", ErrNPY, height*width)
	}
	m := attention.New(height, width)
	raw := make([]float64, len(m.Values))
	for i := range raw {
		raw[i] = header.Value(data[i*size : (i+1)*size])
	}
	if header.Kind == 'u' && size == 1 && slices.Max(raw) > 1 {
		for i := range raw {
			raw[i] /= 255
		}
	}
	for i, v := range raw {
		at := i
		if header.Fortran { // columns first
			at = i%height*width + i/height
		}
		m.Values[at] = float32(v)
	}
	if err := m.Validate(); err != nil {
		return attention.Map{}, err
	}
	return m, nil
}

// plane drops axes of length 1 from a shape of more than two axes; ok is false where others than (h,w) are left.
func plane(shape []int) (height, width int, ok bool) {
	rest := shape
	for len(rest) > 2 && rest[0] == 1 {
		rest = rest[1:]
	}
	if len(rest) == 3 && rest[2] == 1 {
		rest = rest[:2]
	}
	if len(rest) != 2 {
		return 0, 0, false
	}
	return rest[0], rest[1], true
}

// gridShape is the plane of a shape that may be a map's.
func gridShape(shape []int) (height, width int, err error) {
	height, width, ok := plane(shape)
	if !ok {
		return 0, 0, fmt.Errorf("%w: an array of shape %v, want (h, w), one map a file", attention.ErrGrid, shape)
	}
	if height < 1 || width < 1 || height > attention.MaxSide || width > attention.MaxSide {
		return 0, 0, fmt.Errorf("%w: an array of shape %v, want 1 to %d cells on a side", attention.ErrGrid, shape, attention.MaxSide)
	}
	return height, width, nil
}
