package attention

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// MaxSide bounds either side of a grid. Published networks use 7 to 56; the bound keeps a forged
// header from asking for gigabytes.
const MaxSide = 512

// Errors that say what is wrong with a map. Validate and the decoders wrap them with the place.
var (
	ErrGrid  = errors.New("attention map is on the wrong grid")
	ErrValue = errors.New("attention map holds a value outside [0,1]")
)

// Map is an attention map M on the model's own grid (h×w cells): Values[row*Width+column], each in [0,1]. A map that a person edited may
// have Marks. It is a value and is shared: do not change its Values, paint on a Clone.
type Map struct {
	Height int       `json:"h" bound:"cells on a side"`
	Width  int       `json:"w" bound:"cells on a side"`
	Values []float32 `json:"values" bound:"cells' values"`
	Marks  Marks     `json:"marks,omitempty" pattern:"^[.?x]*$" doc:"Of an edited map: a letter a cell, row by row. A full stop: the cell carries its value; ?: the person does not know; x: do not look here. Absent: every cell carries its value."`
}

// New returns the all-zero map of a grid of height × width cells.
func New(height, width int) Map {
	return Map{Height: height, Width: width, Values: make([]float32, height*width)}
}

// Validate reports the first thing that makes m no attention map: a grid that does not match its
// values (ErrGrid), a value that is NaN or outside [0,1] (ErrValue), or marks that do not fit (ErrMarks).
func (m Map) Validate() error {
	if m.Height < 1 || m.Width < 1 || m.Height > MaxSide || m.Width > MaxSide {
		return fmt.Errorf("%w: %d×%d cells, want 1 to %d on a side", ErrGrid, m.Height, m.Width, MaxSide)
	}
	if len(m.Values) != m.Height*m.Width {
		return fmt.Errorf("%w: %d values for %d×%d cells", ErrGrid, len(m.Values), m.Height, m.Width)
	}
	for i, v := range m.Values {
		if !(v >= 0 && v <= 1) { // written so that NaN fails too
			return fmt.Errorf("%w: row %d, column %d is %v", ErrValue, i/m.Width, i%m.Width, v)
		}
	}
	return m.Marks.check(len(m.Values))
}

// ValidateOn is Validate for a model whose grid is height × width.
func (m Map) ValidateOn(height, width int) error {
	if m.Height != height || m.Width != width {
		return fmt.Errorf("%w: the map has %d×%d cells, the model %d×%d", ErrGrid, m.Height, m.Width, height, width)
	}
	return m.Validate()
}

// Bounded returns the map with values below 0 as 0 and above 1 as 1: what can be shown and drawn of a network's map whose values are
// not bounded to [0,1]. NaN stays.
func (m Map) Bounded() Map {
	out := m.Clone()
	for i, v := range out.Values {
		if v < 0 || v > 1 {
			out.Values[i] = min(max(v, 0), 1)
		}
	}
	return out
}

// IsZero reports whether m carries no grid at all: the absence of a map, not a map of zeros.
func (m Map) IsZero() bool { return m.Height == 0 && m.Width == 0 }

// At returns the value of a cell.
func (m Map) At(row, column int) float32 { return m.Values[row*m.Width+column] }

// Clone returns a copy that shares nothing with m.
func (m Map) Clone() Map {
	m.Values = slices.Clone(m.Values)
	return m
}

// Equal reports whether two maps are the same to the bit (so a NaN equals itself).
func (m Map) Equal(other Map) bool {
	return m.Height == other.Height && m.Width == other.Width && m.Marks == other.Marks &&
		slices.EqualFunc(m.Values, other.Values, func(a, b float32) bool {
			return math.Float32bits(a) == math.Float32bits(b)
		})
}

// Distance is the unsquared L2 norm ‖m − edited‖₂ over the cells of edited that carry a value, the term of L_map (Mitsuhara et
// al., arXiv 1905.03540, eq. 4). Both maps are on one grid.
func (m Map) Distance(edited Map) float64 {
	var sum float64
	for i, v := range m.Values {
		if edited.Marks.At(i) != Valued {
			continue
		}
		d := float64(v) - float64(edited.Values[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

// InsideFraction is the share of the map's attention that falls on mask (same grid, weights in
// [0,1]): Σ m·mask / Σ m, in [0,1]; 0 for a map without attention.
func (m Map) InsideFraction(mask Map) float64 {
	var inside, all float64
	for i, v := range m.Values {
		inside += float64(v) * float64(mask.Values[i])
		all += float64(v)
	}
	if all == 0 {
		return 0
	}
	return inside / all
}

// FlipHorizontal returns the map of the mirrored image.
func (m Map) FlipHorizontal() Map {
	out := m.Clone()
	for row := range m.Height {
		slices.Reverse(out.Values[row*m.Width : (row+1)*m.Width])
	}
	out.Marks = m.Marks.mapped(len(m.Values), func(i int) int { return i - i%m.Width + m.Width - 1 - i%m.Width })
	return out
}

// Bytes encodes the values as little-endian float32, row by row: 4·h·w bytes. Grid and marks are not in
// them; whoever stores the bytes stores those beside them.
func (m Map) Bytes() []byte {
	out := make([]byte, 0, 4*len(m.Values))
	for _, v := range m.Values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// FromBytes decodes what Bytes wrote for a grid of height × width. It checks the length (ErrGrid)
// and not the values: call Validate for what comes from outside.
func FromBytes(height, width int, data []byte) (Map, error) {
	if height < 1 || width < 1 || height > MaxSide || width > MaxSide || len(data) != 4*height*width {
		return Map{}, fmt.Errorf("%w: %d bytes for %d×%d cells", ErrGrid, len(data), height, width)
	}
	m := New(height, width)
	for i := range m.Values {
		m.Values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return m, nil
}
