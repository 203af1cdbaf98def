package trainer

import (
	"fmt"
	"math"
)

// DivergedError is a run whose loss or gradient stopped being a number, or left all bounds. Nothing comes of such
// a run; the last good checkpoint is still there. The same settings would diverge again at the same step, and
// other settings make another run, which begins anew: there is nothing to resume.
type DivergedError struct {
	Arm  Arm
	Step int // the step that measured it, from 1
	// The last good checkpoint, one from which at least a step was taken that measured a sane loss: epochs and steps done, both 0
	// for the start; and the folder that holds it, "" if none was kept.
	Epoch    int
	GoodStep int
	Folder   string

	Loss     float64
	GradNorm float64 // not a number where the gradient was what gave way
	// Parameter is what holds a NaN or an infinity, where no loss had told so.
	Parameter string
	// Chance is not 0 where the loss is a number, but more than that of guessing all classes alike
	// for many steps: what the network knew is gone.
	Chance float64
	// Validation says that Loss is that of the validation images.
	Validation bool
}

func (e *DivergedError) Error() string {
	if e.Chance != 0 {
		return fmt.Sprintf("%s forgot what the network knew: after %d steps its loss is %.2f, and guessing has %.2f; %s: try a tenth of the learning rate",
			e.Arm, e.Step, e.Loss, e.Chance, e.good())
	}
	what := fmt.Sprintf("loss %v", e.Loss)
	switch {
	case e.Parameter != "":
		what = e.Parameter + " holds a value that is no number"
	case e.Validation:
		what = fmt.Sprintf("validation loss %v", e.Loss)
	case !finite(e.GradNorm):
		what += fmt.Sprintf(", gradient norm %v", e.GradNorm)
	}
	return fmt.Sprintf("%s diverged at step %d (%s); %s: try a lower learning rate or γ, or a clip_norm", e.Arm, e.Step, what, e.good())
}

func (e *DivergedError) good() string {
	if e.GoodStep == 0 {
		return "there is no good state after the start"
	}
	return fmt.Sprintf("the last good state is that of step %d (epochs done: %d)", e.GoodStep, e.Epoch)
}

// A fine-tuning that is worse than not looking has come apart, even if its loss is a number: a mean of
// collapsed times ln K over collapsedSteps steps, where K equal probabilities have ln K. It happens
// with learning rates that are too high for a network whose BatchNorms are folded away.
const (
	collapsed      = 1.2
	collapsedSteps = 10
)

// explodedLoss is more cross entropy than any network that still learns can have: an average
// logit difference of a thousand.
const explodedLoss = 1e3

// diverged looks at what a step measured, and remembers it in recent. nil if all is well; else what is wrong, without
// the places.
func (l *loop) diverged(r StepResult, recent *[]float64) *DivergedError {
	sane := r.LossAtt+r.LossPer < explodedLoss && // NaN is not sane
		finite(r.LossMap) && finite(r.MapDistance) && finite(r.LossAnchor) && finite(r.GradNorm)
	if !sane {
		return &DivergedError{Loss: r.Total(), GradNorm: r.GradNorm}
	}
	if l.chance == 0 {
		return nil
	}
	if n := len(*recent); n >= collapsedSteps {
		*recent = (*recent)[:copy(*recent, (*recent)[n-collapsedSteps+1:])]
	}
	*recent = append(*recent, r.LossPer)
	if mean := meanOf(*recent); len(*recent) == collapsedSteps && mean > collapsed*l.chance {
		return &DivergedError{Loss: mean, Chance: l.chance}
	}
	return nil
}

func meanOf(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// firstNotFinite names a parameter that holds a NaN or an infinity, "" if none does.
func firstNotFinite(parameters []Parameter) string {
	for _, p := range parameters {
		for _, v := range p.Value {
			if v-v != 0 {
				return p.Name
			}
		}
	}
	return ""
}
