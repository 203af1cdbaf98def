package features

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Image is a picture for a Reader.
type Image struct {
	Hash string // SHA-256 of the file
	// Pixels writes the network's input x, [3, H, W] after preprocessing, to dst. It is called from several goroutines at once.
	// An error counts as a fault of the image, unless ctx has ended.
	Pixels func(ctx context.Context, dst []float32) error
}

// Extractor computes g(x): pixels [n, 3, H, W] → features [n, C, h, w]. It is called by one
// goroutine at a time; the result may be overwritten by the next call.
type Extractor interface {
	Extract(ctx context.Context, n int, pixels []float32) ([]float32, error)
}

// Batch is how many inputs go through an extractor at once: enough to keep the cores busy, few enough that progress is shown
// soon.
const Batch = 16

// Reader gives g(x) of images, from the store or else from the extractor; what is computed is stored. It is safe for concurrent
// use.
type Reader struct {
	View      *View // nil: everything is computed every time
	Extractor Extractor
	Input     [3]int // 3, H, W
	Dims      [3]int // C, h, w

	mu sync.Mutex // held while Extractor is at work
}

// Size is the length of one image's features, C·h·w.
func (r *Reader) Size() int { return r.Dims[0] * r.Dims[1] * r.Dims[2] }

func (r *Reader) inputSize() int { return r.Input[0] * r.Input[1] * r.Input[2] }

// Read writes the features of an image, or of its mirror image, to dst [C, h, w]. Errors are those of Image.Pixels and of the
// extractor; a store that fails is none.
func (r *Reader) Read(ctx context.Context, image Image, mirrored bool, dst []float32) error {
	if r.View != nil && r.View.get(image.Hash, mirrored, dst) {
		return nil
	}
	pixels := make([]float32, r.inputSize())
	if err := image.Pixels(ctx, pixels); err != nil {
		return err
	}
	if mirrored {
		Mirror(pixels, r.Input[2])
	}
	if err := r.Extract(ctx, 1, pixels, dst); err != nil || r.View == nil {
		return err
	}
	r.View.store.Round(dst) // the same numbers as when read back
	r.View.put(image.Hash, mirrored, dst)
	return nil
}

// Close allows eviction of what was read (View.Close).
func (r *Reader) Close() {
	if r.View != nil {
		r.View.Close()
	}
}

// Extract runs the extractor over pixels [n, 3, H, W] and writes the features to dst [n, C, h, w]. It waits while another call is
// at work.
func (r *Reader) Extract(ctx context.Context, n int, pixels, dst []float32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	out, err := r.Extractor.Extract(ctx, n, pixels)
	if err != nil {
		return err
	}
	if len(out) != n*r.Size() || len(dst) != len(out) {
		return fmt.Errorf("the extractor gave %d values for %d images of %d", len(out), n, r.Size())
	}
	copy(dst, out)
	return nil
}

// Mirror reverses each row of values, which are rows of width values, in place.
func Mirror(values []float32, width int) {
	for start := 0; start < len(values); start += width {
		slices.Reverse(values[start : start+width])
	}
}
