package attention_test

import (
	"testing"

	"github.com/abn-studio/studio/internal/attention"
)

// A cell's mean is over the maps that say something of it; what is to be avoided counts as 0.
func TestMean(t *testing.T) {
	t.Parallel()
	mean := attention.NewMean(1, 4)
	if m := mean.Map(); mean.Maps != 0 || m.Validate() != nil || m.Values[0] != 0 {
		t.Errorf("of no maps: %+v", m)
	}
	mean.Add(attention.Map{Height: 1, Width: 4, Values: []float32{1, 0.5, 1, 1}})
	mean.Add(attention.Map{Height: 1, Width: 4, Values: []float32{0, 1, 1, 0.5}, Marks: ".?x."})
	want := attention.Map{Height: 1, Width: 4, Values: []float32{0.5, 0.5, 0.5, 0.75}}
	if m := mean.Map(); mean.Maps != 2 || !m.Equal(want) {
		t.Errorf("of two: %+v, want %+v", m, want)
	}
}
