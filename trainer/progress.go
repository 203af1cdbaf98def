package trainer

import (
	"time"

	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/sample"
)

// Observer is told what a run does, from the goroutine that does it; nil fields are not called. A
// resumed run reports the points after its checkpoint once more, under the same (Arm, Step).
type Observer struct {
	// Meter measures the run; nil: nobody looks. Stages that its owner planned for what comes before the run keep their place.
	// The run does not finish it: what is made of the outcome is part of the work.
	Meter *progress.Meter
	Point func(Point)
	// Resumed is told of a training that goes on from a checkpoint, and of the step it goes on from.
	Resumed func(Arm, int)
	// Restarted is told of a round that diverged and begins again, with the rate of both arms' new training: its points begin anew.
	Restarted func(diverged *DivergedError, learningRate float64)
	// Skipped is told once, before anything is trained, of the images that cannot be used; not where there are none.
	Skipped func([]Problem)
}

// meter is the observer's, or one that nobody looks at.
func (o Observer) meter() *progress.Meter {
	if o.Meter != nil {
		return o.Meter
	}
	return progress.NewMeter(nil)
}

// Workload counts what a run works on, as far as it is known before any file was opened.
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

// What an image is expected to take before any has been timed: its features, and to judge it by a network.
const (
	featurePrior  = 20 * time.Millisecond
	evaluatePrior = 5 * time.Millisecond
)

// stepPrior is what a step is expected to take: forward, backward and update take about three times as long as forward alone.
func stepPrior(s recipe.Settings, image time.Duration) time.Duration {
	return 3 * time.Duration(s.BatchSize) * image
}

func stepsOf(s recipe.Settings, images int) int {
	batch := max(1, s.BatchSize)
	return s.Epochs * ((images + batch - 1) / batch)
}

// RoundPlan lists the stages of a round, in the order in which RunRound goes through them.
func RoundPlan(s recipe.Settings, w Workload, control bool) []progress.Plan {
	judged := w.Heldout + w.Edited
	parent := judged
	if s.Anchor > 0 {
		parent += w.Train - w.Edited
	}
	features := w.Train
	if s.Flip && s.Crop == 0 {
		features *= 2
	}
	step := stepPrior(s, evaluatePrior)
	plan := []progress.Plan{
		{Stage: progress.Features, Total: features + w.Heldout + w.Validation, Each: featurePrior},
		{Stage: progress.EvaluatingParent, Total: parent, Each: evaluatePrior},
		{Stage: progress.Candidate, Total: stepsOf(s, w.Train), Each: step},
		{Stage: progress.EvaluatingCandidate, Total: judged, Each: evaluatePrior, Like: progress.EvaluatingParent},
	}
	if control {
		plan = append(plan,
			progress.Plan{Stage: progress.Control, Total: stepsOf(s, w.Train), Each: step, Like: progress.Candidate},
			progress.Plan{Stage: progress.EvaluatingControl, Total: judged, Each: evaluatePrior, Like: progress.EvaluatingParent})
	}
	return plan
}

// TrainPlan lists the stages of a training from images and labels, in the order in which TrainScratch goes through them.
func TrainPlan(s recipe.Settings, w Workload, frozen bool) []progress.Plan {
	spec := ScratchSpec{Frozen: frozen, Settings: s}
	features := w.Train + w.Heldout + w.Validation
	if spec.mirrorsFeatures() {
		features *= 2
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
