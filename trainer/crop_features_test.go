package trainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/sample"
)

// slopes is a data set whose pictures show their own maps: every pixel is worth what the sample's edited map holds there,
// and the extractor changes nothing. The maps rise along both axes, each sample's differently.
func slopes(n, height, width int) (samples []sample.Sample, pixels PixelReader) {
	value := func(id int64, y, x float64) float32 { return float32(0.1 + 0.5*x + (0.1+0.2*float64(id)/float64(n))*y) }
	for id := range int64(n) {
		m := attention.New(14, 14)
		for i := range m.Values {
			m.Values[i] = value(id, (float64(i/14)+0.5)/14, (float64(i%14)+0.5)/14)
		}
		samples = append(samples, sample.Sample{ID: id, Name: fmt.Sprint("slope ", id), Hash: fmt.Sprintf("%064x", id), Edited: m})
	}
	return samples, func(_ context.Context, s sample.Sample, dst []float32) error {
		for i := range dst {
			y, x := i/width%height, i%width
			dst[i] = value(s.ID, (float64(y)+0.5)/float64(height), (float64(x)+0.5)/float64(width))
		}
		return nil
	}
}

// TestTargetsFollowCrops cuts and mirrors pictures and their maps through a run's own feed, in rounds and in trainings
// from scratch: what the network sees is still what the target says.
func TestTargetsFollowCrops(t *testing.T) {
	t.Parallel()
	const height, width = 56, 42
	samples, pixels := slopes(20, height, width)
	s := recipe.Settings{Crop: 0.2, Flip: true, BatchSize: 8, EditRepeat: 2, Seed: 4}
	f := &sampleFeatures{&features.Reader{Extractor: identity{}, Input: [3]int{3, height, width}, Dims: [3]int{3, height, width}}, pixels}
	crop := newCropper(s, f.Input)
	for name, inputs := range map[string]rowInputs{
		"round":   &croppedInputs{features: f, samples: samples, crop: crop},
		"scratch": &augmented{sampleFeatures: f, samples: samples, crop: crop},
	} {
		l := &loop{settings: s, samples: samples, inputs: inputs, crop: crop, cells: 14 * 14}
		o := newOrder(samples, s)
		seen, distinct := 0, map[float32]bool{}
		for epoch := range 2 {
			err := l.feed(t.Context(), o.epoch(epoch), epoch, func(b engine.Batch) error {
				for i := range b.Size {
					input := b.Inputs[i*3*height*width:][:height*width]
					for j, want := range b.Edited[i*196 : (i+1)*196] {
						var got float64 // the mean of the 4×3 pixels of the cell
						for y := j / 14 * 4; y < j/14*4+4; y++ {
							for x := j % 14 * 3; x < j%14*3+3; x++ {
								got += float64(input[y*width+x]) / 12
							}
						}
						if math.Abs(got-float64(want)) > 0.03 {
							t.Fatalf("%s, epoch %d: cell %d shows %.3f, its target says %.3f", name, epoch, j, got, want)
						}
					}
					seen++
					distinct[b.Edited[i*196]] = true
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if seen != 80 || len(distinct) < 70 {
			t.Errorf("%s: %d rows, %d different crops", name, seen, len(distinct))
		}
	}
}

// countingExtractor counts calls and images.
type countingExtractor struct {
	features.Extractor
	calls, images atomic.Int64
}

func (c *countingExtractor) Extract(ctx context.Context, n int, pixels []float32) ([]float32, error) {
	c.calls.Add(1)
	c.images.Add(int64(n))
	return c.Extractor.Extract(ctx, n, pixels)
}

// TestCroppedRoundResumesToTheBit trains with crops, flips and an anchor: the extractor runs over stacks and once for each
// row, a round that is cut off goes on as if it had not been, and another seed gives other crops.
func TestCroppedRoundResumesToTheBit(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 60, 8, 40)
	build := func(opened func(recipe.Settings, *toyEngine)) (RoundSpec, *countingExtractor) {
		spec := p.spec(t, opened)
		spec.Settings.Crop, spec.Settings.Flip, spec.Settings.Anchor = 0.3, true, 0.2
		counter := &countingExtractor{Extractor: p}
		spec.network.extractor = counter
		return spec, counter
	}
	spec, counter := build(nil)
	whole, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	o := newOrder(p.train, spec.Settings)
	rows := int64(2 * spec.Settings.Epochs * o.rows()) // of both arms
	if got := counter.images.Load(); got != rows+100 { // and every image once as it is
		t.Errorf("%d images went through the extractor, want %d", got, rows+100)
	}
	if calls := counter.calls.Load(); calls > counter.images.Load()/8 {
		t.Errorf("%d calls of the extractor for %d images", calls, counter.images.Load())
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	shutdown := errors.New("the worker shuts down")
	steps := 0
	cut, _ := build(func(_ recipe.Settings, e *toyEngine) {
		e.onStep = func(int) {
			if steps++; steps == 8 {
				cancel(shutdown)
			}
		}
	})
	if _, err := RunRound(ctx, cut, Observer{}); !errors.Is(err, shutdown) {
		t.Fatal(err)
	}
	again, _ := build(nil)
	again.WorkDir = cut.WorkDir
	resumed, err := RunRound(t.Context(), again, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(resumed.Model, whole.Model) || !bytes.Equal(resumed.Control, whole.Control) {
		t.Error("the resumed round made other networks")
	}
	plain, _ := build(nil)
	plain.Settings.Crop = 0
	other, err := RunRound(t.Context(), plain, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(other.Model, whole.Model) {
		t.Error("crops change nothing")
	}
}

// TestCroppedRoundOnTheRuntime trains with crops and an anchor on a real extractor, which runs beside the steps: the
// exported file is what was evaluated, and a second run makes the same one.
func TestCroppedRoundOnTheRuntime(t *testing.T) {
	t.Parallel()
	build := func() RoundSpec {
		spec := referenceSpec(t, fixture.ReferenceModels(t)[0])
		spec.Settings.Crop, spec.Settings.Anchor = 0.4, 0.3
		return spec
	}
	spec := build()
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	checkLineage(t, spec, out)
	checkExported(t, spec, out)
	anchored := map[Arm]int{}
	for _, point := range out.Curve {
		if point.LossAnchor > 0 {
			anchored[point.Arm]++
		}
	}
	if anchored[arms.Candidate] < 5 || anchored[arms.Candidate] != anchored[arms.Control] {
		t.Errorf("steps with an anchor loss: %v", anchored)
	}
	again, err := RunRound(t.Context(), build(), Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Model, out.Model) {
		t.Error("a second run made another file")
	}
}

// TestCropNamesThePicture: one that cannot be read any more stops the round by its name.
func TestCropNamesThePicture(t *testing.T) {
	t.Parallel()
	gone := errors.New("no such file")
	samples, _ := slopes(3, 8, 8)
	f := &sampleFeatures{&features.Reader{Extractor: identity{}, Input: [3]int{3, 8, 8}, Dims: [3]int{3, 8, 8}}, func(_ context.Context, s sample.Sample, _ []float32) error {
		if s.ID == 2 {
			return gone
		}
		return nil
	}}
	c := &croppedInputs{features: f, samples: samples, crop: &cropper{least: 0.5, height: 8, width: 8}}
	err := c.ReadRows(t.Context(), []row{{sample: 0}, {sample: 2}}, 0, make([]float32, 2*c.Size()))
	if !errors.Is(err, gone) || err.Error() != "image slope 2: no such file" {
		t.Errorf("got %v", err)
	}
}

// TestCropsLeaveTheOrderAlone: with and without crops an epoch shows the same rows in the same order.
func TestCropsLeaveTheOrderAlone(t *testing.T) {
	t.Parallel()
	samples, _ := slopes(30, 8, 8)
	with := newOrder(samples, recipe.Settings{Seed: 3, BatchSize: 8, Flip: true, Crop: 0.5}).epoch(1)
	without := newOrder(samples, recipe.Settings{Seed: 3, BatchSize: 8, Flip: true}).epoch(1)
	draws := map[uint64]bool{}
	for b := range with {
		for i, r := range with[b] {
			draws[r.draw] = true
			r.draw = 0
			if r != without[b][i] {
				t.Fatalf("batch %d, row %d: %+v, want %+v", b, i, r, without[b][i])
			}
		}
	}
	if rows := newOrder(samples, recipe.Settings{BatchSize: 8}).rows(); len(draws) != rows {
		t.Errorf("%d draws for %d rows", len(draws), rows)
	}
}
