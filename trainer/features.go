package trainer

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/trainer/sample"
)

// PixelReader writes the network's input x for an image, [3, H, W] after preprocessing, to dst. It
// is called from several goroutines at once. An error is taken to be the image's own fault (see Problem), unless ctx
// has ended.
type PixelReader func(ctx context.Context, s sample.Sample, dst []float32) error

// Extractor computes g(x): pixels [n, 3, H, W] → features [n, C, h, w]. It is called by one
// goroutine at a time; the result may be overwritten by the next call.
type Extractor interface {
	Extract(ctx context.Context, n int, pixels []float32) ([]float32, error)
}

// Problem is an image that could not be used, and why.
type Problem struct {
	Sample sample.Sample
	Err    error
}

// Features gives g(x) of images: from the store where it is there, else from the extractor, and then
// it is stored. Features of one network and one preprocessing serve every round and rescan of all
// versions that descend from one import, since fine-tuning never touches the extractor.
type Features struct {
	Store         *FeatureStore // nil: everything is computed every time
	Extractor     Extractor
	ExtractorHash string
	Preprocessing string // manifest.Manifest.PreprocessingHash
	Pixels        PixelReader
	Input         [3]int // 3, H, W
	Dims          [3]int // C, h, w

	mu     sync.Mutex // guards Extractor and pixels
	pixels []float32
}

// Size is the length of one image's features, C·h·w.
func (f *Features) Size() int { return f.Dims[0] * f.Dims[1] * f.Dims[2] }

func (f *Features) key(s sample.Sample, mirrored bool) FeatureKey {
	return FeatureKey{Extractor: f.ExtractorHash, Preprocessing: f.Preprocessing, Image: s.Hash, Mirrored: mirrored}
}

// Read writes the features of a sample, or of its mirror image, to dst [C, h, w].
func (f *Features) Read(ctx context.Context, s sample.Sample, mirrored bool, dst []float32) error {
	if f.Store != nil {
		if ok, err := f.Store.Get(f.key(s, mirrored), f.Dims, dst); ok || err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.Input[0] * f.Input[1] * f.Input[2]
	f.pixels = slices.Grow(f.pixels[:0], n)[:n]
	if err := f.Pixels(ctx, s, f.pixels); err != nil {
		return err
	}
	if mirrored {
		mirror(f.pixels, f.Input[2])
	}
	out, err := f.Extractor.Extract(ctx, 1, f.pixels)
	if err != nil {
		return err
	}
	copy(dst, out)
	return f.keep(s, mirrored, dst)
}

// keep stores features and leaves in dst what reading them back will give.
func (f *Features) keep(s sample.Sample, mirrored bool, dst []float32) error {
	if f.Store == nil {
		return nil
	}
	f.Store.Round(dst)
	return f.Store.Put(f.key(s, mirrored), f.Dims, dst)
}

// extractBatch is how many inputs go through the extractor at once: enough to fill the cores, few
// enough to start showing progress at once.
const extractBatch = 16

// extraction is one input on its way to the extractor.
type extraction struct {
	sample   int
	mirrored bool
	pixels   []float32
	err      error
}

// Prepare makes sure that the store has the features of all samples (and of their mirror images),
// computing what is missing, decoding on all cores while the extractor runs. It returns the images that cannot be read, in the
// order of samples. progress is called with the number of inputs done and of those to be computed, first with 0.
func (f *Features) Prepare(ctx context.Context, samples []sample.Sample, mirrored bool, progress func(done, total int)) ([]Problem, error) {
	if f.Store == nil {
		return nil, nil
	}
	var missing []extraction
	seen := make(map[FeatureKey]bool, len(samples))
	for i, s := range samples {
		for _, flip := range []bool{false, true} {
			k := f.key(s, flip)
			if flip && !mirrored || seen[k] || f.Store.Has(k) {
				continue
			}
			seen[k] = true
			missing = append(missing, extraction{sample: i, mirrored: flip})
		}
	}
	progress(0, len(missing))
	if len(missing) == 0 {
		return nil, nil
	}
	return f.extract(ctx, samples, missing, progress)
}

func (f *Features) extract(ctx context.Context, samples []sample.Sample, missing []extraction, progress func(done, total int)) ([]Problem, error) {
	size := f.Input[0] * f.Input[1] * f.Input[2]
	workers := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(ctx)
	todo := make(chan extraction)
	decoded := make(chan extraction, extractBatch)
	buffers := make(chan []float32, 2*extractBatch+workers)
	for range cap(buffers) {
		buffers <- nil // made when first used
	}
	group.Go(func() error {
		defer close(todo)
		for _, e := range missing {
			select {
			case e.pixels = <-buffers:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			select {
			case todo <- e:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	var decoders sync.WaitGroup
	for range workers {
		decoders.Add(1)
		group.Go(func() error {
			defer decoders.Done()
			for e := range todo {
				e.pixels = slices.Grow(e.pixels[:0], size)[:size]
				e.err = f.Pixels(ctx, samples[e.sample], e.pixels)
				if err := context.Cause(ctx); err != nil {
					return err
				}
				if e.err == nil && e.mirrored {
					mirror(e.pixels, f.Input[2])
				}
				select {
				case decoded <- e:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		})
	}
	go func() { decoders.Wait(); close(decoded) }()

	broken := map[int]error{}
	group.Go(func() error {
		batch := make([]extraction, 0, extractBatch)
		stack := make([]float32, 0, extractBatch*size)
		done := 0
		flush := func() error {
			if len(batch) == 0 {
				return nil
			}
			if err := f.extractStack(ctx, samples, batch, stack); err != nil {
				return err
			}
			done += len(batch)
			progress(done, len(missing))
			batch, stack = batch[:0], stack[:0]
			return nil
		}
		for e := range decoded {
			if e.err != nil {
				broken[e.sample] = e.err
				done++
			} else {
				batch, stack = append(batch, e), append(stack, e.pixels...)
			}
			buffers <- e.pixels
			if len(batch) == extractBatch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return flush()
	})
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("compute features: %w", err)
	}
	var problems []Problem
	for _, i := range slices.Sorted(maps.Keys(broken)) {
		problems = append(problems, Problem{Sample: samples[i], Err: broken[i]})
	}
	return problems, nil
}

// extractStack runs the extractor over a stack of inputs and stores each row.
func (f *Features) extractStack(ctx context.Context, samples []sample.Sample, batch []extraction, stack []float32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	out, err := f.Extractor.Extract(ctx, len(batch), stack)
	if err != nil {
		return err
	}
	size := f.Size()
	if len(out) != len(batch)*size {
		return fmt.Errorf("the extractor gave %d values for %d images of %d", len(out), len(batch), size)
	}
	for i, e := range batch {
		if err := f.Store.Put(f.key(samples[e.sample], e.mirrored), f.Dims, out[i*size:(i+1)*size]); err != nil {
			return err
		}
	}
	return nil
}

// mirror flips rows of the given width left to right.
func mirror(values []float32, width int) {
	for start := 0; start < len(values); start += width {
		slices.Reverse(values[start : start+width])
	}
}

// featureInputs feeds a loop from Features.
type featureInputs struct {
	features *Features
	samples  []sample.Sample
}

func (f featureInputs) Size() int { return f.features.Size() }

func (f featureInputs) Read(ctx context.Context, sample int, mirrored bool, _ int, dst []float32) error {
	return f.features.Read(ctx, f.samples[sample], mirrored, dst)
}

// ImageFeatures is a FeatureStore seen as the features of one network by image hash: what a rescan
// reads from and adds to (inference.FeatureSource).
type ImageFeatures struct {
	Store         *FeatureStore
	ExtractorHash string
	Preprocessing string // manifest.Manifest.PreprocessingHash
	Dims          [3]int // C, h, w
}

func (f ImageFeatures) key(imageHash string) FeatureKey {
	return FeatureKey{Extractor: f.ExtractorHash, Preprocessing: f.Preprocessing, Image: imageHash}
}

// Get reads an image's features into dst [C, h, w] and reports whether they are there.
func (f ImageFeatures) Get(imageHash string, dst []float32) (bool, error) {
	return f.Store.Get(f.key(imageHash), f.Dims, dst)
}

// Put keeps an image's features [C, h, w].
func (f ImageFeatures) Put(imageHash string, features []float32) error {
	return f.Store.Put(f.key(imageHash), f.Dims, features)
}
