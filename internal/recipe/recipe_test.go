package recipe_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
)

// settings are some fields of a training.
type settings struct {
	Strategy  string        `json:"strategy"`
	Gamma     float64       `json:"gamma"`
	BatchSize int           `json:"batch_size"`
	BatchNorm string        `json:"batch_norm"`
	Momentum  float64       `json:"momentum"`
	Repeat    recipe.Repeat `json:"edit_repeat,omitempty"`
	Seed      int64         `json:"seed"`
}

func filled() (s settings) {
	recipe.Fill(&s)
	return s
}

func TestRulesBetweenSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   recipe.Kind
		change func(*settings)
		wrong  string
	}{
		"the defaults":                          {recipe.Round, func(*settings) {}, ""},
		"0 is a momentum and a seed":            {recipe.Round, func(s *settings) { s.Momentum, s.Seed = 0, 0 }, ""},
		"a round beside a control":              {recipe.Round, func(s *settings) { s.Gamma = 0 }, "gamma"},
		"one without":                           {recipe.FineTuning, func(s *settings) { s.Gamma = 0 }, ""},
		"one image a batch, batch statistics":   {recipe.FineTuning, func(s *settings) { s.BatchSize = 1 }, "batch_size"},
		"one image a batch, frozen statistics":  {recipe.FineTuning, func(s *settings) { s.BatchSize, s.BatchNorm = 1, "frozen" }, ""},
		"a round trains no extractor":           {recipe.Round, func(s *settings) { s.Strategy = recipe.Scratch }, "strategy"},
		"a training does":                       {recipe.Training, func(s *settings) { s.Strategy, s.Gamma = recipe.Scratch, 0 }, ""},
		"nothing of one's own":                  {recipe.Training, func(s *settings) { s.Strategy = "all" }, "strategy"},
		"repeats are automatic by a word alone": {recipe.FineTuning, func(s *settings) { s.Repeat = 0 }, "edit_repeat"},
	} {
		s := filled()
		c.change(&s)
		var wrong *recipe.Error
		err := recipe.Validate(c.kind, s)
		if errors.As(err, &wrong); c.wrong == "" && err != nil || c.wrong != "" && (wrong == nil || wrong.Field != c.wrong) {
			t.Errorf("%s: %v, want an error of %q", name, err, c.wrong)
		}
	}
}

func TestRepeatIsANumberOrAWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]recipe.Repeat{`"auto"`: recipe.AutoRepeat, "3": 3} {
		var r recipe.Repeat
		if err := json.Unmarshal([]byte(text), &r); err != nil || r != want {
			t.Errorf("%s is read as %d, %v", text, r, err)
		}
		if back, err := json.Marshal(want); err != nil || string(back) != text {
			t.Errorf("%d is written as %s, %v", want, back, err)
		}
	}
	for _, text := range []string{"", "-1", "often", "1.5"} {
		if r, err := recipe.ParseRepeat(text); err == nil {
			t.Errorf("%q is taken for %d", text, r)
		}
	}
}
