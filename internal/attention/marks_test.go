package attention

import (
	"math"
	"slices"
	"testing"
)

// marked is a map of two rows: values, a cell nobody knows, and two not to be looked at.
var marked = Map{Height: 2, Width: 3, Values: []float32{0.1, 0.2, 0.3, 0.4, 0.5, 0.6}, Marks: "..?x.x"}

func TestInPlace(t *testing.T) {
	t.Parallel()
	own := Map{Height: 2, Width: 3, Values: []float32{0.9, 0.9, 0.9, 0.9, 0.9, 0.9}}
	want := Map{Height: 2, Width: 3, Values: []float32{0.1, 0.2, 0.9, 0, 0.5, 0}}
	if got := marked.InPlace(own); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	plain := own.Clone()
	plain.Values[0] = 0.25
	if got := plain.InPlace(own); !got.Equal(plain) {
		t.Errorf("without marks: %v", got)
	}
	if marked.Values[2] != 0.3 {
		t.Error("the map itself was changed")
	}
}

func TestMarksFollowTheCells(t *testing.T) {
	t.Parallel()
	if got := marked.FlipHorizontal(); got.Marks != "?..x.x" {
		t.Errorf("flipped: %q", got.Marks)
	}
	if got := marked.Cut(0, 0, 3, 2); !got.Equal(marked) {
		t.Errorf("all of it: %v", got)
	}
	if got := marked.Cut(2, 0, 1, 1); got.Marks != "??????" {
		t.Errorf("the cell that nobody knows: %q", got.Marks)
	}
	if got := marked.Cut(0, 0, 2, 1); got.Marks != "" {
		t.Errorf("two cells with values: %q", got.Marks)
	}
	if got := marked.Cut(-1, 0, 9, 2); len(got.Marks) != 6 {
		t.Errorf("beyond the map: %q", got.Marks)
	}
}

func TestMarksInTheMeasures(t *testing.T) {
	t.Parallel()
	m := Map{Height: 2, Width: 3, Values: []float32{0.1, 0.2, 1, 0.25, 0.8, 0.75}}
	if d := m.Distance(marked); math.Abs(d-0.3) > 1e-6 {
		t.Errorf("distance %v, want that of the cells with values, 0.3", d)
	}
	if a := m.Avoidance(marked); a != 0.5 {
		t.Errorf("attention where there should be none: %v, want 0.5", a)
	}
	if a := m.Avoidance(m); !math.IsNaN(a) {
		t.Errorf("without such cells: %v", a)
	}
	known, avoided := make([]float32, 6), make([]float32, 6)
	marked.Known(known, avoided)
	if !slices.Equal(known, []float32{1, 1, 0, 0, 1, 0}) || !slices.Equal(avoided, []float32{0, 0, 0, 0.5, 0, 0.5}) {
		t.Errorf("k %v, n %v", known, avoided)
	}
	m.Known(known, avoided)
	if !slices.Equal(known, []float32{1, 1, 1, 1, 1, 1}) || !slices.Equal(avoided, make([]float32, 6)) {
		t.Errorf("without marks: k %v, n %v", known, avoided)
	}
}

func TestMarksThatMarkNothing(t *testing.T) {
	t.Parallel()
	for marks, want := range map[Marks]Marks{"": "", "....": "", ".?..": ".?..", "x": "x"} {
		if got := marks.Plain(); got != want {
			t.Errorf("%q: %q, want %q", marks, got, want)
		}
	}
	if marked.Marks.Count(Avoided) != 2 || marked.Marks.Count(Unknown) != 1 || marked.Marks.Count(Valued) != 3 {
		t.Error("counts are wrong")
	}
}
