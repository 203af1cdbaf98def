package jobs

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/postgres"
)

// tidyEvery is how often what nothing refers to is removed; forgottenAfter is how old that must be, far longer than any
// transaction between a file's arrival and the row that refers to it.
const (
	tidyEvery      = 6 * time.Hour
	forgottenAfter = 24 * time.Hour
)

// periodicJobs are inserted by whichever worker leads, so that one does the work however many there are.
func periodicJobs() []*river.PeriodicJob {
	return []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(tidyEvery), func() (river.JobArgs, *river.InsertOpts) {
		return postgres.TidyArgs{}, &river.InsertOpts{Queue: postgres.LightWork, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: time.Minute}}
	}, &river.PeriodicJobOpts{RunOnStart: true})}
}

// tidyWorker removes what nothing refers to, and asks anew what the engines can train.
type tidyWorker struct {
	river.WorkerDefaults[postgres.TidyArgs]
	worker *Worker
}

// Timeout bounds a sweep of a large bucket.
func (*tidyWorker) Timeout(*river.Job[postgres.TidyArgs]) time.Duration { return time.Hour }

// Work tidies. What fails is tried again at the next time.
func (t *tidyWorker) Work(ctx context.Context, _ *river.Job[postgres.TidyArgs]) error {
	return errors.Join(t.worker.askEngines(ctx), t.worker.Tidy(ctx, forgottenAfter))
}

// Tidy removes uploaded models that nobody added and then every blob that no row refers to, each where it is older than age. A
// blob store that another studio uses too is left alone (blob.ErrOwned): its rows are not known here.
func (w *Worker) Tidy(ctx context.Context, age time.Duration) error {
	if err := SweepIncoming(w.config.Data, w.config.Blobs); err != nil {
		return err
	}
	if _, err := disk.SweepTemporaryFolders(dataset.TemporaryPrefix); err != nil { // of imports that were killed here
		return err
	}
	studio, err := w.config.Store.Installation(ctx)
	if err != nil {
		return err
	}
	if err := w.config.Blobs.Claim(ctx, studio); err != nil {
		return err
	}
	forgotten, err := w.config.Store.ForgetUploads(ctx, age)
	if err != nil {
		return err
	}
	if err := w.config.Store.RemoveExpiredSessions(ctx); err != nil {
		return err
	}
	if importing, err := w.config.Store.Importing(ctx); err != nil || importing {
		return err // an import's files are there before the rows that refer to them, however long it takes
	}
	kept, err := w.config.Store.ReferencedBlobs(ctx)
	if err != nil {
		return err
	}
	removed, bytes, err := w.config.Blobs.Sweep(ctx, age, func(hash string) bool {
		_, used := kept[hash]
		return used
	})
	if removed > 0 || forgotten > 0 {
		w.log.Info("tidied", "uploads", forgotten, "blobs", removed, "bytes", bytes)
	}
	return err
}

// IncomingFolder is where models are received below a data folder.
func IncomingFolder(data string) string { return filepath.Join(data, "cache", "incoming") }

// SweepIncoming removes what processes left behind that were killed while a file was on its way into the studio. Those of
// living processes are left alone.
func SweepIncoming(data string, blobs *blob.Store) error {
	_, models := disk.SweepTemporary(IncomingFolder(data))
	_, files := blobs.SweepIncoming()
	return errors.Join(models, files)
}

// askEngines writes down what the engines can train of every active version: a later release may be able to do more than the
// one that added the model.
func (w *Worker) askEngines(ctx context.Context) error {
	versions, err := w.config.Store.ActiveVersions(ctx)
	if err != nil {
		return err
	}
	for _, v := range versions {
		opened, err := w.catalog.Opened(ctx, v)
		if err != nil {
			w.log.Warn("what engines can train of a version is not known", "version", v.ID, "err", err)
			continue
		}
		training, err := trainabilityOf(ctx, opened)
		if err != nil {
			return err
		}
		if err := w.config.Store.SetTraining(ctx, v.ID, training); err != nil {
			return err
		}
	}
	return nil
}
