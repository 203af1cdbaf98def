package attention

import (
	"errors"
	"math"
	"testing"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		m    Map
		want error
	}{
		"good":            {Map{Height: 1, Width: 2, Values: []float32{0, 1}}, nil},
		"no grid":         {Map{}, ErrGrid},
		"values missing":  {Map{Height: 2, Width: 2, Values: []float32{0, 1}}, ErrGrid},
		"NaN":             {Map{Height: 1, Width: 2, Values: []float32{0, nan}}, ErrValue},
		"above one":       {Map{Height: 1, Width: 2, Values: []float32{0, 1.5}}, ErrValue},
		"below zero":      {Map{Height: 1, Width: 2, Values: []float32{-0.01, 1}}, ErrValue},
		"infinite":        {Map{Height: 1, Width: 1, Values: []float32{float32(math.Inf(1))}}, ErrValue},
		"absurdly large":  {Map{Height: MaxSide + 1, Width: 1, Values: make([]float32, MaxSide+1)}, ErrGrid},
		"marks":           {Map{Height: 1, Width: 3, Values: make([]float32, 3), Marks: ".?x"}, nil},
		"marks missing":   {Map{Height: 1, Width: 3, Values: make([]float32, 3), Marks: ".?"}, ErrMarks},
		"another mark":    {Map{Height: 1, Width: 3, Values: make([]float32, 3), Marks: ".?y"}, ErrMarks},
		"negative height": {Map{Height: -1, Width: -1, Values: []float32{0}}, ErrGrid},
	} {
		if err := c.m.Validate(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if err := New(7, 7).ValidateOn(14, 14); !errors.Is(err, ErrGrid) {
		t.Errorf("7×7 map on a 14×14 model: %v", err)
	}
}

func TestBytesRoundTrip(t *testing.T) {
	t.Parallel()
	m := Map{Height: 2, Width: 3, Values: []float32{0, 1, 0.1, math.SmallestNonzeroFloat32, 0.333333343, float32(math.NaN())}}
	back, err := FromBytes(2, 3, m.Bytes())
	if err != nil || !back.Equal(m) {
		t.Fatalf("got %v, %v", back, err)
	}
	if _, err := FromBytes(3, 3, m.Bytes()); !errors.Is(err, ErrGrid) {
		t.Errorf("24 bytes as 3×3: %v", err)
	}
	if _, err := FromBytes(1<<30, 1<<30, nil); !errors.Is(err, ErrGrid) {
		t.Errorf("forged grid: %v", err)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	m := New(2, 2)
	m.Clone().Values[0] = 1
	if m.Values[0] != 0 {
		t.Error("painting on a clone changed the original")
	}
}

func TestDistanceInsideFlip(t *testing.T) {
	t.Parallel()
	a := Map{Height: 1, Width: 4, Values: []float32{0.5, 0.5, 0, 1}}
	b := Map{Height: 1, Width: 4, Values: []float32{0.5, 0.5, 1, 1}}
	if d := a.Distance(b); d != 1 {
		t.Errorf("distance %v, want 1", d)
	}
	mask := Map{Height: 1, Width: 4, Values: []float32{0, 0, 0, 1}}
	if f := a.InsideFraction(mask); f != 0.5 {
		t.Errorf("inside %v, want 0.5", f)
	}
	if f := New(1, 4).InsideFraction(mask); f != 0 {
		t.Errorf("inside of a zero map %v, want 0", f)
	}
	if got := b.FlipHorizontal(); !got.Equal(Map{Height: 1, Width: 4, Values: []float32{1, 1, 0.5, 0.5}}) {
		t.Errorf("flipped: %v", got)
	}
	if !b.FlipHorizontal().FlipHorizontal().Equal(b) {
		t.Error("flipping twice is not the identity")
	}
}
