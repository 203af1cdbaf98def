package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image/png"
	"os"
	"runtime"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/progress"
)

// ImageStore is where an import puts what it found (postgres.Store).
type ImageStore interface {
	SetClasses(ctx context.Context, projectID int64, classes []annotator.Class) error
	AddImages(ctx context.Context, projectID int64, images []annotator.NewImage) (added int, err error)
}

// ImportOptions are the choices of an import.
type ImportOptions struct {
	MaxPixels int64                            // of one picture; 0: inference.DefaultMaxPixels
	Split     annotator.Split                  // for images whose data set names no split; "": train
	Progress  func(done, total int)            // may be nil
	Warn      func(image string, reason error) // may be nil; an image that is stored as broken
}

// ImportReport counts what an import did.
type ImportReport struct {
	Images  int `json:"images"`  // in the data set
	Added   int `json:"added"`   // new to the project
	Known   int `json:"known"`   // of the same name as one that is there
	Broken  int `json:"broken"`  // stored, marked as unreadable, and left out of everything else
	Skipped int `json:"skipped"` // files that are no pictures
	Missing int `json:"missing"` // named by the data set's lists and not there
}

// importBatch is how many images go to the database at once.
const importBatch = 256

// Import brings a data set's images into a project: each file into the blob store under its hash, its row into the
// database. Repeating an import adds what is new. A file that is no readable picture is stored as broken, with the reason.
func Import(ctx context.Context, store ImageStore, blobs *blob.Store, projectID int64, d *dataset.Dataset, o ImportOptions) (ImportReport, error) {
	report := ImportReport{Images: len(d.Samples), Skipped: len(d.Skipped), Missing: len(d.Missing)}
	classes := make([]annotator.Class, len(d.Classes))
	for i, key := range d.Classes {
		classes[i] = annotator.Class{Index: i, Key: key, Name: ClassName(key)}
	}
	if len(classes) > 0 {
		if err := store.SetClasses(ctx, projectID, classes); err != nil {
			return report, fmt.Errorf("import %s: %w", d.Dir, err)
		}
	}
	for start := 0; start < len(d.Samples); start += importBatch {
		samples := d.Samples[start:min(start+importBatch, len(d.Samples))]
		images := make([]annotator.NewImage, len(samples))
		group, batch := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i, s := range samples {
			group.Go(func() (err error) {
				images[i], err = importImage(batch, blobs, s, o)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return report, fmt.Errorf("import %s: %w", d.Dir, err)
		}
		for _, image := range images {
			if image.Broken != "" {
				report.Broken++
				if o.Warn != nil {
					o.Warn(image.Name, errors.New(image.Broken))
				}
			}
		}
		added, err := store.AddImages(ctx, projectID, images)
		if err != nil {
			return report, fmt.Errorf("import %s: %w", d.Dir, err)
		}
		report.Added += added
		report.Known += len(images) - added
		if o.Progress != nil {
			o.Progress(start+len(samples), len(d.Samples))
		}
	}
	return report, nil
}

// importImage stores one file and its mask. Only a fault of ours is an error; the picture's own make it broken.
func importImage(ctx context.Context, blobs *blob.Store, s dataset.Sample, o ImportOptions) (annotator.NewImage, error) {
	image := annotator.NewImage{Name: s.Name, Split: annotator.Split(s.Split), Class: s.Class, Group: s.Group}
	if image.Split == "" {
		image.Split = annotator.SplitTrain
		if o.Split != "" {
			image.Split = o.Split
		}
	}
	data, err := os.ReadFile(s.Path)
	if err != nil {
		image.Broken = err.Error()
		image.Hash = hashOf(nil)
		return image, nil
	}
	info, err := inference.Inspect(data, o.MaxPixels)
	if err != nil {
		image.Broken = err.Error()
		image.Hash = hashOf(data)
		return image, nil
	}
	image.Width, image.Height = info.Width, info.Height
	if image.Hash, _, err = blobs.Put(ctx, bytes.NewReader(data)); err != nil {
		return image, fmt.Errorf("store %s: %w", s.Name, err)
	}
	if s.Mask == "" {
		return image, nil
	}
	mask, err := dataset.Mask(s.Mask)
	if err != nil {
		return image, nil // a mask that can't be read is a mask that isn't known
	}
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, mask); err != nil {
		return image, fmt.Errorf("encode the mask of %s: %w", s.Name, err)
	}
	if image.MaskHash, _, err = blobs.Put(ctx, &encoded); err != nil {
		return image, fmt.Errorf("store the mask of %s: %w", s.Name, err)
	}
	return image, nil
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// importWorker brings in a folder that the worker's machine can see.
type importWorker struct {
	river.WorkerDefaults[postgres.ImportArgs]
	worker *Worker
}

// Timeout is none: an import takes as long as there are files.
func (*importWorker) Timeout(*river.Job[postgres.ImportArgs]) time.Duration { return -1 }

// Work imports; a repeat after a crash adds what is missing.
func (iw *importWorker) Work(ctx context.Context, job *river.Job[postgres.ImportArgs]) error {
	store := iw.worker.config.Store
	d, err := dataset.Open(job.Args.Format, job.Args.Dir)
	if err == nil {
		_, err = TrackedImport(ctx, store, iw.worker.config.Blobs, job.Args.JobID, job.Args.ProjectID, d, ImportOptions{MaxPixels: iw.worker.config.MaxPixels})
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return river.JobSnooze(0)
	case errors.Is(err, annotator.ErrUnavailable) && job.Attempt < job.MaxAttempts:
		return err
	default:
		return store.FailJob(context.WithoutCancel(ctx), job.Args.JobID, err.Error())
	}
}

// TrackedImport is Import under a job whose progress pages show.
func TrackedImport(ctx context.Context, store *postgres.Store, blobs *blob.Store, jobID, projectID int64, d *dataset.Dataset, o ImportOptions) (ImportReport, error) {
	if err := store.StartJob(ctx, jobID, len(d.Samples)); err != nil {
		return ImportReport{}, err
	}
	start, tell := time.Now(), o.Progress
	o.Progress = func(done, total int) {
		// A progress that cannot be written is made up for by the next one.
		_ = store.SetJobProgress(ctx, jobID, progress.Of(progress.Reading, done, total, time.Since(start)))
		if tell != nil {
			tell(done, total)
		}
	}
	report, err := Import(ctx, store, blobs, projectID, d, o)
	if err != nil {
		return report, err
	}
	message := ""
	if report.Broken > 0 {
		message = fmt.Sprintf("%d of %d images cannot be read", report.Broken, report.Images)
	}
	return report, store.FinishJob(ctx, jobID, message)
}
