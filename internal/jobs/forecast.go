package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/sample"
)

// forecastWorker works out whether a project's approved maps are likely to pay.
type forecastWorker struct {
	river.WorkerDefaults[postgres.ForecastArgs]
	worker *Worker
}

// Timeout is none: it takes as long as there are edited images.
func (*forecastWorker) Timeout(*river.Job[postgres.ForecastArgs]) time.Duration { return -1 }

// Work makes the forecast and stores it. What was approved meanwhile may make another one due.
func (f *forecastWorker) Work(ctx context.Context, part *river.Job[postgres.ForecastArgs]) error {
	store := f.worker.config.Store
	if err := store.StartJob(ctx, part.Args.JobID, 0); err != nil {
		if errors.Is(err, annotator.ErrNotFound) { // it was ended, with its project
			return nil
		}
		return err
	}
	version, err := f.forecast(ctx, part.Args)
	if err != nil {
		switch {
		case ctx.Err() != nil: // the worker stops: another one will make it
			return river.JobSnooze(0)
		case annotator.Passes(err), part.Attempt < part.MaxAttempts:
			return err
		}
		f.worker.giveUp(ctx, err.Error())
		return store.FailJob(context.WithoutCancel(ctx), part.Args.JobID, err.Error())
	}
	return store.InTx(ctx, func(tx annotator.Store) error {
		if err := tx.FinishJob(ctx, part.Args.JobID, ""); err != nil {
			return err
		}
		return annotator.ConsiderForecast(ctx, tx, version.ProjectID)
	})
}

func (f *forecastWorker) forecast(ctx context.Context, args postgres.ForecastArgs) (annotator.Version, error) {
	w := f.worker
	version, err := w.config.Store.Version(ctx, args.VersionID)
	if err != nil {
		return version, err
	}
	meter := progress.NewMeter(func(p progress.Progress) {
		if err := w.config.Store.SetJobProgress(ctx, args.JobID, p); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "forecast: progress not written", "err", err)
		}
	})
	made, rows, err := Forecast(ctx, w.config.Store, w.catalog, w.features, version, meter)
	if err != nil {
		return version, err
	}
	meter.Finish()
	return version, w.config.Store.SetForecast(ctx, made, rows)
}

// Forecast works out what a version answers with the approved maps of its project in place.
func Forecast(ctx context.Context, store Store, catalog *Catalog, kept *features.Store, version annotator.Version, meter *progress.Meter) (made annotator.Forecast, rows []forecast.RowInPlace, err error) {
	images, err := store.EditedImages(ctx, version.ID)
	if err != nil {
		return made, nil, err
	}
	made = annotator.Forecast{VersionID: version.ID, Edits: []int64{}}
	var edited []sample.Sample
	for _, e := range images {
		made.Edits = append(made.Edits, e.EditID)
		edited = append(edited, sample.Sample{ID: e.Image.ID, Name: e.Image.Name, Hash: e.Image.Hash, Label: *e.Image.Label, Group: e.Image.Group, Edited: e.Map})
	}
	manifest, err := version.ReadManifest()
	if err != nil {
		return made, nil, err
	}
	network, err := catalog.Network(ctx, version)
	if err != nil {
		return made, nil, err
	}
	pixels, err := catalog.Pixels(manifest)
	if err != nil {
		return made, nil, err
	}
	sizes := network.Sizes()
	dims := [3]int{sizes.Channels, sizes.GridHeight, sizes.GridWidth}
	view := kept.View(features.Origin{Extractor: version.ExtractorHash, Preprocessing: manifest.PreprocessingHash()}, dims)
	defer view.Close()
	meter.Plan(trainer.ForecastPlan(len(edited))...)
	rows, skipped, err := trainer.Forecast(ctx, trainer.ForecastSpec{
		Network: network, Input: [3]int{sizes.ImageChannels, sizes.ImageHeight, sizes.ImageWidth}, Dims: dims, Classes: sizes.Classes, Edited: edited,
		Pixels: func(ctx context.Context, s sample.Sample, dst []float32) error { return pixels(ctx, s.Hash, dst) }, View: view, Meter: meter,
	})
	if err != nil {
		return made, nil, err
	}
	if made.Table, err = trainer.JudgeForecast(rows); err != nil && len(skipped) > 0 {
		err = fmt.Errorf("%w, the first: %s: %w", err, skipped[0].Sample.Name, skipped[0].Err)
	}
	return made, rows, err
}
