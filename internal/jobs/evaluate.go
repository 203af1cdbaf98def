package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// evaluateWorker computes a version's figures from its predictions.
type evaluateWorker struct {
	river.WorkerDefaults[postgres.EvaluateArgs]
	worker *Worker
}

// Timeout is none: a large project has many masks.
func (*evaluateWorker) Timeout(*river.Job[postgres.EvaluateArgs]) time.Duration { return -1 }

// Work evaluates and stores the figures.
func (e *evaluateWorker) Work(ctx context.Context, part *river.Job[postgres.EvaluateArgs]) error {
	store := e.worker.config.Store
	if err := store.StartJob(ctx, part.Args.JobID, 1); err != nil {
		return err
	}
	if err := Evaluate(ctx, store, e.worker.catalog, part.Args.VersionID); err != nil {
		switch {
		case ctx.Err() != nil: // the worker stops: another one will evaluate
			return river.JobSnooze(0)
		case annotator.Passes(err), part.Attempt < part.MaxAttempts:
			return err
		}
		e.worker.giveUp(ctx, err.Error())
		return store.FailJob(context.WithoutCancel(ctx), part.Args.JobID, err.Error())
	}
	return store.FinishJob(ctx, part.Args.JobID, "")
}

// leftOutFigure counts the labelled images of a split that its other figures are computed without.
const leftOutFigure = "left_out"

// Evaluate computes a version's figures from its predictions and stores them: for each split "SPLIT/accuracy", "SPLIT/top5",
// "SPLIT/attention_branch", and, where groups and masks are known, "SPLIT/worst_group" and "SPLIT/attention_inside". All are in
// [0,1]. Images that are left out do not count: in train and pool those whose label is in doubt. "SPLIT/left_out" is the number of them.
// Predictions are read a page at a time, and none is kept.
func Evaluate(ctx context.Context, store Store, catalog *Catalog, versionID int64) error {
	version, err := store.Version(ctx, versionID)
	if err != nil {
		return err
	}
	figures := map[string]float64{}
	for _, split := range []annotator.Split{annotator.SplitTrain, annotator.SplitValidation, annotator.SplitTest, annotator.SplitPool} {
		leftOut, err := store.LeftOut(ctx, version.ProjectID, split)
		if err != nil {
			return err
		}
		var summary measure.Summary
		err = store.EachPrediction(ctx, version, split, func(image annotator.Image, p annotator.Prediction) error {
			counts := image.Teaches()
			if split.HeldOut() {
				counts = image.Measured()
			}
			if !counts || image.Label == nil {
				return nil
			}
			s, result, err := judge(ctx, catalog, version, image, p)
			if err == nil {
				summary.Add(s, result)
			}
			return err
		})
		if err != nil {
			return err
		}
		e := summary.Evaluation()
		if e.Images == 0 {
			continue
		}
		if _, told := version.Figures[string(split)+"/"+leftOutFigure]; split.HeldOut() || leftOut > 0 || told {
			figures[string(split)+"/"+leftOutFigure] = float64(leftOut)
		}
		prefix := string(split) + "/"
		figures[prefix+measure.Accuracy], figures[prefix+measure.Top5] = e.Top1, e.Top5
		figures[prefix+measure.AttentionBranch] = e.AttTop1
		if e.WorstGroup != nil {
			figures[prefix+measure.WorstGroup] = e.WorstGroup.Top1
		}
		if e.Inside != nil {
			figures[prefix+measure.Inside] = e.Inside.Mean
		}
	}
	return store.SetFigures(ctx, versionID, figures)
}

// judge compares a prediction with the label, the group and the mask of its image, which has a label.
func judge(ctx context.Context, catalog *Catalog, version annotator.Version, image annotator.Image, p annotator.Prediction) (sample.Sample, measure.Result, error) {
	s := sample.Sample{ID: image.ID, Name: image.Name, Label: *image.Label, Group: image.Group}
	result := measure.Result{
		Predicted: p.Class, Confidence: float64(p.Confidence), Correct: p.Correct,
		AttCorrect: p.AttClass == *image.Label, Inside: -1, MapDistance: -1,
	}
	for _, score := range p.Top {
		result.Top5 = result.Top5 || score.Class == *image.Label
	}
	// Only the test split's masks are averaged: they are what a round is compared on.
	if image.MaskHash != "" && image.Split == annotator.SplitTest {
		var err error
		if s.Mask, err = catalog.Mask(ctx, version, image); err != nil {
			return s, result, fmt.Errorf("mask of %s: %w", image.Name, err)
		}
		result.Inside = p.Map.InsideFraction(s.Mask)
	}
	return s, result, nil
}
