package jobs

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/postgres"
)

// tidyEvery is how often files that no row refers to are removed. forgottenAfter is the least age of such a file: far more than the
// time between a file's arrival and the commit of the row that refers to it.
const (
	tidyEvery      = 6 * time.Hour
	forgottenAfter = 24 * time.Hour
)

// periodicJobs are inserted by River's elected leader among the workers, so that one worker does them however many there are.
func periodicJobs() []*river.PeriodicJob {
	return []*river.PeriodicJob{
		river.NewPeriodicJob(river.PeriodicInterval(tidyEvery), func() (river.JobArgs, *river.InsertOpts) {
			return postgres.TidyArgs{}, &river.InsertOpts{Queue: postgres.LightWork, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: time.Minute}}
		}, &river.PeriodicJobOpts{RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(fingerprintEvery), func() (river.JobArgs, *river.InsertOpts) {
			return postgres.FingerprintArgs{}, postgres.FingerprintOpts()
		}, &river.PeriodicJobOpts{RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(rankEvery), func() (river.JobArgs, *river.InsertOpts) {
			return postgres.RankArgs{}, postgres.RankOpts()
		}, &river.PeriodicJobOpts{RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(tallyEvery), func() (river.JobArgs, *river.InsertOpts) {
			return postgres.TallyArgs{}, &river.InsertOpts{Queue: postgres.LightWork, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: tallyEvery}}
		}, &river.PeriodicJobOpts{RunOnStart: true}),
	}
}

// tidyWorker removes files that no row refers to, and updates which versions the engines can train.
type tidyWorker struct {
	river.WorkerDefaults[postgres.TidyArgs]
	worker *Worker
}

// Timeout is an hour, enough to sweep a large bucket.
func (*tidyWorker) Timeout(*river.Job[postgres.TidyArgs]) time.Duration { return time.Hour }

// Work tidies. A failure is not retried before the next periodic run.
func (t *tidyWorker) Work(ctx context.Context, _ *river.Job[postgres.TidyArgs]) error {
	return errors.Join(t.worker.askEngines(ctx), t.worker.Tidy(ctx, forgottenAfter), t.worker.Count(ctx))
}

// Tidy purges projects that were deleted long ago, removes uploaded models that were not added, and then every blob that no row refers to, if they are older than age. It leaves
// a blob store alone that belongs to another studio (blob.ErrOwned), whose rows are not known here.
func (w *Worker) Tidy(ctx context.Context, age time.Duration) error {
	if err := SweepIncoming(w.config.Data, w.config.Blobs); err != nil {
		return err
	}
	if _, err := disk.SweepTemporaryFolders(dataset.TemporaryPrefix); err != nil { // left by killed imports
		return err
	}
	studio, err := w.config.Store.Installation(ctx)
	if err != nil {
		return err
	}
	if err := w.config.Blobs.Claim(ctx, studio); err != nil {
		return err
	}
	purged, err := w.service.PurgeDeletedProjects(ctx, annotator.System)
	if err != nil {
		return err
	}
	if purged > 0 {
		w.log.InfoContext(ctx, "purged deleted projects", "projects", purged)
	}
	forgotten, err := w.config.Store.ForgetUploads(ctx, age)
	if err != nil {
		return err
	}
	if err := w.config.Store.RemoveExpiredSessions(ctx); err != nil {
		return err
	}
	if _, err := w.config.Store.ForgetDeliveries(ctx, w.service.Now().Add(-annotator.DeliveriesLast)); err != nil {
		return err
	}
	if importing, err := w.config.Store.Importing(ctx); err != nil || importing {
		return err // a running import has stored files whose rows come later
	}
	kept, err := w.config.Store.ReferencedBlobs(ctx)
	if err != nil {
		return err
	}
	if copied, err := w.config.Store.BackingUp(ctx); err != nil || copied {
		return err // a backup that runs may name files that no row refers to any more
	}
	removed, bytes, err := w.config.Blobs.Sweep(ctx, age, func(hash string) bool {
		_, used := kept[hash]
		return used
	})
	if removed > 0 || forgotten > 0 {
		w.log.InfoContext(ctx, "tidied", "uploads", forgotten, "blobs", removed, "bytes", bytes)
	}
	return err
}

// IncomingFolder is the folder below a data folder in which models are received.
func IncomingFolder(data string) string { return filepath.Join(data, "cache", "incoming") }

// FeaturesFolder is the folder below a data folder in which a worker keeps features.
func FeaturesFolder(data string) string { return filepath.Join(data, "cache", "features") }

// RoundsFolder is the folder below a data folder in which checkpoints of rounds lie.
func RoundsFolder(data string) string { return filepath.Join(data, "rounds") }

// StagingFolder is the folder below a data folder in which imports wait that are sent from a browser or the API.
func StagingFolder(data string) string { return filepath.Join(data, "imports") }

// SweepIncoming removes temporary files that killed processes left behind while they received a file. Files of running processes are
// left alone.
func SweepIncoming(data string, blobs *blob.Store) error {
	_, models := disk.SweepTemporary(IncomingFolder(data))
	_, files := blobs.SweepIncoming()
	return errors.Join(models, files)
}

// askEngines stores what the engines can train of every active version: this release may be able to train more than the one that
// added the model.
func (w *Worker) askEngines(ctx context.Context) error {
	versions, err := w.config.Store.ActiveVersions(ctx)
	if err != nil {
		return err
	}
	for _, v := range versions {
		opened, err := w.catalog.Opened(ctx, v)
		if err != nil {
			w.log.WarnContext(ctx, "what engines can train of a version is not known", "version", v.ID, "err", err)
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
