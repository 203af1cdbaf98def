package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
)

// addWorker runs an uploaded model once and makes a version of it.
type addWorker struct {
	river.WorkerDefaults[postgres.AddArgs]
	worker *Worker
}

// Timeout is 15 minutes, so that a model that never answers does not hold a worker.
func (*addWorker) Timeout(*river.Job[postgres.AddArgs]) time.Duration { return 15 * time.Minute }

// Work checks the model as Models.Try does. What is wrong with the model is stored with the upload, for its page to show.
func (a *addWorker) Work(ctx context.Context, part *river.Job[postgres.AddArgs]) error {
	store := a.worker.config.Store
	upload, err := store.Upload(ctx, part.Args.UploadID)
	if err != nil {
		return err
	}
	if upload.State != annotator.UploadAdding {
		return store.FinishJob(ctx, part.Args.JobID, "")
	}
	if err := store.StartJob(ctx, part.Args.JobID, 1); err != nil {
		return err
	}
	if upload, err = store.TryUpload(ctx, upload.ID); err != nil {
		return err
	}
	if upload.BringsWorkersDown() {
		return a.refuse(ctx, part.Args, "ONNX Runtime did not survive running it: the worker was lost each time")
	}
	version, err := a.check(ctx, upload)
	if err := store.TriedUpload(context.WithoutCancel(ctx), upload.ID); err != nil {
		return err
	}
	if err == nil {
		_, err = a.worker.service.FinishUpload(ctx, upload.ID, part.Args.JobID, version)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, annotator.ErrUnavailable), ctx.Err() != nil && part.Attempt < part.MaxAttempts:
		return err // the database or the bucket was away, or this worker stops: another tries again
	}
	return a.refuse(ctx, part.Args, reasonOf(err))
}

func (a *addWorker) refuse(ctx context.Context, part postgres.AddArgs, why string) error {
	a.worker.giveUp(ctx, why)
	return a.worker.service.RefuseUpload(context.WithoutCancel(ctx), part.UploadID, part.JobID, why)
}

// check opens the model on ONNX Runtime.
func (a *addWorker) check(ctx context.Context, u annotator.Upload) (annotator.NewVersion, error) {
	path, err := a.worker.config.Blobs.Path(ctx, u.ModelHash)
	if err != nil {
		return annotator.NewVersion{}, err
	}
	manifest, err := u.ReadManifest()
	if err != nil {
		return annotator.NewVersion{}, err
	}
	// First in a child process: a model that takes all memory or crashes the runtime must not end the worker.
	if _, err := runInspection(ctx, request{Do: doTry, File: path, Manifest: u.Manifest, RunLimit: a.worker.config.RunLimit}, inspectionLimits(u.Bytes).ofTrial(a.worker.config.RunLimit, manifest.Crop[0]*manifest.Crop[1])); err != nil {
		return annotator.NewVersion{}, err
	}
	opened, err := a.worker.catalog.networks.Open(ctx, u.ModelHash, u.Manifest)
	if err != nil {
		return annotator.NewVersion{}, err
	}
	version, err := checkModel(ctx, opened, a.worker.config.RunLimit)
	version.ModelHash, version.Bytes = u.ModelHash, u.Bytes
	return version, err
}

// reasonOf returns an error's text as the page shows it.
func reasonOf(err error) string {
	var invalid *annotator.ValidationError
	if errors.As(err, &invalid) && invalid.Field == "model" { // the page need not name the field: it is about the model
		return invalid.Message
	}
	if invalid != nil {
		return invalid.Field + " " + invalid.Message
	}
	return err.Error()
}
