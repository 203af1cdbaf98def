package trainer

import (
	"context"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
)

// DivergedError says that the loss or gradient of a run is not a number any more, or has gone beyond all bounds. Such a run makes
// no network; its last good checkpoint is kept. It cannot be resumed: the same settings would diverge again at the same step, and
// with other settings it is another run, which starts from the beginning.
type DivergedError struct {
	Arm  Arm
	Step int // the step that measured it, from 1
	// The last good checkpoint, which is one after which at least one step had a sane loss: epochs and steps done, both 0 for the
	// start, and the folder that holds it, "" if there is none.
	Epoch    int
	GoodStep int
	Folder   string

	Loss     float64
	GradNorm float64 // NaN if it was the gradient that diverged
	// Parameter has a NaN or an infinity although no loss showed it.
	Parameter string
	// Chance is the loss of equal probabilities for all classes. It is not 0 if the loss is a number but the network has
	// forgotten what it knew: for many steps the loss was as bad as Chance, and worse than at the start. Branch says which
	// branch's.
	Chance float64
	Branch Branch
	// Apart is not 0 if a branch gets a larger share of the same rows right with the batches' statistics than with the running
	// ones, which are used after training. It is the difference of the shares.
	Apart float64
	Rate  float64 // the learning rate of the run
	// Validation says that Loss is that of the validation images.
	Validation bool
}

// Branch is one of the network's two branches.
type Branch = attention.Branch

// The branches.
const (
	BranchAttention  = attention.AttentionBranch
	BranchPerception = attention.PerceptionBranch
)

// Advice says what may help against divergence.
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
		return fmt.Sprintf("%s forgot what the network's %s branch knew: after %d steps its loss is %s; %s: try %s",
			e.Arm, e.Branch, e.Step, e.BesideGuessing(), e.good(), e.Advice())
	case e.Apart != 0:
		return fmt.Sprintf("%s came apart: after %d steps the %s branch gets %.0f%% fewer of the same images right with the running statistics than with those of its batches; %s: try %s",
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

// BesideGuessing is the loss of a branch that forgot, beside that of guessing.
func (e *DivergedError) BesideGuessing() string {
	as := "about"
	if e.Loss > e.Chance {
		as = "above"
	}
	return fmt.Sprintf("%.2f, %s that of guessing, %.2f", e.Loss, as, e.Chance)
}

func (e *DivergedError) good() string {
	if e.GoodStep == 0 {
		return "there is no good state after the start"
	}
	return fmt.Sprintf("the last good state is that of step %d (epochs done: %d)", e.GoodStep, e.Epoch)
}

// A fine-tuning that is worse than guessing has diverged, even if its loss is a number. K equal probabilities have a loss of ln
// K. Means are over collapsedSteps steps, and are compared with the loss of the network before its first step on the same rows.
//
// The perception branch has collapsed if the mean is above collapsed times ln K or, if the loss was higher at the start, that
// many times the loss at the start: a network may start badly and learn. It happens with learning rates that are too high for a
// network whose BatchNorms are folded away.
//
// The attention branch fails in another way: L_map makes its features more and more alike until they are the same for every
// picture, and L_att stays at ln K, not above. It is dead if L_att is above dead times ln K and was below alive times ln K at the
// start.
const (
	collapsed      = 1.2
	dead           = 0.95
	alive          = 0.75
	collapsedSteps = 10
)

// Statistics have come apart if, on the last statisticsBatches batches of an epoch, the share of rows that a branch gets right is
// higher by apart with the batches' statistics than with the running ones: with a batch's own statistics, a channel whose
// variance has gone to 0 still looks useful. It is not judged on fewer than enoughRows rows or before enoughSteps steps, which
// the running statistics need to follow.
const (
	apart             = 0.5
	statisticsBatches = 8
	enoughRows        = 64
	enoughSteps       = 20
)

// beside are the losses that a fine-tuning is compared with. With the zero value only losses that are not numbers count as
// divergence: training from scratch starts at chance.
type beside struct {
	chance   float64 // ln K
	att, per float64 // mean cross entropies of the network it begins with, on rows that it is trained on
}

// explodedLoss is a cross entropy that no network has that still learns: an average logit difference of a thousand.
const explodedLoss = 1e3

// diverged checks the result of a step and records it in state. It returns nil if all is well, else what is wrong, without the
// step and checkpoint.
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

// statisticsApart compares, on the last batches of an epoch, the rows that a branch gets right with the batches' own statistics
// and with the running ones. hits are the former, of the attention and the perception branch.
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
