package trainer

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
)

// On the runtime: a learning rate that explodes ends the round without a model, and what is kept is good.
func TestRoundOnTheRuntimeDiverges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Settings){
		"loss":          func(s *Settings) { s.LearningRate = 100 },
		"gradient norm": func(s *Settings) { s.LearningRate, s.ClipNorm = 100, 1e6 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := referenceSpec(t, fixture.ReferenceModels(t)[0])
			spec.Settings.Epochs, spec.Settings.Schedule = 20, ScheduleConstant
			change(&spec.Settings)
			spec.checkpointEvery = 1
			out, err := RunRound(t.Context(), spec, Observer{})
			var diverged *DivergedError
			if !errors.As(err, &diverged) || out.Model != nil || out.Control != nil {
				t.Fatalf("a learning rate of 100: %v, a model of %d bytes", err, len(out.Model))
			}
			if diverged.Arm != ArmCandidate || diverged.Folder != spec.WorkDir || diverged.GoodStep != diverged.Step-2 {
				t.Errorf("%+v", diverged)
			}
			t.Log(err)
			last := latestCheckpoint(t, spec.WorkDir, ArmCandidate)
			if diverged.GoodStep != last.Step || diverged.Epoch != last.Epoch || firstNotFinite(last.Parameters) != "" {
				t.Errorf("the last good checkpoint is said to be of step %d, it is of step %d, with a NaN in %q", diverged.GoodStep, last.Step, firstNotFinite(last.Parameters))
			}
			// The same settings lead to the same end.
			var again *DivergedError
			if _, err := RunRound(t.Context(), spec, Observer{}); !errors.As(err, &again) || again.Step != diverged.Step {
				t.Errorf("the second time: %v", err)
			}
		})
	}
}

func TestDivergenceIsSeenWhereverItShows(t *testing.T) {
	t.Parallel()
	good := StepResult{LossAtt: 1, LossPer: 1, LossMap: 1, MapDistance: 1}
	for name, change := range map[string]func(*StepResult){
		"L_att":         func(r *StepResult) { r.LossAtt = math.NaN() },
		"L_per":         func(r *StepResult) { r.LossPer = math.Inf(1) },
		"exploded":      func(r *StepResult) { r.LossPer = 2 * explodedLoss },
		"L_map":         func(r *StepResult) { r.LossMap = math.NaN() },
		"map distance":  func(r *StepResult) { r.MapDistance = math.NaN() }, // of a control, whose L_map is 0
		"L_anchor":      func(r *StepResult) { r.LossAnchor = math.Inf(1) },
		"gradient norm": func(r *StepResult) { r.GradNorm = math.NaN() },
	} {
		r, recent := good, []float64(nil)
		change(&r)
		if (&loop{chance: 5}).diverged(r, &recent) == nil {
			t.Errorf("%s: not seen in %+v", name, r)
		}
	}
	l, recent := &loop{chance: 0.5}, []float64(nil)
	for step := 1; step <= 2*collapsedSteps; step++ {
		bad := l.diverged(good, &recent)
		if (bad != nil) != (step >= collapsedSteps) {
			t.Fatalf("step %d at twice the loss of chance: %v", step, bad)
		}
	}
	for _, c := range []struct {
		e    DivergedError
		says []string
	}{
		{DivergedError{Arm: ArmControl, Step: 17, Epoch: 2, GoodStep: 12, Loss: math.NaN()}, []string{"control", "step 17", "loss NaN", "step 12 (epochs done: 2)", "lower learning rate"}},
		{DivergedError{Arm: ArmTrain, Step: 3, Loss: 2, GradNorm: math.Inf(1)}, []string{"gradient norm +Inf", "no good state after the start"}},
		{DivergedError{Arm: ArmTrain, Step: 3, Parameter: "conv.weight"}, []string{"conv.weight"}},
		{DivergedError{Arm: ArmTrain, Step: 3, Loss: math.NaN(), Validation: true}, []string{"validation loss NaN"}},
		{DivergedError{Arm: ArmCandidate, Step: 30, Loss: 9, Chance: 4, GoodStep: 20, Epoch: 1}, []string{"forgot", "a tenth of the learning rate", "step 20 (epochs done: 1)"}},
	} {
		for _, want := range c.says {
			if got := c.e.Error(); !strings.Contains(got, want) {
				t.Errorf("%q does not say %q", got, want)
			}
		}
	}
}
