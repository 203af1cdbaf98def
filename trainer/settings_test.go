package trainer

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

func TestDefaultSettingsAreValid(t *testing.T) {
	t.Parallel()
	if err := DefaultSettings().Validate(); err != nil {
		t.Error(err)
	}
	s := Settings{}.WithDefaults()
	if s.Gamma != 0 || s.WeightDecay != 0 {
		t.Errorf("γ and weight decay of 0 are values: %+v", s)
	}
	data, err := json.Marshal(DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	var back Settings
	if err := json.Unmarshal(data, &back); err != nil || back != DefaultSettings() {
		t.Errorf("JSON %s gives %+v, %v", data, back, err)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	t.Parallel()
	for field, changes := range map[string][]func(*Settings){
		"strategy":      {func(s *Settings) { s.Strategy = "all" }},
		"map_loss":      {func(s *Settings) { s.MapLoss = "huber" }},
		"batch_norm":    {func(s *Settings) { s.BatchNorm = "group" }},
		"schedule":      {func(s *Settings) { s.Schedule = "linear" }},
		"gamma":         {func(s *Settings) { s.Gamma = -0.1 }, func(s *Settings) { s.Gamma = math.Inf(1) }, func(s *Settings) { s.Gamma = math.NaN() }},
		"epochs":        {func(s *Settings) { s.Epochs = -1 }, func(s *Settings) { s.Epochs = 1 << 30 }},
		"batch_size":    {func(s *Settings) { s.BatchSize = -5 }, func(s *Settings) { s.BatchSize = 1 }},
		"learning_rate": {func(s *Settings) { s.LearningRate = -1 }, func(s *Settings) { s.LearningRate = math.NaN() }},
		"momentum":      {func(s *Settings) { s.Momentum = 1 }},
		"weight_decay":  {func(s *Settings) { s.WeightDecay = -1e-4 }},
		"engine":        {func(s *Settings) { s.Engine = "torch" }},
		"optimizer":     {func(s *Settings) { s.Optimizer = "lion" }},
		"warm_up":       {func(s *Settings) { s.WarmUp = 1 }, func(s *Settings) { s.WarmUp = -0.1 }, func(s *Settings) { s.WarmUp = math.NaN() }},
		"clip_norm":     {func(s *Settings) { s.ClipNorm = -1 }, func(s *Settings) { s.ClipNorm = math.Inf(1) }},
		"patience":      {func(s *Settings) { s.Patience = -1 }},
		"anchor":        {func(s *Settings) { s.Anchor = -1 }, func(s *Settings) { s.Anchor = math.NaN() }},
		"crop":          {func(s *Settings) { s.Crop = 1.5 }},
		"edit_repeat":   {func(s *Settings) { s.EditRepeat = -1 }},
	} {
		for _, change := range changes {
			s := DefaultSettings()
			change(&s)
			var bad *SettingError
			if err := s.Validate(); !errors.As(err, &bad) || bad.Field != field {
				t.Errorf("%+v: got %v, want an error of %s", s, err, field)
			}
		}
	}
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schedule    Schedule
		warmUp      float64
		step, steps int
		want        float64
	}{
		{ScheduleConstant, 0, 0, 100, 0.4}, {ScheduleConstant, 0, 99, 100, 0.4},
		{ScheduleConstant, 0.1, 0, 100, 0.4 / 11}, {ScheduleConstant, 0.1, 9, 100, 0.4 * 10 / 11}, {ScheduleConstant, 0.1, 10, 100, 0.4},
		{ScheduleStep, 0, 49, 100, 0.4}, {ScheduleStep, 0, 50, 100, 0.04}, {ScheduleStep, 0, 74, 100, 0.04}, {ScheduleStep, 0, 75, 100, 0.004},
		{ScheduleStep, 0.05, 0, 100, 0.4 / 6}, {ScheduleStep, 0.05, 5, 100, 0.4}, {ScheduleStep, 0.6, 55, 100, 0.04 * 56 / 61},
		{ScheduleCosine, 0.05, 0, 100, 0.4 / 6}, {ScheduleCosine, 0.05, 4, 100, 0.4 * 5 / 6}, {ScheduleCosine, 0.05, 5, 100, 0.4},
		{ScheduleCosine, 0.05, 5 + 95/5*2, 100, 0.2 * (1 + math.Cos(math.Pi*0.4))}, {ScheduleCosine, 0.05, 99, 100, 0.2 * (1 + math.Cos(math.Pi*94/95))},
		{ScheduleCosine, 0.05, 0, 1, 0.4}, {ScheduleCosine, 0.05, 0, 10, 0.4}, {ScheduleCosine, 0.05, 5, 10, 0.2}, {ScheduleCosine, 0, 0, 100, 0.4},
	} {
		s := Settings{Schedule: c.schedule, WarmUp: c.warmUp, LearningRate: 0.4}
		if got := s.LearningRateAt(c.step, c.steps); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s, warm-up %v, step %d of %d: %v, want %v", c.schedule, c.warmUp, c.step, c.steps, got, c.want)
		}
	}
	// The warm-up used to be steps/20 whatever was asked for: the default's rates must stay what they were.
	for steps := range 50_000 {
		if got := DefaultSettings().warmUpSteps(steps); got != steps/20 {
			t.Fatalf("of %d steps %d warm up, want %d", steps, got, steps/20)
		}
	}
}

func TestUpdateAtCarriesTheSettings(t *testing.T) {
	t.Parallel()
	s := DefaultSettings()
	s.Optimizer, s.SpareNorms, s.ClipNorm = OptimizerAdamW, true, 2
	want := Update{LearningRate: s.LearningRateAt(7, 40), Momentum: 0.9, WeightDecay: 1e-4, Optimizer: OptimizerAdamW, SpareNorms: true, ClipNorm: 2, Step: 8}
	if got := s.UpdateAt(7, 40); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
