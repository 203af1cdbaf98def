package trainer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// roundBytes is what a round with an anchor holds in all, on a grid of 14×14, with so many images to train on and held out, each of these with a mask: while its
// last network is exported, and when it has ended.
func roundBytes(t *testing.T, trained, heldout int) (training, ended int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(4, 2))
	p := &toyProblem{dims: [3]int{1, 14, 14}, classes: 3}
	add := func(id int) sample.Sample {
		mask := attention.New(14, 14)
		for i := range 40 {
			mask.Values[i] = float32(rng.IntN(3)) / 2
		}
		return sample.Sample{ID: int64(id), Name: fmt.Sprintf("grown/%08d.png", id), Hash: fmt.Sprintf("%064x", id), Label: rng.IntN(3), Group: fmt.Sprint("scene ", id%4), Mask: mask}
	}
	p.train = make([]sample.Sample, 0, trained)
	for i := range trained {
		s := add(i)
		if i < 16 {
			s.Edited = s.Mask
		}
		s.Mask = attention.Map{}
		p.train = append(p.train, s)
	}
	for i := range heldout {
		p.heldout = append(p.heldout, add(1_000_000+i))
	}
	spec := p.spec(t, nil)
	spec.Settings.Epochs, spec.Settings.Anchor = 1, 0.1
	spec.network.extractor = sameFeatures(196)
	spec.Pixels = func(_ context.Context, s sample.Sample, dst []float32) error {
		for i := range dst {
			dst[i] = float32((int(s.ID)*31+i*17)%97) / 97
		}
		return nil
	}
	spec.Masks = func(_ context.Context, s sample.Sample, height, width int) (attention.Map, error) {
		return measure.Upsample(s.Mask, height, width), nil
	}
	live := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	export := spec.network.export
	spec.network.export = func(list []engine.Parameter, meta []onnx.Metadata) ([]byte, error) {
		training = live()
		return export(list, meta)
	}
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	ended = live()
	if len(out.Rows) < 3*heldout {
		t.Errorf("%d rows of %d images", len(out.Rows), heldout)
	}
	runtime.KeepAlive(out)
	runtime.KeepAlive(p)
	return training, ended
}

type sameFeatures int

func (size sameFeatures) Extract(_ context.Context, n int, pixels []float32) ([]float32, error) {
	return pixels[:n*int(size)], nil
}

// A round holds so much of each held-out image that 100,000 of them with three networks fit into 300 MB.
//
//nolint:paralleltest // it measures the heap of the whole process
func TestARoundHoldsLittleOfEachHeldoutImage(t *testing.T) {
	const few, many = 200, 2200
	training, ended := roundBytes(t, 64, few)
	training2, ended2 := roundBytes(t, 64, many)
	of := func(a, b int) int { return (b - a) / (many - few) }
	t.Logf("each held-out image: %d bytes in training, %d at the end", of(training, training2), of(ended, ended2))
	if n := of(training, training2); n > 3000 {
		t.Errorf("a round holds %d bytes of each held-out image", n)
	}
	if n := of(ended, ended2); n > 3000 {
		t.Errorf("a round that has ended holds %d bytes of each held-out image", n)
	}
}

func TestARoundHoldsLittleOfEachTrainingImage(t *testing.T) {
	const few, many = 1000, 5000
	training, _ := roundBytes(t, few, 20)
	training2, _ := roundBytes(t, many, 20)
	n := (training2 - training) / (many - few)
	t.Logf("each training image: %d bytes", n)
	if n > 500 {
		t.Errorf("a round holds %d bytes of each training image", n)
	}
}
