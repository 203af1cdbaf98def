package dataset

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/attention"
)

// ErrNPY says that bytes are no npy array that can be an attention map.
var ErrNPY = errors.New("not an .npy array that can be an attention map")

// The npy format, version 1 to 3 (numpy.lib.format): magic, version, header length, a Python dict
// literal, then the values. The readers of others trust the header's shape when they allocate; here
// the shape is checked against the largest grid first.
const (
	npyMagic     = "\x93NUMPY"
	maxNPYHeader = 1 << 16
)

var (
	npyDescr   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyFortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9, ]*)\)`)
)

// readNPY reads one map of shape (h,w), or (1,h,w), (1,1,h,w), (h,w,1). Floats are taken as they
// are; booleans are 0 and 1; unsigned bytes are shades of 255 unless all are 0 or 1; other integers
// must be 0 or 1. Values outside [0,1] are attention.ErrValue, a wrong shape is attention.ErrGrid.
func readNPY(r io.Reader) (attention.Map, error) {
	in := bufio.NewReader(r)
	header, err := readNPYHeader(in)
	if err != nil {
		return attention.Map{}, err
	}
	height, width, err := gridShape(header.shape)
	if err != nil {
		return attention.Map{}, err
	}
	size := header.size
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
		raw[i] = header.value(data[i*size : (i+1)*size])
	}
	if header.kind == 'u' && size == 1 && slices.Max(raw) > 1 {
		for i := range raw {
			raw[i] /= 255
		}
	}
	for i, v := range raw {
		at := i
		if header.fortran { // columns first
			at = i%height*width + i/height
		}
		m.Values[at] = float32(v)
	}
	if err := m.Validate(); err != nil {
		return attention.Map{}, err
	}
	return m, nil
}

type npyHeader struct {
	kind    byte // 'f', 'b', 'u' or 'i'
	size    int  // bytes of a value
	order   binary.ByteOrder
	fortran bool
	shape   []int
}

func readNPYHeader(in io.Reader) (npyHeader, error) {
	var start [8]byte
	if _, err := io.ReadFull(in, start[:]); err != nil || string(start[:6]) != npyMagic {
		return npyHeader{}, fmt.Errorf("%w: it does not start as one", ErrNPY)
	}
	var length int
	switch start[6] {
	case 1:
		var b [2]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return npyHeader{}, fmt.Errorf("%w: it ends in its header", ErrNPY)
		}
		length = int(binary.LittleEndian.Uint16(b[:]))
	case 2, 3:
		var b [4]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return npyHeader{}, fmt.Errorf("%w: it ends in its header", ErrNPY)
		}
		length = int(min(binary.LittleEndian.Uint32(b[:]), maxNPYHeader+1))
	default:
		return npyHeader{}, fmt.Errorf("%w: format version %d is not known", ErrNPY, start[6])
	}
	if length > maxNPYHeader {
		return npyHeader{}, fmt.Errorf("%w: a header of more than %d bytes", ErrNPY, maxNPYHeader)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(in, text); err != nil {
		return npyHeader{}, fmt.Errorf("%w: it ends in its header", ErrNPY)
	}
	return parseNPYHeader(string(text))
}

func parseNPYHeader(text string) (npyHeader, error) {
	descr, fortran, shape := npyDescr.FindStringSubmatch(text), npyFortran.FindStringSubmatch(text), npyShape.FindStringSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return npyHeader{}, fmt.Errorf("%w: header %.80q gives no descr, fortran_order and shape", ErrNPY, text)
	}
	h := npyHeader{fortran: fortran[1] == "True", order: binary.LittleEndian}
	code := descr[1]
	if strings.HasPrefix(code, ">") {
		h.order = binary.BigEndian
	}
	code = strings.TrimLeft(code, "<>|=")
	switch code {
	case "f2", "f4", "f8", "b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8":
		h.kind, h.size = code[0], int(code[1]-'0')
	default:
		return npyHeader{}, fmt.Errorf("%w: values of type %q: want float32 (or float16, float64, bool, an integer)", ErrNPY, descr[1])
	}
	for field := range strings.SplitSeq(shape[1], ",") {
		field = strings.TrimSpace(field)
		if field == "" {
			continue
		}
		n, err := strconv.Atoi(field)
		if err != nil || len(h.shape) == 8 {
			return npyHeader{}, fmt.Errorf("%w: shape (%.60s)", ErrNPY, shape[1])
		}
		h.shape = append(h.shape, n)
	}
	return h, nil
}

// gridShape takes the axes of length one off a shape of more than two.
func gridShape(shape []int) (height, width int, err error) {
	rest := shape
	for len(rest) > 2 && rest[0] == 1 {
		rest = rest[1:]
	}
	if len(rest) == 3 && rest[2] == 1 {
		rest = rest[:2]
	}
	if len(rest) != 2 {
		return 0, 0, fmt.Errorf("%w: an array of shape %v, want (h, w)", attention.ErrGrid, shape)
	}
	if rest[0] < 1 || rest[1] < 1 || rest[0] > attention.MaxSide || rest[1] > attention.MaxSide {
		return 0, 0, fmt.Errorf("%w: an array of shape %v, want 1 to %d cells on a side", attention.ErrGrid, shape, attention.MaxSide)
	}
	return rest[0], rest[1], nil
}

func (h npyHeader) value(b []byte) float64 {
	var bits uint64
	switch h.size {
	case 1:
		bits = uint64(b[0])
	case 2:
		bits = uint64(h.order.Uint16(b))
	case 4:
		bits = uint64(h.order.Uint32(b))
	case 8:
		bits = h.order.Uint64(b)
	}
	switch {
	case h.kind == 'f' && h.size == 2:
		return halfFloat(uint16(bits))
	case h.kind == 'f' && h.size == 4:
		return float64(math.Float32frombits(uint32(bits)))
	case h.kind == 'f':
		return math.Float64frombits(bits)
	case h.kind == 'b':
		if bits != 0 {
			return 1
		}
		return 0
	case h.kind == 'i':
		return float64(int64(bits<<(64-8*h.size)) >> (64 - 8*h.size)) // sign-extended
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
