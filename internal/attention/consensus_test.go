package attention

import (
	"math"
	"testing"
)

// Three painters: the mean and the standard deviation of each cell, and what becomes of their marks.
func TestConsensus(t *testing.T) {
	t.Parallel()
	c := NewConsensus([]Map{
		{Height: 1, Width: 5, Values: []float32{0, 0.2, 1, 0.5, 0.5}, Marks: "...?x"},
		{Height: 1, Width: 5, Values: []float32{0, 0.4, 0, 0.9, 0.5}, Marks: "...?x"},
		{Height: 1, Width: 5, Values: []float32{0, 0.6, 1, 0.3, 0.6}},
	})
	if err := c.Mean.ValidateOn(1, 5); err != nil {
		t.Fatal(err)
	}
	if c.Mean.Marks != "...?x" {
		t.Errorf("the mean is marked %q, want what two of three marked", c.Mean.Marks)
	}
	for i, want := range []struct{ mean, deviation float64 }{
		{0, 0},
		{0.4, math.Sqrt(0.08 / 3)}, // 0.2² + 0² + 0.2²
		{2.0 / 3, math.Sqrt(2.0 / 9)},
		{0.3, 0},                 // one map says something
		{0, math.Sqrt(0.24 / 3)}, // 0, 0 and 0.6 about 0.2; avoided
	} {
		if got := float64(c.Mean.Values[i]); math.Abs(got-want.mean) > 1e-6 {
			t.Errorf("cell %d: mean %v, want %v", i, got, want.mean)
		}
		if got := float64(c.Deviation.Values[i]); math.Abs(got-want.deviation) > 1e-6 {
			t.Errorf("cell %d: deviation %v, want %v", i, got, want.deviation)
		}
	}
	one := Map{Height: 1, Width: 2, Values: []float32{0.25, 1}, Marks: "?."}
	if alone := NewConsensus([]Map{one}); alone.Mean.Values[1] != 1 || alone.Mean.Marks != "?." || alone.Deviation.Values[1] != 0 {
		t.Errorf("of one map: %+v", alone)
	}
}
