package trainer

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/sample"
)

// On the runtime: a learning rate that explodes ends the round without a model, and what is kept is good.
func TestRoundOnTheRuntimeDiverges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*recipe.Settings){
		"loss":          func(s *recipe.Settings) { s.LearningRate = 100 },
		"gradient norm": func(s *recipe.Settings) { s.LearningRate, s.ClipNorm = 100, 1e6 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := referenceSpec(t, fixture.ReferenceModels(t)[0])
			spec.Settings.Epochs, spec.Settings.Schedule = 20, recipe.ScheduleConstant
			change(&spec.Settings)
			spec.checkpointEvery = 1
			out, err := RunRound(t.Context(), spec, Observer{})
			var diverged *DivergedError
			if !errors.As(err, &diverged) || out.Model != nil || out.Control != nil {
				t.Fatalf("a learning rate of 100: %v, a model of %d bytes", err, len(out.Model))
			}
			if diverged.Arm != arms.Candidate || diverged.Folder != spec.WorkDir || diverged.GoodStep != diverged.Step-2 {
				t.Errorf("%+v", diverged)
			}
			t.Log(err)
			last := latestCheckpoint(t, spec.WorkDir, arms.Candidate)
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
	good := engine.StepResult{LossAtt: 1, LossPer: 1, LossMap: 1, MapDistance: 1}
	for name, change := range map[string]func(*engine.StepResult){
		"L_att":         func(r *engine.StepResult) { r.LossAtt = math.NaN() },
		"L_per":         func(r *engine.StepResult) { r.LossPer = math.Inf(1) },
		"exploded":      func(r *engine.StepResult) { r.LossPer = 2 * explodedLoss },
		"L_map":         func(r *engine.StepResult) { r.LossMap = math.NaN() },
		"map distance":  func(r *engine.StepResult) { r.MapDistance = math.NaN() }, // of a control, whose L_map is 0
		"L_anchor":      func(r *engine.StepResult) { r.LossAnchor = math.Inf(1) },
		"gradient norm": func(r *engine.StepResult) { r.GradNorm = math.NaN() },
	} {
		r := good
		change(&r)
		if (&loop{beside: beside{chance: 5}}).diverged(r, &checkpoint{}) == nil {
			t.Errorf("%s: not seen in %+v", name, r)
		}
	}
	for name, c := range map[string]struct {
		beside beside
		step   engine.StepResult
		branch Branch // "": nothing is wrong
	}{
		"twice the loss of chance":                  {beside{0.5, 0.1, 0.1}, engine.StepResult{LossAtt: 0.1, LossPer: 1}, BranchPerception},
		"the same where it began at ten times that": {beside{0.5, 0.1, 5}, engine.StepResult{LossAtt: 0.1, LossPer: 3}, ""},
		"worse than where it began":                 {beside{0.5, 0.1, 5}, engine.StepResult{LossAtt: 0.1, LossPer: 6.1}, BranchPerception},
		"an attention branch at chance":             {beside{3, 0.4, 0.1}, engine.StepResult{LossAtt: 2.99, LossPer: 0.1}, BranchAttention},
		"one that knew little before":               {beside{3, 2.5, 0.1}, engine.StepResult{LossAtt: 2.99, LossPer: 0.1}, ""},
		"one that has lost some of what it knew":    {beside{3, 0.4, 0.1}, engine.StepResult{LossAtt: 2.5, LossPer: 0.1}, ""},
	} {
		l, state := &loop{beside: c.beside}, &checkpoint{}
		for step := 1; step <= 2*collapsedSteps; step++ {
			bad := l.diverged(c.step, state)
			if (bad != nil) != (c.branch != "" && step >= collapsedSteps) || bad != nil && bad.Branch != c.branch {
				t.Fatalf("%s, step %d: %v", name, step, bad)
			}
		}
	}
	for _, c := range []struct {
		e    DivergedError
		says []string
	}{
		{DivergedError{Arm: arms.Control, Step: 17, Epoch: 2, GoodStep: 12, Loss: math.NaN()}, []string{"control", "step 17", "loss NaN", "step 12 (epochs done: 2)", "lower learning rate"}},
		{DivergedError{Arm: ArmTrain, Step: 3, Loss: 2, GradNorm: math.Inf(1)}, []string{"gradient norm +Inf", "no good state after the start"}},
		{DivergedError{Arm: ArmTrain, Step: 3, Parameter: "conv.weight"}, []string{"conv.weight"}},
		{DivergedError{Arm: ArmTrain, Step: 3, Loss: math.NaN(), Validation: true}, []string{"validation loss NaN"}},
		{DivergedError{Arm: arms.Candidate, Step: 30, Loss: 9, Chance: 4, Branch: BranchAttention, Rate: 0.02, GoodStep: 20, Epoch: 1}, []string{"forgot", "attention branch", "a lower learning rate than 0.02", "clip_norm", "frozen", "step 20 (epochs done: 1)"}},
		{DivergedError{Arm: arms.Candidate, Step: 30, Apart: 0.9, Branch: BranchAttention}, []string{"90% fewer", "running statistics", "attention branch"}},
	} {
		for _, want := range c.says {
			if got := c.e.Error(); !strings.Contains(got, want) {
				t.Errorf("%q does not say %q", got, want)
			}
		}
	}
}

// stuckEngine answers class 0 whatever it is asked, as a network does whose channels are dead outside of training.
type stuckEngine struct {
	engine.Engine
	classes int
}

func (e stuckEngine) Forward(_ context.Context, n int, _ []float32) (engine.Outputs, error) {
	return engine.Outputs{LogitsAtt: make([]float32, n*e.classes), LogitsPer: make([]float32, n*e.classes)}, nil
}

// blankRows are inputs that nobody looks at.
type blankRows struct{}

func (blankRows) Size() int                                             { return 1 }
func (blankRows) ReadRows(context.Context, []row, int, []float32) error { return nil }

// A branch that is right with the batches' statistics and wrong with the running ones is reported.
func TestStatisticsThatComeApartAreSeen(t *testing.T) {
	t.Parallel()
	const classes, n = 4, 80
	l := &loop{engine: stuckEngine{classes: classes}, inputs: blankRows{}, samples: make([]sample.Sample, n)}
	batches := [][]row{make([]row, n/2), make([]row, n/2)}
	for i := range n {
		l.samples[i].Label = i % classes // a quarter are class 0
		batches[i/(n/2)][i%(n/2)].sample = i
	}
	for name, c := range map[string]struct {
		hits    [2]int
		batches [][]row
		branch  Branch
	}{
		"as many as in training":       {[2]int{20, 20}, batches, ""},
		"some fewer":                   {[2]int{55, 55}, batches, ""},
		"all right in training":        {[2]int{80, 20}, batches, BranchAttention},
		"the perception branch's":      {[2]int{20, 80}, batches, BranchPerception},
		"too few rows to say anything": {[2]int{40, 40}, batches[:1], ""},
	} {
		bad, err := l.statisticsApart(t.Context(), c.batches, c.hits, 0)
		if err != nil || (bad != nil) != (c.branch != "") || bad != nil && (bad.Branch != c.branch || bad.Apart != 0.75) {
			t.Errorf("%s: %+v, %v", name, bad, err)
		}
	}
}
