package trainer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/refit"
	"github.com/abn-studio/studio/trainer/sample"
)

// round is one call of RunRound.
type round struct {
	spec     RoundSpec
	net      *parent
	observer Observer
	started  time.Time

	features *sampleFeatures
	train    []sample.Sample // that can be read
	edited   []sample.Sample // of them with an edit
	heldout  []sample.Sample
	valid    []sample.Sample // what early stopping looks at; nil without it
	choosing []sample.Sample // what the baseline is chosen on; nil where no arm is asked for
	anchors  *anchors        // M° of train, see anchor.go; nil without an anchor
	parents  *keptMaps       // the parent's maps of heldout
	kept     []*keptMaps     // all that are still needed, which are closed with the round
	layer    *refit.Layer    // the last layer, if it is refitted
	refitted []sample.Sample // the rows of train that it is fitted on
	beside   beside
	plan     []progress.Plan
	meter    *progress.Meter
	leftOut  []measure.LeftOut
	outcome  RoundOutcome
}

// networks are what a round has made, each arm's by its seeds.
type networks map[Arm][]armResult

func (r *round) run(ctx context.Context) error {
	control := !r.spec.WithoutControl && (r.spec.Settings.Gamma > 0 || r.spec.Settings.GammaAvoid > 0 && marked(r.spec.Train))
	r.plan = RoundPlan(r.spec.Settings, workload(r.spec.Train, r.spec.Heldout, r.spec.Validation), control)
	r.meter.Plan(r.plan...)
	r.meter.Begin(progress.Features, 0)
	defer func() {
		if r.features != nil {
			r.features.Close()
		}
		for _, maps := range r.kept {
			maps.close()
		}
	}()
	made := networks{}
	if err := r.parent(ctx, made); err != nil {
		return err
	}
	if r.spec.ParentAlone {
		r.outcome.Rows = r.rows(made)
		return nil
	}
	if r.spec.Settings.GammaSearch {
		if err := r.searchGamma(ctx); err != nil {
			return fmt.Errorf("search γ: %w", err)
		}
	}
	if err := r.trainArms(ctx, control, made); err != nil {
		return err
	}
	for _, arm := range trainedArms(r.spec.Settings, control) {
		for _, n := range made[arm] {
			r.outcome.Curve, r.outcome.Runs = append(r.outcome.Curve, n.curve...), append(r.outcome.Runs, n.run)
		}
	}
	if err := r.conclude(made, control); err != nil {
		return err
	}
	if r.outcome.ExtractorHash = r.net.extractorHash; r.spec.Settings.Strategy == recipe.StrategyAll {
		made, err := network.Read(ctx, r.outcome.Model, r.spec.Manifest)
		if err != nil {
			return fmt.Errorf("reading what was trained: %w", err)
		}
		r.outcome.ExtractorHash = made.ExtractorHash()
	}
	r.outcome.Settings = r.spec.Settings
	r.outcome.Seconds = max(time.Since(r.started).Seconds(), r.trained()) // of one that went on from checkpoints, before that too
	return nil
}

// trained is how long all trainings took, also those of an attempt that was cut off.
func (r *round) trained() (seconds float64) {
	for _, run := range r.outcome.Runs {
		seconds += run.Seconds
	}
	return seconds
}

// leaveOut notes why an arm that was asked for is not judged. Nor is the candidate's refit without the control's, which would flatter it.
func (r *round) leaveOut(arm Arm, why string) {
	if r.without(arm) == "" {
		r.leftOut = append(r.leftOut, measure.LeftOut{Arm: arm, Why: why})
	}
	if arm == arms.ControlRefit && r.without(arms.CandidateRefit) == "" {
		r.leftOut = append(r.leftOut, measure.LeftOut{Arm: arms.CandidateRefit, Why: "the control's last layer is not refitted"})
	}
}

// without is why an arm is left out; "" if it is not.
func (r *round) without(arm Arm) string {
	for _, l := range r.leftOut {
		if l.Arm == arm {
			return l.Why
		}
	}
	return ""
}

// maxRestarts is how often a round that diverged begins again.
const maxRestarts = 2

// trainArms trains all arms with all seeds. If candidate or control diverges, all begin again at half the rate: the answers of a
// diverged network say nothing about maps. Another arm that diverges is left out.
func (r *round) trainArms(ctx context.Context, control bool, made networks) error {
	planned := slices.Clone(r.leftOut)
	for restarts := 0; ; restarts++ {
		err := r.trainAll(ctx, control, made)
		var diverged *DivergedError
		if !errors.As(err, &diverged) || restarts == maxRestarts || r.spec.withoutRestarts {
			return err
		}
		r.leftOut = slices.Clone(planned)
		r.spec.Settings.LearningRate /= 2
		every := "both arms"
		if len(trainedArms(r.spec.Settings, control)) > 2 || r.spec.Settings.Seeds > 1 {
			every = "all arms"
		}
		r.outcome.Warnings = append(r.outcome.Warnings, fmt.Sprintf("Training came apart at step %d of the %s with a learning rate of %.2g, and began again, %s, at %.2g.",
			diverged.Step, diverged.Arm, diverged.Rate, every, r.spec.Settings.LearningRate))
		if r.observer.Restarted != nil {
			r.observer.Restarted(diverged, r.spec.Settings.LearningRate)
		}
	}
}

func (r *round) trainAll(ctx context.Context, control bool, made networks) error {
	for _, arm := range trainedArms(r.spec.Settings, control) {
		made[arm] = nil
		if refit := refitOf(r.spec.Settings, arm); refit != "" {
			made[refit] = nil
		}
		for n := range int(r.spec.Settings.Seeds) {
			if r.without(arm) != "" {
				break
			}
			err := r.arm(ctx, arm, n, made)
			var diverged *DivergedError
			if arms.Of(arm).Asked && errors.As(err, &diverged) {
				r.leaveOut(arm, fmt.Sprintf("its training came apart at step %d", diverged.Step))
				made[arm] = nil
				break
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// planned corrects the plan that was made before any file was opened.
func (r *round) planned() {
	s, judged := r.spec.Settings, r.judgedImages()
	for _, p := range r.plan {
		arm, _, trained := p.Stage.Arm()
		total := judged
		switch {
		case arm == "":
			continue
		case r.without(Arm(arm)) != "":
			total = 0
		case trained:
			total = r.outcome.Steps
		default:
			if s.Refit && Arm(arm) != arms.Parent || refitOf(s, Arm(arm)) != "" {
				total += len(r.refitted) // its last layer's inputs are computed first
			}
			if Arm(arm) == arms.Parent {
				total += r.anchorRows()
				if s.Arms.Has(arms.MapAtTest) {
					total += len(r.edited)
				}
			}
		}
		r.meter.Expect(p.Stage, total, 0)
	}
	r.meter.Expect(progress.GammaSearch, len(r.spec.Settings.GammasTried())*r.trySteps(), 0)
}
