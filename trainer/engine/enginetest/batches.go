package enginetest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
)

// Batch is n rows of features as of an extractor that ends in a ReLU, or of pixels if the strategy trains from pixels; half of
// the rows have an edit.
func Batch(abn *onnx.ABN, strategy recipe.Strategy, n int) engine.Batch {
	r := rand.New(rand.NewPCG(3, 5))
	b := engine.Batch{Size: n, Labels: make([]int64, n), HasEdit: make([]float32, n)}
	size, least := abn.Features[0]*abn.Features[1]*abn.Features[2], 0.0
	if strategy == recipe.StrategyScratch {
		size, least = abn.ImageChannels*abn.ImageHeight*abn.ImageWidth, -3
	}
	for range n * size {
		b.Inputs = append(b.Inputs, float32(math.Max(least, r.NormFloat64())))
	}
	for range n * abn.Height * abn.Width {
		b.Edited = append(b.Edited, float32(r.Float64()))
	}
	for i := range n {
		b.Labels[i], b.HasEdit[i] = int64(r.IntN(abn.Classes)), float32(i%2)
	}
	return b
}

// mark marks a third of the cells of edited maps as unknown, and a third as not to be looked at.
func mark(rng *rand.Rand, b *engine.Batch) {
	cells := len(b.Edited) / b.Size
	b.Known, b.Avoided = b.Marks()
	for i := range b.Size {
		if b.HasEdit[i] == 0 {
			continue
		}
		marks := make([]byte, cells)
		for c := range marks {
			marks[c] = byte([]attention.Mark{attention.Valued, attention.Unknown, attention.Avoided}[rng.IntN(3)])
		}
		m := attention.Map{Marks: attention.Marks(marks)}
		m.Known(b.Known[i*cells:(i+1)*cells], b.Avoided[i*cells:(i+1)*cells])
	}
}

// Noise is a number of batches of noise for a network. rows are their sizes in turn, 4 if there are none. Every other row is
// edited, every other of the rest anchored, and the second batch has no edit; from the third on edited maps have marks. Without an anchor, the maps of rows without a mark
// begin with a NaN.
func Noise(t testing.TB, m *onnx.Model, s recipe.Settings, batches int, rows ...int) []engine.Batch {
	t.Helper()
	abn := Parts(t, m, s)
	dims := abn.Features[:]
	if s.Strategy == recipe.StrategyScratch {
		dims = []int{abn.ImageChannels, abn.ImageHeight, abn.ImageWidth}
	}
	if len(rows) == 0 {
		rows = []int{4}
	}
	rng := rand.New(rand.NewPCG(8, 8))
	var out []engine.Batch
	for k := range batches {
		n := rows[k%len(rows)]
		b := engine.Batch{
			Size: n, Inputs: make([]float32, n*dims[0]*dims[1]*dims[2]), Labels: make([]int64, n),
			Edited: make([]float32, n*abn.Height*abn.Width), HasEdit: make([]float32, n), Anchored: make([]float32, n),
		}
		for i := range b.Inputs {
			b.Inputs[i] = float32(rng.NormFloat64())
		}
		for i := range b.Edited {
			b.Edited[i] = rng.Float32()
		}
		for i := range n {
			b.Labels[i] = int64(rng.IntN(abn.Classes))
			if i%2 == 0 && k != 1 {
				b.HasEdit[i] = 1
			} else if i%4 != 3 {
				b.Anchored[i] = 1
			}
		}
		if k >= 2 {
			mark(rng, &b)
		}
		for i := range n { // the map of a row without a mark must not be read
			if s.Anchor == 0 && b.HasEdit[i] == 0 {
				b.Edited[i*abn.Height*abn.Width] = float32(math.NaN())
			}
		}
		out = append(out, b)
	}
	return out
}
