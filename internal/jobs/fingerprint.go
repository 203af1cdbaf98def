package jobs

import (
	"context"
	"errors"
	"fmt"
	"image"
	"runtime"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/fingerprint"
	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/postgres"
)

const (
	// fingerprintEvery is how often it is looked for images without a fingerprint besides after each import.
	fingerprintEvery = time.Hour
	// fingerprintChunk is how many fingerprints are kept at once: what a worker that stops has not written yet is done again.
	fingerprintChunk = 256
)

// fingerprintWorker looks at the pictures that nobody has looked at.
type fingerprintWorker struct {
	river.WorkerDefaults[postgres.FingerprintArgs]
	worker *Worker
}

// Timeout is none: a large project has many pictures.
func (*fingerprintWorker) Timeout(*river.Job[postgres.FingerprintArgs]) time.Duration { return -1 }

// Work goes on until no image is left.
func (f *fingerprintWorker) Work(ctx context.Context, _ *river.Job[postgres.FingerprintArgs]) error {
	err := Fingerprint(ctx, f.worker.config.Store, f.worker.config.Blobs, 0, nil)
	if ctx.Err() != nil {
		return river.JobSnooze(0) // the worker stops: another goes on
	}
	return err
}

// FingerprintStore is what Fingerprint needs of the database.
type FingerprintStore interface {
	ImagesToFingerprint(ctx context.Context, projectID, after int64, limit int) ([]annotator.Image, error)
	SetFingerprints(ctx context.Context, images []int64, prints []fingerprint.Fingerprint) error
}

// Fingerprint computes the fingerprints that a project's images lack (project 0: those of all), and tells how many it has done. A
// picture that does not decode gets 0, which is like no other: the scan says what is wrong with it. One whose file is missing is passed
// over, and looked at when the file is there again.
func Fingerprint(ctx context.Context, store FingerprintStore, blobs *blob.Store, project int64, tell func(done int)) error {
	done := 0
	for after := int64(0); ; {
		images, err := store.ImagesToFingerprint(ctx, project, after, fingerprintChunk)
		if err != nil || len(images) == 0 {
			return err
		}
		found := make([]*fingerprint.Fingerprint, len(images))
		group, looking := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i, of := range images {
			after = of.ID
			group.Go(func() error {
				f, err := fingerprintOf(looking, blobs, of)
				switch {
				case errors.Is(err, annotator.ErrMissing):
					return nil
				case err != nil:
					return err
				}
				found[i] = &f
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		var ids []int64
		var prints []fingerprint.Fingerprint
		for i, f := range found {
			if f != nil {
				ids, prints = append(ids, images[i].ID), append(prints, *f)
			}
		}
		if err := store.SetFingerprints(ctx, ids, prints); err != nil {
			return err
		}
		if done += len(images); tell != nil {
			tell(done)
		}
	}
}

// fingerprintOf looks at one picture. Only a fault of ours is an error.
func fingerprintOf(ctx context.Context, blobs *blob.Store, of annotator.Image) (f fingerprint.Fingerprint, err error) {
	file, err := blobs.Open(ctx, of.Hash)
	if err != nil {
		return 0, fmt.Errorf("the picture of image %d: %w", of.ID, err)
	}
	defer file.Close()
	err = picture.Process().Decode(ctx, file, nil, func(_ context.Context, img image.Image, h picture.Header) error {
		f = fingerprint.Of(img, h.Orientation)
		return nil
	})
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err != nil {
		return 0, nil // it looks like nothing
	}
	return f, nil
}
