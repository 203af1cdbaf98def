package jobs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/orders"
	"github.com/abn-studio/studio/internal/postgres"
)

const (
	// rankEvery is how often it is looked for places that are due besides after each scan, such as since maps were approved.
	rankEvery = 10 * time.Minute
	// spreadOf is of how many mistakes images far apart are chosen, and spreadPlaces how many: far more than are painted before the next
	// version. With 2048 channels that is 80 MB, and 20 G multiplications.
	spreadOf     = 10_000
	spreadPlaces = 1_000
	// reservePage is how many maps of the reserve are read at once.
	reservePage = 500
)

// rankWorker works out the places of images in the orders of the queue, where a project's mix asks for them.
type rankWorker struct {
	river.WorkerDefaults[postgres.RankArgs]
	worker *Worker
}

// Timeout is none: a large project has many masks.
func (*rankWorker) Timeout(*river.Job[postgres.RankArgs]) time.Duration { return -1 }

// Work goes on until no project is due. One whose places cannot be worked out does not keep others from theirs.
func (r *rankWorker) Work(ctx context.Context, _ *river.Job[postgres.RankArgs]) error {
	w := r.worker
	failed, times := map[int64]error{}, map[int64]int{}
	for again := true; again; {
		due, err := w.config.Store.DueQueues(ctx)
		if err != nil {
			return err
		}
		again = false
		for _, queue := range due {
			if failed[queue.ProjectID] != nil || times[queue.ProjectID] == 2 { // a clock may be behind the database's; the next job looks again
				continue
			}
			times[queue.ProjectID]++
			err := RankQueue(ctx, w.config.Store, w.catalog, w.features, queue)
			switch {
			case ctx.Err() != nil:
				return river.JobSnooze(0) // the worker stops: another goes on
			case err != nil:
				failed[queue.ProjectID] = fmt.Errorf("the queue of project %d: %w", queue.ProjectID, err)
			default:
				again = true
			}
		}
	}
	var all error
	for _, err := range failed {
		all = errors.Join(all, err)
	}
	return all
}

// RankQueue works out the places of a project's images in the orders that its mix has.
func RankQueue(ctx context.Context, store Store, catalog *Catalog, kept *features.Store, due postgres.DueQueue) error {
	project, err := store.ProjectByID(ctx, due.ProjectID)
	if err != nil {
		return err
	}
	version, err := store.ActiveVersion(ctx, project.ID)
	switch {
	case errors.Is(err, annotator.ErrNotFound):
		return store.QueueRanked(ctx, due)
	case err != nil:
		return err
	}
	if project.Mix.Asks(orders.Confusion) {
		if err := store.RankConfusions(ctx, version.ID); err != nil {
			return err
		}
	}
	if project.Mix.Asks(orders.Diverse) {
		if err := rankDiverse(ctx, store, catalog, kept, version); err != nil {
			return err
		}
	}
	if project.Mix.Asks(orders.WrongReason) {
		if err := rankReasons(ctx, store, catalog, version); err != nil {
			return err
		}
	}
	return store.QueueRanked(ctx, due)
}

// rankDiverse spreads a version's mistakes by the mean of their features g(x) over the cells. A picture that cannot be read any more has no
// place.
func rankDiverse(ctx context.Context, store Store, catalog *Catalog, kept *features.Store, version annotator.Version) error {
	images, err := store.MistakesToSpread(ctx, version.ID, spreadOf)
	if err != nil || len(images) == 0 {
		return err
	}
	manifest, err := version.ReadManifest()
	if err != nil {
		return err
	}
	network, err := catalog.Network(ctx, version)
	if err != nil {
		return err
	}
	pixels, err := catalog.Pixels(manifest)
	if err != nil {
		return err
	}
	sizes := network.Sizes()
	dims := [3]int{sizes.Channels, sizes.GridHeight, sizes.GridWidth}
	view := kept.View(features.Origin{Extractor: version.ExtractorHash, Preprocessing: manifest.PreprocessingHash()}, dims)
	reader := &features.Reader{View: view, Extractor: network, Input: [3]int{sizes.ImageChannels, sizes.ImageHeight, sizes.ImageWidth}, Dims: dims}
	defer reader.Close()
	values := make([]float32, reader.Size())
	var points [][]float32
	var ids []int64
	for _, image := range images {
		read := features.Image{Hash: image.Hash, Pixels: func(ctx context.Context, dst []float32) error { return pixels(ctx, image.Hash, dst) }}
		if err := reader.Read(ctx, read, false, values); err != nil {
			if ctx.Err() != nil || errors.Is(err, annotator.ErrUnavailable) || errors.Is(err, annotator.ErrFull) {
				return err
			}
			continue
		}
		points, ids = append(points, pooled(values, sizes.Channels)), append(ids, image.ID)
	}
	var placed []int64
	for _, i := range orders.Spread(points, spreadPlaces) {
		placed = append(placed, ids[i])
	}
	return store.SetDiverse(ctx, version.ID, placed)
}

// pooled is the mean of features [C, h, w] over the cells: [C].
func pooled(values []float32, channels int) []float32 {
	cells := len(values) / channels
	out := make([]float32, channels)
	for c := range out {
		var sum float32
		for _, v := range values[c*cells:][:cells] {
			sum += v
		}
		out[c] = sum / float32(cells)
	}
	return out
}

// rankReasons looks where a version attends on the images that it gets right: inside the mask, where there is one, else how far its map is
// from the mean approved map of the class. A class without approved maps has no such distance.
func rankReasons(ctx context.Context, store Store, catalog *Catalog, version annotator.Version) error {
	edited, err := store.EditedImages(ctx, version.ID)
	if err != nil {
		return err
	}
	means := map[int]*attention.Mean{}
	for _, e := range edited {
		if means[*e.Image.Label] == nil {
			means[*e.Image.Label] = attention.NewMean(version.GridHeight, version.GridWidth)
		}
		means[*e.Image.Label].Add(e.Map)
	}
	approved := map[int]attention.Map{}
	for class, mean := range means {
		approved[class] = mean.Map()
	}
	for after := int64(0); ; {
		page, err := store.ReservedMaps(ctx, version.ID, after, reservePage)
		if err != nil {
			return err
		}
		var found []postgres.Suspicion
		for _, of := range page {
			after = of.Image.ID
			s := postgres.Suspicion{ImageID: of.Image.ID}
			if of.Image.MaskHash != "" {
				mask, err := catalog.Mask(ctx, version, of.Image)
				if ctx.Err() != nil || errors.Is(err, annotator.ErrUnavailable) {
					return err
				}
				if err != nil { // the image has no place, and the others do not wait for its mask
					continue
				}
				inside := float32(of.Map.InsideFraction(mask))
				s.Inside = &inside
			} else if mean, known := approved[*of.Image.Label]; known {
				distance := float32(of.Map.Distance(mean) / math.Sqrt(float64(len(mean.Values))))
				s.Distance = &distance
			}
			found = append(found, s)
		}
		if err := store.SetSuspicions(ctx, version.ID, found); err != nil {
			return err
		}
		if len(page) < reservePage {
			return store.RankReasons(ctx, version.ID)
		}
	}
}
