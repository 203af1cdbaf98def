package trainer

import (
	"context"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer/sample"
)

// PixelReader writes the network's input x for an image, [3, H, W] after preprocessing, to dst. It is called from several
// goroutines at once. An error counts as a fault of the image (see Problem), unless ctx has ended.
type PixelReader func(ctx context.Context, s sample.Sample, dst []float32) error

// MaskReader reads the object of an image on height × width pixels of the network's input, each in [0,1]; a zero map where it is not
// known. It is called from several goroutines at once.
type MaskReader func(ctx context.Context, s sample.Sample, height, width int) (attention.Map, error)

// Problem is an image that could not be used, and why.
type Problem struct {
	Sample sample.Sample
	Err    error
}

// sampleFeatures are the features of samples.
type sampleFeatures struct {
	*features.Reader
	pixels PixelReader
}

func (f *sampleFeatures) image(s sample.Sample) features.Image {
	return features.Image{Hash: s.Hash, Pixels: func(ctx context.Context, dst []float32) error { return f.pixels(ctx, s, dst) }}
}

// Read writes the features of a sample, or of its mirror image, to dst [C, h, w].
func (f *sampleFeatures) Read(ctx context.Context, s sample.Sample, mirrored bool, dst []float32) error {
	return f.Reader.Read(ctx, f.image(s), mirrored, dst)
}

// Prepare is features.Reader's, of samples.
func (f *sampleFeatures) Prepare(ctx context.Context, samples []sample.Sample, mirrored bool, progress func(done, total int)) ([]Problem, error) {
	images := make([]features.Image, len(samples))
	for i, s := range samples {
		images[i] = f.image(s)
	}
	found, err := f.Reader.Prepare(ctx, images, mirrored, progress)
	var problems []Problem
	for _, p := range found {
		problems = append(problems, Problem{Sample: samples[p.Image], Err: p.Err})
	}
	return problems, err
}

// featureInputs gives a loop features from sampleFeatures.
type featureInputs struct {
	features *sampleFeatures
	samples  []sample.Sample
}

func (f featureInputs) Size() int { return f.features.Size() }

func (f featureInputs) Read(ctx context.Context, sample int, mirrored bool, _ int, dst []float32) error {
	return f.features.Read(ctx, f.samples[sample], mirrored, dst)
}

// preparation computes the features of several lists of samples, one after the other, and tells how far all of it is. How many are
// missing of a list is known when it is its turn; until then each of its samples counts.
type preparation struct {
	meter  *progress.Meter
	later  int // samples of the lists to come
	missed int // features that had to be computed so far
}

func (p *preparation) of(ctx context.Context, from *sampleFeatures, samples []sample.Sample, mirrored bool) ([]Problem, error) {
	before := p.missed
	p.later -= len(samples)
	return from.Prepare(ctx, samples, mirrored, func(done, total int) {
		p.missed = before + total
		p.meter.Expect(progress.Features, p.missed+p.later, 0)
		p.meter.Advance(progress.Features, before+done)
	})
}
