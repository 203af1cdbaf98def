package trainer

import (
	"time"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// Observer has functions that a run calls, from its own goroutine; nil ones are not called. A resumed run reports the points
// after its checkpoint once more, with the same (Arm, Step).
type Observer struct {
	// Meter measures the progress of the run; nil: it is not measured. It may have stages already, for work before the run. The
	// run does not finish it, since the caller still has work to do with the outcome.
	Meter *progress.Meter
	Point func(Point)
	// Resumed is called when a training goes on from a checkpoint, with the step.
	Resumed func(Arm, int)
	// Restarted is called when a round diverged and begins again, with the new learning rate of both arms. Points begin again
	// from the first step.
	Restarted func(diverged *DivergedError, learningRate float64)
	// Skipped is called once, before anything is trained, with the images that cannot be used, if there are any.
	Skipped func([]Problem)
}

// meter is the observer's, or one that is not read.
func (o Observer) meter() *progress.Meter {
	if o.Meter != nil {
		return o.Meter
	}
	return progress.NewMeter(nil)
}

// Workload counts the images of a run, as far as they are known before any file is opened.
type Workload struct {
	Train, Edited, Heldout, Validation int // images
}

func workload(train, heldout, validation []sample.Sample) Workload {
	w := Workload{Train: len(train), Heldout: len(heldout), Validation: len(validation)}
	for _, s := range train {
		if !s.Edited.IsZero() {
			w.Edited++
		}
	}
	return w
}

// The time that an image is expected to take before any was measured: for its features, and for evaluating it.
const (
	featurePrior  = 20 * time.Millisecond
	evaluatePrior = 5 * time.Millisecond
)

// usualHeight is how many rows of pixels a network is expected to see before it is opened.
const usualHeight = 224

// stepPrior is the expected time of a step: forward, backward and update take about three times as long as forward alone.
func stepPrior(s recipe.Settings, image time.Duration) time.Duration {
	return 3 * time.Duration(s.BatchSize) * image
}

func stepsOf(s recipe.Settings, images int) int {
	batch := max(1, s.BatchSize)
	return s.Epochs * ((images + batch - 1) / batch)
}

// trainedArms are the arms that a round trains, in order.
func trainedArms(s recipe.Settings, control bool) (list []Arm) {
	list = append(list, arms.Candidate)
	if control {
		list = append(list, arms.Control)
	}
	for _, arm := range s.Arms.List() {
		if arms.Of(arm).Trains {
			list = append(list, arm)
		}
	}
	return list
}

// refitOf is the arm that is asked for as a refit of another one; "" if none is.
func refitOf(s recipe.Settings, arm Arm) Arm {
	for _, asked := range s.Arms.List() {
		if arms.Of(asked).Refits == arm {
			return asked
		}
	}
	return ""
}

// RoundPlan lists the stages of a round, in the order in which RunRound goes through them.
func RoundPlan(s recipe.Settings, w Workload, control bool) []progress.Plan {
	judged := w.Heldout + w.Edited
	if s.Arms != 0 {
		judged += w.Validation
	}
	judged += min(s.Perturbed, w.Heldout) * measure.Passes(usualHeight)
	parent := judged
	if s.Anchor > 0 {
		parent += w.Train - w.Edited
	}
	if refitOf(s, arms.Parent) != "" {
		parent += w.Train
	}
	if s.Arms.Has(arms.MapAtTest) {
		parent += w.Edited
	}
	features := w.Train
	if s.Flip && s.Crop == 0 {
		features *= 2
	}
	step := stepPrior(s, evaluatePrior)
	plan := []progress.Plan{
		{Stage: progress.Features, Total: features + w.Heldout + w.Validation, Each: featurePrior},
		{Stage: progress.EvaluatingParent, Total: parent, Each: evaluatePrior},
	}
	if s.GammaSearch {
		plan = append(plan, progress.Plan{Stage: progress.GammaSearch, Total: len(s.GammasTried()) * stepsOf(s.Tried(s.Gamma), w.Train), Each: step})
	}
	for _, arm := range trainedArms(s, control) {
		measured := judged
		if s.Refit && s.Strategy.TeachesPerception() || refitOf(s, arm) != "" {
			measured += w.Train
		}
		for n := range int(s.Seeds) {
			plan = append(plan,
				progress.Plan{Stage: progress.Training(string(arm), n), Total: stepsOf(s, w.Train), Each: step, Like: progress.Candidate},
				progress.Plan{Stage: progress.Measuring(string(arm), n), Total: measured, Each: evaluatePrior, Like: progress.EvaluatingParent})
		}
	}
	return plan
}

// TrainPlan lists the stages of a training from images and labels, in the order in which TrainScratch goes through them.
func TrainPlan(s recipe.Settings, w Workload, frozen bool) []progress.Plan {
	spec := ScratchSpec{Frozen: frozen, Settings: s}
	features := w.Train + w.Heldout + w.Validation
	if spec.mirrorsFeatures() {
		features += w.Train
	}
	plan := []progress.Plan{
		{Stage: progress.Features, Total: features, Each: spec.featurePrior()},
		{Stage: progress.Train, Total: stepsOf(s, w.Train), Each: stepPrior(s, spec.imagePrior())},
	}
	if w.Heldout > 0 {
		plan = append(plan, progress.Plan{Stage: progress.Evaluating, Total: w.Heldout, Each: spec.imagePrior()})
	}
	return plan
}
