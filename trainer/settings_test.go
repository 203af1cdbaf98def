package trainer

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/recipe/recipetest"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
)

// RunRound accepts the same values as form, API and command line. Settings that are accepted fail here because there are no
// images.
func TestRoundsJudgeSettingsByTheRecipe(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 4, 1, 2)
	for _, c := range recipetest.Cases() {
		spec := p.spec(t, nil)
		spec.Settings, spec.Train = recipe.Defaults(), nil
		err := spec.Settings.Set(c.Field, c.Value)
		if err == nil {
			_, err = RunRound(t.Context(), spec, Observer{})
		}
		var bad *recipe.Error
		switch {
		case c.Refused == "":
			if err == nil || !strings.Contains(err.Error(), "no images to train on") {
				t.Errorf("%s of %s is in bounds: %v", c.Field, c.Text, err)
			}
		case !errors.As(err, &bad) || bad.Field != c.Field || bad.Message != c.Refused:
			t.Errorf("%s of %s: %v, want %q", c.Field, c.Text, err, c.Refused)
		}
	}
}

// A momentum and a seed of 0 are trained with, and the model says so.
func TestZeroIsAValue(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 40, 6, 20)
	spec := p.spec(t, nil)
	spec.Settings.Momentum, spec.Settings.Seed, spec.Settings.EditRepeat = 0, 0, recipe.AutoRepeat
	spec.WithoutControl = true
	var told recipe.Settings
	export := spec.network.export
	spec.network.export = func(parameters []engine.Parameter, lineage []onnx.Metadata) ([]byte, error) {
		for _, m := range lineage {
			if m.Key == "abn.settings" {
				if err := json.Unmarshal([]byte(m.Value), &told); err != nil {
					t.Error(err)
				}
			}
		}
		return export(parameters, lineage)
	}
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if s := out.Settings; s.Momentum != 0 || s.Seed != 0 || s.EditRepeat < 1 {
		t.Errorf("asked for momentum 0, seed 0 and automatic repeats, trained with %+v", s)
	}
	if told != out.Settings {
		t.Errorf("the model says %+v, trained with %+v", told, out.Settings)
	}
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schedule    recipe.Schedule
		warmUp      float64
		step, steps int
		want        float64
	}{
		{recipe.ScheduleConstant, 0, 0, 100, 0.4}, {recipe.ScheduleConstant, 0, 99, 100, 0.4},
		{recipe.ScheduleConstant, 0.1, 0, 100, 0.4 / 11}, {recipe.ScheduleConstant, 0.1, 9, 100, 0.4 * 10 / 11}, {recipe.ScheduleConstant, 0.1, 10, 100, 0.4},
		{recipe.ScheduleStep, 0, 49, 100, 0.4}, {recipe.ScheduleStep, 0, 50, 100, 0.04}, {recipe.ScheduleStep, 0, 74, 100, 0.04}, {recipe.ScheduleStep, 0, 75, 100, 0.004},
		{recipe.ScheduleStep, 0.05, 0, 100, 0.4 / 6}, {recipe.ScheduleStep, 0.05, 5, 100, 0.4}, {recipe.ScheduleStep, 0.6, 55, 100, 0.04 * 56 / 61},
		{recipe.ScheduleCosine, 0.05, 0, 100, 0.4 / 6}, {recipe.ScheduleCosine, 0.05, 4, 100, 0.4 * 5 / 6}, {recipe.ScheduleCosine, 0.05, 5, 100, 0.4},
		{recipe.ScheduleCosine, 0.05, 5 + 95/5*2, 100, 0.2 * (1 + math.Cos(math.Pi*0.4))}, {recipe.ScheduleCosine, 0.05, 99, 100, 0.2 * (1 + math.Cos(math.Pi*94/95))},
		{recipe.ScheduleCosine, 0.05, 0, 1, 0.4}, {recipe.ScheduleCosine, 0.05, 0, 10, 0.4}, {recipe.ScheduleCosine, 0.05, 5, 10, 0.2}, {recipe.ScheduleCosine, 0, 0, 100, 0.4},
	} {
		s := recipe.Settings{Schedule: c.schedule, WarmUp: c.warmUp, LearningRate: 0.4}
		if got := LearningRateAt(s, c.step, c.steps); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s, warm-up %v, step %d of %d: %v, want %v", c.schedule, c.warmUp, c.step, c.steps, got, c.want)
		}
	}
	// The warm-up used to be steps/20 whatever was asked for: the default's rates must stay what they were.
	for steps := range 50_000 {
		if got := warmUpSteps(recipe.Defaults(), steps); got != steps/20 {
			t.Fatalf("of %d steps %d warm up, want %d", steps, got, steps/20)
		}
	}
}

func TestUpdateAtCarriesTheSettings(t *testing.T) {
	t.Parallel()
	s := recipe.Defaults()
	s.Optimizer, s.SpareNorms, s.ClipNorm = recipe.OptimizerAdamW, true, 2
	want := engine.Update{LearningRate: LearningRateAt(s, 7, 40), Momentum: 0.9, WeightDecay: 1e-4, Optimizer: recipe.OptimizerAdamW, SpareNorms: true, ClipNorm: 2, Step: 8}
	if got := UpdateAt(s, 7, 40); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
