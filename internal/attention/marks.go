package attention

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Mark is what a person says of a cell beside its value.
type Mark byte

// The marks. An Unknown cell says nothing: whatever the network does there is as good. An Avoided cell is one that the network should
// not look at; unlike a value of 0 it does not say how the rest of the map should lie (L_map, package trainer).
const (
	Valued  Mark = '.' // the cell carries its value
	Unknown Mark = '?' // don't know
	Avoided Mark = 'x' // do not look here
)

// ErrMarks says that a map's marks are none.
var ErrMarks = errors.New("attention map has wrong marks")

// Marks are the marks of a map's cells, row by row, a letter a cell; "" where every cell carries its value, which is how all maps are
// that nobody has marked.
type Marks string

// Plain returns "" for marks that mark nothing.
func (k Marks) Plain() Marks {
	if strings.Trim(string(k), string(rune(Valued))) == "" {
		return ""
	}
	return k
}

// At returns the mark of a cell by its place among the values.
func (k Marks) At(i int) Mark {
	if k == "" {
		return Valued
	}
	return Mark(k[i])
}

// Count is how many cells have a mark.
func (k Marks) Count(mark Mark) int { return strings.Count(string(k), string(rune(mark))) }

// check reports what makes k no marks of a map of cells (ErrMarks).
func (k Marks) check(cells int) error {
	if k == "" {
		return nil
	}
	if len(k) != cells {
		return fmt.Errorf("%w: %d marks for %d cells", ErrMarks, len(k), cells)
	}
	for i := range len(k) {
		if m := Mark(k[i]); m != Valued && m != Unknown && m != Avoided {
			return fmt.Errorf("%w: cell %d has %q, want %q, %q or %q", ErrMarks, i, m, Valued, Unknown, Avoided)
		}
	}
	return nil
}

// mapped gives the marks of n cells, each that of the cell that from names.
func (k Marks) mapped(n int, from func(i int) int) Marks {
	if k == "" {
		return ""
	}
	out := make([]byte, n)
	for i := range out {
		out[i] = k[from(i)]
	}
	return Marks(out).Plain()
}

// InPlace is what the perception branch reads where an edited map stands in place of the network's own: the edited map, with the network's
// value where the person does not know and 0 where the network should not look. A map without marks is returned as it is.
func (m Map) InPlace(own Map) Map {
	if m.Marks == "" {
		return m
	}
	out := m.Clone()
	out.Marks = ""
	for i := range out.Values {
		switch m.Marks.At(i) {
		case Unknown:
			out.Values[i] = own.Values[i]
		case Avoided:
			out.Values[i] = 0
		}
	}
	return out
}

// Known writes k and n/max(1, Σn) of L_map for the map's cells: 1 where a cell carries a value, else 0; and on the cells that are to be
// avoided their share of the mean over them, else 0.
func (m Map) Known(known, avoided []float32) {
	share := 1 / float32(max(1, m.Marks.Count(Avoided)))
	for i := range known {
		known[i], avoided[i] = 0, 0
		switch m.Marks.At(i) {
		case Avoided:
			avoided[i] = share
		case Unknown:
		default:
			known[i] = 1
		}
	}
}

// Avoidance is the mean of m over the cells that marked says to avoid, in [0,1] as m is; NaN where there are none.
func (m Map) Avoidance(marked Map) float64 {
	var sum float64
	count := 0
	for i, v := range m.Values {
		if marked.Marks.At(i) == Avoided {
			sum += float64(v)
			count++
		}
	}
	if count == 0 {
		return math.NaN()
	}
	return sum / float64(count)
}
