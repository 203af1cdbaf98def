package trainer

import (
	"context"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
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
	// Chance is not 0 where the loss is a number, but what the network knew is gone: the loss was as bad for many steps as that of
	// guessing all classes alike, Chance, and worse than what the network began with. Branch says whose.
	Chance float64
	Branch Branch
	// Apart is not 0 where a branch gets so much larger a share of the same rows right with the batches' statistics than with the running
	// ones, which are what the network is used with.
	Apart float64
	Rate  float64 // the learning rate of the run
	// Validation says that Loss is that of the validation images.
	Validation bool
}

// Branch names a branch of the network.
type Branch string

// The branches.
const (
	BranchAttention  Branch = "attention branch"
	BranchPerception Branch = "perception branch"
)

// Advice says what may help where a training has diverged.
func (e *DivergedError) Advice() string {
	rate := "a lower learning rate"
	if e.Rate > 0 {
		rate += fmt.Sprintf(" than %.2g", e.Rate)
	}
	return rate + ", a smaller γ, a bound for the gradient (clip_norm 1), or batch_norm frozen"
}

func (e *DivergedError) Error() string {
	what := fmt.Sprintf("loss %v", e.Loss)
	switch {
	case e.Chance != 0:
		return fmt.Sprintf("%s forgot what the network's %s knew: after %d steps its loss is %.2f, and guessing has %.2f; %s: try %s",
			e.Arm, e.Branch, e.Step, e.Loss, e.Chance, e.good(), e.Advice())
	case e.Apart != 0:
		return fmt.Sprintf("%s came apart: after %d steps the %s gets %.0f%% fewer of the same images right with the running statistics than with those of its batches; %s: try %s",
			e.Arm, e.Step, e.Branch, 100*e.Apart, e.good(), e.Advice())
	case e.Parameter != "":
		what = e.Parameter + " holds a value that is no number"
	case e.Validation:
		what = fmt.Sprintf("validation loss %v", e.Loss)
	case !engine.Finite(e.GradNorm):
		what += fmt.Sprintf(", gradient norm %v", e.GradNorm)
	}
	return fmt.Sprintf("%s diverged at step %d (%s); %s: try %s", e.Arm, e.Step, what, e.good(), e.Advice())
}

func (e *DivergedError) good() string {
	if e.GoodStep == 0 {
		return "there is no good state after the start"
	}
	return fmt.Sprintf("the last good state is that of step %d (epochs done: %d)", e.GoodStep, e.Epoch)
}

// A fine-tuning that is worse than not looking has come apart, even if its loss is a number. K equal probabilities have ln K. Means
// are over collapsedSteps steps, and judged beside what the network had on the same rows before its first step.
//
// The perception branch has collapsed at a mean of collapsed times ln K, or times what it began with where that was more: a
// network may begin far off and learn. It happens with learning rates that are too high for a network whose BatchNorms are folded away.
//
// The attention branch dies another way: L_map pulls its features together until they are the same for every picture, and L_att stands
// at ln K, not above it. It is dead at dead times ln K where it began below alive times that.
const (
	collapsed      = 1.2
	dead           = 0.95
	alive          = 0.75
	collapsedSteps = 10
)

// Statistics have come apart where a branch gets apart more of the last statisticsBatches of an epoch right with the batches'
// statistics than with the running ones: channels whose variance has gone to 0 look alive in every batch. Fewer rows than enoughRows
// and fewer steps than enoughSteps, which the running statistics need to follow, say nothing.
const (
	apart             = 0.5
	statisticsBatches = 8
	enoughRows        = 64
	enoughSteps       = 20
)

// beside is what a fine-tuning is judged beside. The zero value watches for what is no number alone: from scratch training begins
// at chance.
type beside struct {
	chance   float64 // ln K
	att, per float64 // mean cross entropies of the network it begins with, on rows that it is trained on
}

// explodedLoss is more cross entropy than any network that still learns can have: an average
// logit difference of a thousand.
const explodedLoss = 1e3

// diverged looks at what a step measured, and remembers it in state. nil if all is well; else what is wrong, without
// the places.
func (l *loop) diverged(r engine.StepResult, state *checkpoint) *DivergedError {
	sane := r.LossAtt+r.LossPer < explodedLoss && // NaN is not sane
		engine.Finite(r.LossMap) && engine.Finite(r.MapDistance) && engine.Finite(r.LossAnchor) && engine.Finite(r.GradNorm)
	if !sane {
		return &DivergedError{Loss: r.Total(), GradNorm: r.GradNorm}
	}
	chance := l.beside.chance
	if chance == 0 {
		return nil
	}
	remember(&state.Recent, r.LossPer)
	remember(&state.RecentAtt, r.LossAtt)
	if len(state.Recent) < collapsedSteps {
		return nil
	}
	if mean := meanOf(state.Recent); mean > collapsed*max(chance, l.beside.per) {
		return &DivergedError{Loss: mean, Chance: chance, Branch: BranchPerception}
	}
	if mean := meanOf(state.RecentAtt); len(state.RecentAtt) == collapsedSteps && l.beside.att < alive*chance && mean > dead*chance {
		return &DivergedError{Loss: mean, Chance: chance, Branch: BranchAttention}
	}
	return nil
}

// remember appends to the last collapsedSteps values.
func remember(recent *[]float64, value float64) {
	if n := len(*recent); n >= collapsedSteps {
		*recent = (*recent)[:copy(*recent, (*recent)[n-collapsedSteps+1:])]
	}
	*recent = append(*recent, value)
}

// statisticsApart compares what a branch got right in an epoch's last batches, with their own statistics, with what it gets right of
// the same rows with the running ones. hits are rows right: attention branch, perception branch.
func (l *loop) statisticsApart(ctx context.Context, batches [][]row, hits [2]int, epoch int) (*DivergedError, error) {
	rows := slices.Concat(batches...)
	if len(rows) < enoughRows {
		return nil, nil
	}
	judged, size := [2]int{}, l.inputs.Size()
	buffer := make([]float32, min(len(rows), measure.BatchSize)*size)
	for part := range slices.Chunk(rows, measure.BatchSize) {
		if err := l.inputs.ReadRows(ctx, part, epoch, buffer[:len(part)*size]); err != nil {
			return nil, err
		}
		out, err := l.engine.Forward(ctx, len(part), buffer[:len(part)*size])
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return nil, cause
			}
			return nil, fmt.Errorf("%s, after its epoch: %w", l.arm, err)
		}
		classes := len(out.LogitsPer) / len(part)
		for i, r := range part {
			for branch, logits := range [][]float32{out.LogitsAtt, out.LogitsPer} {
				if measure.Argmax(logits[i*classes:(i+1)*classes]) == l.samples[r.sample].Label {
					judged[branch]++
				}
			}
		}
	}
	for branch, name := range []Branch{BranchAttention, BranchPerception} {
		if lost := float64(hits[branch]-judged[branch]) / float64(len(rows)); lost > apart {
			return &DivergedError{Apart: lost, Branch: name}, nil
		}
	}
	return nil, nil
}

func meanOf(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// firstNotFinite names a parameter that holds a NaN or an infinity, "" if none does.
func firstNotFinite(parameters []engine.Parameter) string {
	for _, p := range parameters {
		for _, v := range p.Value {
			if v-v != 0 {
				return p.Name
			}
		}
	}
	return ""
}
