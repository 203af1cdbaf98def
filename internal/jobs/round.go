package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/roundrows"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// reportEvery is how often a round's progress and points reach the database, and how soon it notices a cancellation.
const reportEvery = 400 * time.Millisecond

// roundWorker trains and measures one round.
type roundWorker struct {
	river.WorkerDefaults[postgres.RoundArgs]
	worker *Worker
}

// Timeout is none: a round may take any time.
func (*roundWorker) Timeout(*river.Job[postgres.RoundArgs]) time.Duration { return -1 }

// Work runs the round, or continues one that another worker left.
func (rw *roundWorker) Work(ctx context.Context, part *river.Job[postgres.RoundArgs]) error {
	w := rw.worker
	claim, round, err := w.config.Store.ClaimRound(ctx, part.Args.RoundID)
	switch {
	case errors.Is(err, annotator.ErrRoundOver), errors.Is(err, annotator.ErrRoundCancelled):
		return w.removeRound(part.Args.RoundID)
	case err != nil:
		return err
	}
	r := &roundRun{worker: w, store: w.config.Store, claim: claim, round: round, folder: w.roundFolder(round.ID, claim.Attempt)}
	err = disk.Full(r.run(ctx))
	ended := context.WithoutCancel(ctx)
	switch {
	case err == nil:
		return os.RemoveAll(r.folder)
	case errors.Is(err, annotator.ErrSuperseded), errors.Is(err, annotator.ErrRoundOver), errors.Is(context.Cause(ctx), annotator.ErrSuperseded):
		w.log.WarnContext(ctx, "round was taken over by another worker", "round", round.ID)
		return nil
	case errors.Is(err, trainer.ErrCancelled), errors.Is(err, annotator.ErrRoundCancelled):
		return errors.Join(os.RemoveAll(r.folder), w.config.Store.StopRound(ended, claim))
	case ctx.Err() != nil:
		// Either River cancelled the part, or the worker shuts down: then the folder stays, for the next worker to go on from the checkpoint.
		if now, err := w.config.Store.Round(ended, round.ID); err == nil && now.Cancelling {
			return errors.Join(os.RemoveAll(r.folder), w.config.Store.StopRound(ended, claim))
		}
		return river.JobSnooze(0)
	case errors.Is(err, annotator.ErrUnavailable), annotator.Passes(err):
		r.tellWait(ended, err)
		return err // the database or the bucket was away, or there was no room: try again
	default:
		if err := w.config.Store.HoldsRound(ended, claim); errors.Is(err, annotator.ErrSuperseded) {
			w.log.WarnContext(ctx, "round was taken over by another worker", "round", round.ID) // this attempt failed because its folder was moved
			return nil
		}
		message := failure(err)
		if diverged := new(trainer.DivergedError); !errors.As(err, &diverged) && r.leave(ctx) {
			message = strings.TrimSuffix(message, ".") + ". Its checkpoints are kept in the worker's data folder: mend the cause and start the round again with the same settings. It then continues from them, if its edits and training images are still the same."
		}
		w.giveUp(ctx, message)
		return errors.Join(w.service.FailRound(ended, claim, message), os.RemoveAll(r.folder))
	}
}

// tellWait has people read what the round waits for. That it cannot be told, on the database's own full disk for example, changes nothing.
func (r *roundRun) tellWait(ctx context.Context, err error) {
	wait := annotator.WaitOf(err)
	if wait == "" {
		return
	}
	if err := r.store.SetRoundWait(ctx, r.claim, wait); err != nil {
		r.worker.log.WarnContext(ctx, "what a round waits for is not told", "round", r.round.ID, "err", err)
	}
}

// leave keeps the checkpoints of a failed round for the project's next round, and reports whether there are any. A round that failed
// because a disk was full then need not train again from the start.
func (r *roundRun) leave(ctx context.Context) bool {
	checkpoints, err := filepath.Glob(filepath.Join(r.folder, "*.checkpoint"))
	if err != nil || len(checkpoints) == 0 {
		return false
	}
	left := r.worker.leftFolder(r.round.ProjectID)
	if err := errors.Join(os.RemoveAll(left), os.Rename(r.folder, left)); err != nil {
		r.worker.log.WarnContext(ctx, "round: its checkpoints are not kept", "round", r.round.ID, "err", err)
		return false
	}
	return true
}

// adopt takes over the checkpoints that the last attempt at this round left on this machine; without any, those that the project's
// last round left if it failed here. The trainer ignores checkpoints of other settings or data. They are removed with the folder
// when this round ends.
func (r *roundRun) adopt() error {
	taken := false
	for attempt := r.claim.Attempt - 1; attempt >= 1; attempt-- {
		folder := r.worker.roundFolder(r.round.ID, attempt)
		if taken { // the folder is of an earlier attempt than the one taken over
			if err := os.RemoveAll(folder); err != nil {
				return err
			}
			continue
		}
		var err error
		if taken, err = r.takeOver(folder); err != nil {
			return err
		}
	}
	if taken {
		return nil
	}
	_, err := r.takeOver(r.worker.leftFolder(r.round.ProjectID))
	return err
}

// takeOver moves a folder to this attempt, and reports whether there was one.
func (r *roundRun) takeOver(folder string) (bool, error) {
	err := trainer.TakeOver(folder, r.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// failure returns the text by which the round's page explains an error.
func failure(err error) string {
	var diverged *trainer.DivergedError
	if !errors.As(err, &diverged) {
		return err.Error()
	}
	d := diverged
	var what string
	switch {
	case d.Chance != 0:
		what = fmt.Sprintf("The %s forgot what the network's %s branch knew: at step %d its loss was %s.", d.Arm, d.Branch, d.Step, d.BesideGuessing())
	case d.Apart != 0:
		what = fmt.Sprintf("The %s came apart at step %d: its %s branch gets %.0f%% fewer of the same images right with the running statistics than with those of its batches.", d.Arm, d.Step, d.Branch, 100*d.Apart)
	case d.Parameter != "":
		what = fmt.Sprintf("The %s came apart at step %d: %s holds a value that is no number.", d.Arm, d.Step, d.Parameter)
	case d.Validation:
		what = fmt.Sprintf("The %s came apart: after step %d its loss on the validation images was %v.", d.Arm, d.Step, d.Loss)
	default:
		what = fmt.Sprintf("The %s came apart at step %d: its loss was %v.", d.Arm, d.Step, d.Loss)
	}
	good := "No state after the start was good."
	if d.GoodStep > 0 {
		good = fmt.Sprintf("The last good state was that of step %d, after %d whole epochs.", d.GoodStep, d.Epoch)
	}
	return what + " " + good + " Nothing was kept of the round, and the active version is what it was. Try " + d.Advice() + "."
}

// roundRun is one attempt at a round.
type roundRun struct {
	worker *Worker
	store  Store
	claim  annotator.RoundClaim
	round  annotator.Round
	folder string

	mu         sync.Mutex
	unreadable *annotator.Unreadable // not yet written
	points     []annotator.RoundPoint
	restarted  bool // the points written so far belong to a training that diverged, and are to be dropped
	progress   annotator.RoundProgress
}

func (r *roundRun) run(ctx context.Context) error {
	inputs, err := r.store.RoundInputs(ctx, r.round.ID)
	if err != nil {
		return err
	}
	spec, err := r.spec(ctx, inputs)
	if err != nil {
		return err
	}
	if err := r.adopt(); err != nil {
		return err
	}
	training, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var reporting sync.WaitGroup
	stop := make(chan struct{})
	reporting.Go(func() { r.report(ctx, stop, cancel) })
	outcome, err := trainer.RunRound(training, spec, trainer.Observer{
		Meter: progress.NewMeter(r.onProgress), Point: r.onPoint,
		Resumed:   func(arm trainer.Arm, step int) { r.onResumed(ctx, arm, step) },
		Restarted: func(diverged *trainer.DivergedError, rate float64) { r.onRestarted(ctx, diverged, rate) },
		Skipped:   func(list []trainer.Problem) { r.onSkipped(ctx, list) },
	})
	close(stop)
	reporting.Wait()
	if cause := context.Cause(training); err != nil && cause != nil && ctx.Err() == nil {
		return cause
	}
	if err != nil {
		if e := r.flush(ctx); e != nil { // the last points: they show how it failed
			r.worker.log.WarnContext(ctx, "round: its last points are not written", "round", r.round.ID, "err", e)
		}
		return err
	}
	for _, p := range outcome.Curve { // a round that continued from a checkpoint of another round has not written the points before it
		r.onPoint(p)
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	return r.finish(ctx, inputs, outcome)
}

// spec gathers what the trainer needs.
func (r *roundRun) spec(ctx context.Context, in postgres.RoundInputs) (trainer.RoundSpec, error) {
	w := r.worker
	path, err := w.config.Blobs.Path(ctx, in.Parent.ModelHash)
	if err != nil {
		return trainer.RoundSpec{}, fmt.Errorf("version %d: %w", in.Parent.Number, err)
	}
	model, err := os.ReadFile(path)
	if err != nil {
		return trainer.RoundSpec{}, fmt.Errorf("version %d: %w", in.Parent.Number, err)
	}
	manifest, err := in.Parent.ReadManifest()
	if err != nil {
		return trainer.RoundSpec{}, err
	}
	opened, err := w.catalog.networks.Open(ctx, in.Parent.ModelHash, in.Parent.Manifest)
	if err != nil {
		return trainer.RoundSpec{}, fmt.Errorf("version %d: %w", in.Parent.Number, err)
	}
	pixels, err := w.catalog.Pixels(manifest)
	if err != nil {
		return trainer.RoundSpec{}, err
	}
	train := make([]sample.Sample, 0, r.round.Images)
	painting := map[int64]float64{} // the seconds that maps took to paint, by image
	err = r.store.EachTrainingImage(ctx, r.round.ID, func(t postgres.TrainingImage) error {
		s, err := r.sample(ctx, t.Image, in.Parent)
		if t.Map != nil {
			s.Edited = *t.Map
			if t.Seconds > 0 {
				painting[s.ID] = t.Seconds
			}
		}
		train = append(train, s)
		return err
	})
	if err != nil {
		return trainer.RoundSpec{}, err
	}
	heldout, err := r.samples(ctx, in.Eval, in.Parent)
	if err != nil {
		return trainer.RoundSpec{}, err
	}
	validation, err := r.samples(ctx, in.Validation, in.Parent)
	if err != nil {
		return trainer.RoundSpec{}, err
	}
	return trainer.RoundSpec{
		Model: model, Opened: opened, Manifest: manifest, Settings: r.round.Settings,
		Train: train, Heldout: heldout, Validation: validation,
		Pixels: func(ctx context.Context, s sample.Sample, dst []float32) error { return pixels(ctx, s.Hash, dst) },
		Masks: func(ctx context.Context, s sample.Sample, height, width int) (attention.Map, error) {
			of := in.Parent
			of.GridHeight, of.GridWidth = height, width
			image, _ := in.ImageByID(s.ID)
			return w.catalog.Mask(ctx, of, image)
		},
		Store: w.features, ExtractorHash: in.Parent.ExtractorHash,
		Painting: painting, WorkDir: r.folder, WaitForWorkDir: true, Threads: w.config.Threads,
		Lineage: trainer.Lineage{Round: r.round.ID, Project: in.Project.Slug},
	}, nil
}

// samples turns rows into the trainer's samples.
func (r *roundRun) samples(ctx context.Context, images []postgres.RoundImage, v annotator.Version) ([]sample.Sample, error) {
	out := make([]sample.Sample, len(images))
	for i, image := range images {
		var err error
		if out[i], err = r.sample(ctx, image, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sample turns a row into the trainer's sample, its mask averaged to the grid if it is measured on.
func (r *roundRun) sample(ctx context.Context, image postgres.RoundImage, v annotator.Version) (sample.Sample, error) {
	s := sample.Sample{ID: image.ID, Name: image.Name, Hash: image.Hash, Label: int(image.Label), Group: image.Group}
	if image.MaskHash == "" || image.Split == annotator.SplitTrain {
		return s, nil // attention inside the mask is measured on held-out images only
	}
	var err error
	if s.Mask, err = r.worker.catalog.Mask(ctx, v, image.Image()); err != nil {
		return s, fmt.Errorf("mask of %s: %w", image.Name, err)
	}
	return s, nil
}

func (r *roundRun) onProgress(p progress.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = annotator.RoundProgressOf(p)
}

func (r *roundRun) onSkipped(ctx context.Context, list []trainer.Problem) {
	u := &annotator.Unreadable{}
	for _, p := range list {
		r.worker.log.WarnContext(ctx, "image left out of the round", "round", r.round.ID, "image", p.Sample.Name, "err", p.Err)
		image := annotator.Image{ID: p.Sample.ID, Name: p.Sample.Name}
		if len(u.Images) < annotator.MaxUnreadable {
			if whole, err := r.store.Image(ctx, image.ID); err == nil { // its split is told too
				image = whole
			}
		}
		u.Add(image, p.Err.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unreadable = u
}

func (r *roundRun) onResumed(ctx context.Context, arm trainer.Arm, step int) {
	r.worker.log.InfoContext(ctx, "round goes on from a checkpoint", "round", r.round.ID, "arm", arm, "step", step)
}

// onRestarted drops the points of a training that diverged and begins again.
func (r *roundRun) onRestarted(ctx context.Context, diverged *trainer.DivergedError, rate float64) {
	r.worker.log.WarnContext(ctx, "round begins again", "round", r.round.ID, "learning_rate", rate, "err", diverged)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.points, r.restarted = nil, true
}

func (r *roundRun) onPoint(p trainer.Point) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.points = append(r.points, annotator.RoundPoint{
		Arm: p.Arm, Seed: p.Seed, Step: p.Step, Epoch: p.Epoch, LossAtt: p.LossAtt, LossPer: p.LossPer,
		LossMap: p.LossMap, MapDistance: p.MapDistance, LossAnchor: p.LossAnchor, Accuracy: p.Accuracy,
		ValidationLoss: p.ValidationLoss, ValidationAccuracy: p.ValidationAccuracy,
	})
}

// report writes points and progress as they come, and stops the training when the round is cancelled
// or has gone to another worker. A database that is away for a while only delays it.
func (r *roundRun) report(ctx context.Context, stop <-chan struct{}, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(reportEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		switch err := r.flush(ctx); {
		case err == nil:
		case errors.Is(err, annotator.ErrRoundCancelled):
			cancel(trainer.ErrCancelled)
			return
		case errors.Is(err, annotator.ErrSuperseded):
			cancel(err)
			return
		case ctx.Err() == nil:
			r.worker.log.WarnContext(ctx, "round: progress not written", "round", r.round.ID, "err", err)
		}
	}
}

// flush writes the points and the progress gathered since the last time. Points that could not be written are kept for the next time.
func (r *roundRun) flush(ctx context.Context) error {
	r.mu.Lock()
	points, reached, unreadable, restarted := r.points, r.progress, r.unreadable, r.restarted
	r.points, r.restarted = nil, false
	r.mu.Unlock()
	if restarted {
		if err := r.store.DropRoundPoints(ctx, r.claim); err != nil {
			r.mu.Lock()
			r.points, r.restarted = append(points, r.points...), true
			r.mu.Unlock()
			return err
		}
	}
	if unreadable != nil {
		if err := r.store.SetUnreadable(ctx, r.claim, *unreadable); err != nil {
			r.mu.Lock()
			r.points = append(points, r.points...)
			r.mu.Unlock()
			return err
		}
		r.mu.Lock()
		r.unreadable = nil // written once, before the first step
		r.mu.Unlock()
	}
	if len(points) > 0 {
		if err := r.store.AddRoundPoints(ctx, r.claim, points); err != nil {
			r.mu.Lock()
			r.points = append(points, r.points...)
			r.mu.Unlock()
			return err
		}
	}
	if reached.Phase == "" {
		reached = annotator.RoundProgressOf(progress.Progress{Stage: progress.Features})
	}
	return r.store.SetRoundProgress(ctx, r.claim, reached)
}

// finish stores the candidate's file, then the comparison and the new version in one transaction.
func (r *roundRun) finish(ctx context.Context, in postgres.RoundInputs, o trainer.RoundOutcome) error {
	parent := in.Parent
	if err := r.store.StartEvaluating(ctx, r.claim); err != nil {
		return err
	}
	hash, size, err := r.worker.config.Blobs.Put(ctx, bytes.NewReader(o.Model))
	if err != nil {
		return fmt.Errorf("store the candidate: %w", err)
	}
	version := annotator.NewVersion{
		ModelHash: hash, ExtractorHash: o.ExtractorHash, Manifest: parent.Manifest,
		GridHeight: parent.GridHeight, GridWidth: parent.GridWidth, Gain: parent.Gain, Parameters: parent.Parameters, Bytes: size, LearningRate: parent.LearningRate,
		Training: parent.Training, Warnings: parent.Warnings, // the same graph with other weights
		Figures: map[string]float64{},
	}
	for _, m := range o.Measures {
		if m.Unit == "fraction" {
			version.Figures[string(in.EvalSplit)+"/"+m.Name] = m.First
		}
	}
	result := annotator.RoundResult{
		Headline: o.Headline, Maps: o.Maps, Against: o.Against, Split: in.EvalSplit, Images: len(o.CandidateEvaluation.Results), LeftOut: in.LeftOut,
		Fixed: o.Fixed, Broken: o.Broken, Moved: o.Moved, Seconds: o.Seconds, Comparison: comparisonOf(o.Arms, int(o.Settings.Seeds)),
		ValidationImages: o.ValidationImages, HeldBack: o.HeldBack, Warnings: o.Warnings,
	}
	if found := o.GammaSearch; found != nil {
		result.GammaSearch = &annotator.GammaSearch{Gamma: found.Gamma, Epochs: found.Epochs}
		for _, try := range found.Tries {
			result.GammaSearch.Tries = append(result.GammaSearch.Tries, annotator.GammaTry{
				Gamma: try.Gamma, ValidationLoss: try.Validation.Loss, ValidationAccuracy: try.Validation.Accuracy, Diverged: try.Diverged,
			})
		}
	}
	for _, run := range o.Runs {
		result.Arms = append(result.Arms, annotator.RoundArm{
			Arm: run.Arm, Seed: run.Seed, Epochs: run.Epochs, Steps: run.Steps, Kept: run.Kept,
			ValidationLoss: run.Validation.Loss, ValidationAccuracy: run.Validation.Accuracy, Seconds: run.Seconds,
		})
	}
	for _, m := range o.Measures {
		result.Measures = append(result.Measures, annotator.Measure{
			Name: m.Name, Label: m.Label, Unit: m.Unit, Better: measure.KindOf(m.Name).Better, Parent: m.Parent, Control: m.Control, Candidate: m.Candidate,
			Difference: m.Difference, Low: m.Low, High: m.High, Images: m.Images,
		})
	}
	if v := o.Verdict; v != nil {
		result.Reliability, result.ClassesCompared = reliabilityOf(v.Diagrams), len(v.Classes)
		result.Classes = annotator.ToldClasses(differencesOf(v.Classes))
	}
	rows, err := rowsOf(o)
	if err != nil {
		return err
	}
	_, err = r.worker.service.FinishRound(ctx, r.claim, version, result, rows)
	return err
}

// rowsOf are an outcome's rows, and the images that it keeps the answers of.
func rowsOf(o trainer.RoundOutcome) (rows annotator.RoundRows, err error) {
	rows.Count, rows.Judged = len(o.Rows), o.Judged
	if rows.Packed, err = roundrows.Pack(o.Rows); err != nil {
		return rows, fmt.Errorf("pack the rows: %w", err)
	}
	answer := func(a trainer.Answer) annotator.ShownAnswer {
		for i, v := range a.Map.Values { // a picture's worth
			a.Map.Values[i] = float32(math.Round(1e4*float64(v)) / 1e4)
		}
		return annotator.ShownAnswer{Class: a.Class, Confidence: a.Confidence, Map: a.Map}
	}
	for _, s := range o.Shown {
		rows.Shown = append(rows.Shown, annotator.ShownImage{ID: s.ID, Parent: answer(s.Parent), Control: answer(s.Control), Candidate: answer(s.Candidate)})
	}
	return rows, nil
}

// reliabilityOf is the trainer's diagrams in the domain's form.
func reliabilityOf(diagrams []measure.Diagram) (all []annotator.Reliability) {
	for _, d := range diagrams {
		r := annotator.Reliability{Arm: d.Arm}
		for _, b := range d.Bins {
			if b.Images > 0 {
				r.Bins = append(r.Bins, annotator.ReliabilityBin(b))
			}
		}
		all = append(all, r)
	}
	return all
}

// differencesOf is the trainer's classes in the domain's form.
func differencesOf(classes []measure.ClassChange) []annotator.ClassDifference {
	all := make([]annotator.ClassDifference, len(classes))
	for i, c := range classes {
		all[i] = annotator.ClassDifference(c)
	}
	return all
}

// comparisonOf is the trainer's comparison in the domain's form; nil without one.
func comparisonOf(t *measure.ArmTable, seeds int) *annotator.Comparison {
	if t == nil {
		return nil
	}
	c := &annotator.Comparison{
		Maps: t.Maps, Baseline: t.Baseline, ValidationImages: t.ValidationImages, Seeds: seeds, Edits: t.Edits, PaintingSeconds: int(t.PaintingSeconds),
		PointsPerEdit: t.PerEdit, PointsPerMinute: t.PerMinute,
	}
	for _, f := range t.Arms {
		figure := annotator.ArmFigure{
			Arm: f.Arm, Images: f.Images, Edited: f.Set == measure.OfEdited, Accuracy: f.Accuracy, ValidationAccuracy: f.Validation, AttentionInside: f.Inside,
			Against: f.Against, Difference: f.Difference, Low: f.Low, High: f.High,
		}
		for _, s := range f.Seeds {
			figure.Seeds = append(figure.Seeds, annotator.ArmSeed{Seed: s.Seed, Accuracy: s.Accuracy, ValidationAccuracy: s.Validation, AttentionInside: s.Inside})
		}
		c.Arms = append(c.Arms, figure)
	}
	for _, l := range t.LeftOut {
		c.LeftOut = append(c.LeftOut, annotator.ArmLeftOut{Arm: l.Arm, Why: l.Why})
	}
	return c
}
