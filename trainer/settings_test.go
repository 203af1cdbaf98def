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
		step, steps int
		want        float64
	}{
		{ScheduleConstant, 0, 100, 0.4}, {ScheduleConstant, 99, 100, 0.4},
		{ScheduleStep, 49, 100, 0.4}, {ScheduleStep, 50, 100, 0.04}, {ScheduleStep, 74, 100, 0.04}, {ScheduleStep, 75, 100, 0.004},
		{ScheduleCosine, 0, 100, 0.4 / 6}, {ScheduleCosine, 4, 100, 0.4 * 5 / 6}, {ScheduleCosine, 5, 100, 0.4},
		{ScheduleCosine, 5 + 95/5*2, 100, 0.2 * (1 + math.Cos(math.Pi*0.4))}, {ScheduleCosine, 99, 100, 0.2 * (1 + math.Cos(math.Pi*94/95))},
		{ScheduleCosine, 0, 1, 0.4}, {ScheduleCosine, 0, 10, 0.4}, {ScheduleCosine, 5, 10, 0.2},
	} {
		s := Settings{Schedule: c.schedule, LearningRate: 0.4}
		if got := s.LearningRateAt(c.step, c.steps); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s, step %d of %d: %v, want %v", c.schedule, c.step, c.steps, got, c.want)
		}
	}
}
