package trainer

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/sample"
)

// rowInputs gives the inputs of a run's batches.
type rowInputs interface {
	// Size is the length of one input: C·h·w, or 3·H·W.
	Size() int
	// ReadRows writes the inputs of rows, each with its own crop and mirroring, to dst [len(rows), Size]. An error names the
	// image.
	ReadRows(ctx context.Context, rows []row, epoch int, dst []float32) error
}

// RowReaders is how many of a batch's rows are read from the store at the same time. With one, the disk would be idle while the
// processor checks and decodes the row before.
const RowReaders = 4

// ReadRows implements rowInputs, from the store.
func (f featureInputs) ReadRows(ctx context.Context, rows []row, epoch int, dst []float32) error {
	size := f.Size()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(RowReaders)
	for i, r := range rows {
		group.Go(func() error {
			if err := f.Read(ctx, r.sample, r.mirrored, epoch, dst[i*size:(i+1)*size]); err != nil {
				return fmt.Errorf("image %s: %w", f.samples[r.sample].Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// croppedInputs gives a loop the features of random resized crops. No two crops are equal, so features are not kept. While the
// engine trains on one batch, the pictures of the next are decoded on all cores, cropped and mirrored, and the extractor runs
// over them together.
type croppedInputs struct {
	features *sampleFeatures
	samples  []sample.Sample
	crop     *cropper

	views, stack []float32 // [n, 3, H, W]: the whole views, and the crops
}

// Size implements rowInputs.
func (c *croppedInputs) Size() int { return c.features.Size() }

// ReadRows implements rowInputs. It is called by one goroutine at a time.
func (c *croppedInputs) ReadRows(ctx context.Context, rows []row, _ int, dst []float32) error {
	size := c.Size()
	for start := 0; start < len(rows); start += features.Batch {
		end := min(start+features.Batch, len(rows))
		if err := c.extract(ctx, rows[start:end], dst[start*size:end*size]); err != nil {
			return err
		}
	}
	return nil
}

// expectCrops adds the time for a batch's features to the expected time of a step, since both use the same cores.
func (r *round) expectCrops() {
	if r.spec.Settings.Crop == 0 {
		return
	}
	batch := time.Duration(r.spec.Settings.BatchSize) * cmp.Or(r.meter.Each(progress.Features), featurePrior)
	for _, p := range r.plan {
		if _, _, trained := p.Stage.Arm(); trained {
			r.meter.Expect(p.Stage, r.outcome.Steps, r.meter.Each(p.Stage)+batch)
		}
	}
}

// inputs are the inputs of training images: cached features, or features of crops.
func (r *round) inputs(s recipe.Settings, train []sample.Sample) rowInputs {
	if s.Crop == 0 {
		return featureInputs{r.features, train}
	}
	return &croppedInputs{features: r.features, samples: train, crop: newCropper(s, r.net.input)}
}

func (c *croppedInputs) extract(ctx context.Context, rows []row, dst []float32) error {
	f := c.features
	size := f.Input[0] * f.Input[1] * f.Input[2]
	n := len(rows) * size
	c.views, c.stack = slices.Grow(c.views[:0], n)[:n], slices.Grow(c.stack[:0], n)[:n]
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, r := range rows {
		view, input := c.views[i*size:(i+1)*size], c.stack[i*size:(i+1)*size]
		group.Go(func() error {
			s := c.samples[r.sample]
			if err := f.pixels(inner, s, view); err != nil {
				return fmt.Errorf("image %s: %w", s.Name, err)
			}
			c.crop.pixels(input, view, c.crop.window(r.draw))
			if r.mirrored {
				features.Mirror(input, f.Input[2])
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := f.Extract(ctx, len(rows), c.stack, dst); err != nil {
		return fmt.Errorf("features of crops: %w", err)
	}
	return nil
}
