package trainer

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/trainer/sample"
)

// identity is the extractor of a network that is trained from its pixels.
type identity struct{}

func (identity) Extract(_ context.Context, _ int, pixels []float32) ([]float32, error) {
	return pixels, nil
}

// augmented gives a loop pixels that are cropped, mirrored and moved.
type augmented struct {
	*sampleFeatures
	samples []sample.Sample
	shift   int
	seed    int64
	crop    *cropper // nil: no crops
	view    []float32
}

// Read implements Inputs: an image as it is, or its mirror image.
func (a *augmented) Read(ctx context.Context, sample int, mirrored bool, _ int, dst []float32) error {
	if err := a.sampleFeatures.Read(ctx, a.samples[sample], false, dst); err != nil {
		return err
	}
	if mirrored {
		features.Mirror(dst, a.Dims[2])
	}
	return nil
}

// ReadRows implements rowInputs. It is called by one goroutine at a time.
func (a *augmented) ReadRows(ctx context.Context, rows []row, epoch int, dst []float32) error {
	size := a.Size()
	for i, r := range rows {
		input := dst[i*size : (i+1)*size]
		if err := a.Read(ctx, r.sample, false, epoch, input); err != nil {
			return fmt.Errorf("image %s: %w", a.samples[r.sample].Name, err)
		}
		if a.crop != nil {
			a.view = append(a.view[:0], input...)
			a.crop.pixels(input, a.view, a.crop.window(r.draw))
		}
		if r.mirrored {
			features.Mirror(input, a.Dims[2])
		}
		if a.shift != 0 {
			a.move(r.sample, epoch, input)
		}
	}
	return nil
}

// move moves a sample's pixels by the shift drawn for this epoch.
func (a *augmented) move(sample, epoch int, dst []float32) {
	height, width := a.Dims[1], a.Dims[2]
	rng := newOrderSource(a.seed, epoch)
	rng.Seed(rng.Uint64(), uint64(sample)) // a generator for each image, so that order does not matter
	span := uint64(2*a.shift + 1)
	dx, dy := int(rng.Uint64()%span)-a.shift, int(rng.Uint64()%span)-a.shift
	for c := range a.Dims[0] {
		move(dst[c*height*width:(c+1)*height*width], height, width, dy, dx)
	}
}

// move shifts a plane down by dy and right by dx, in place, repeating its edges.
func move(plane []float32, height, width, dy, dx int) {
	from := append([]float32(nil), plane...)
	for y := range height {
		line := from[min(max(y-dy, 0), height-1)*width:][:width]
		for x := range width {
			plane[y*width+x] = line[min(max(x-dx, 0), width-1)]
		}
	}
}
