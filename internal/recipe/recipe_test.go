package recipe_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/recipe"
)

func TestRulesBetweenSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   recipe.Kind
		change func(*recipe.Settings)
		wrong  string
	}{
		"the defaults":                          {recipe.Round, func(*recipe.Settings) {}, ""},
		"0 is a momentum and a seed":            {recipe.Round, func(s *recipe.Settings) { s.Momentum, s.Seed = 0, 0 }, ""},
		"a round beside a control":              {recipe.Round, func(s *recipe.Settings) { s.Gamma = 0 }, "gamma"},
		"one without":                           {recipe.FineTuning, func(s *recipe.Settings) { s.Gamma = 0 }, ""},
		"one image a batch, batch statistics":   {recipe.FineTuning, func(s *recipe.Settings) { s.BatchSize = 1 }, "batch_size"},
		"one image a batch, frozen statistics":  {recipe.FineTuning, func(s *recipe.Settings) { s.BatchSize, s.BatchNorm = 1, "frozen" }, ""},
		"a round trains no extractor":           {recipe.Round, func(s *recipe.Settings) { s.Strategy = recipe.StrategyScratch }, "strategy"},
		"a training does":                       {recipe.Training, func(s *recipe.Settings) { s.Strategy, s.Gamma = recipe.StrategyScratch, 0 }, ""},
		"nothing of one's own":                  {recipe.Training, func(s *recipe.Settings) { s.Strategy = "some" }, "strategy"},
		"a training has no last blocks":         {recipe.Training, func(s *recipe.Settings) { s.Strategy = recipe.StrategyAll }, "strategy"},
		"a round has":                           {recipe.Round, func(s *recipe.Settings) { s.Strategy, s.Blocks = recipe.StrategyAll, 1 }, ""},
		"none is no number of them":             {recipe.Round, func(s *recipe.Settings) { s.Blocks = 0 }, "blocks"},
		"a search around γ = 0":                 {recipe.FineTuning, func(s *recipe.Settings) { s.GammaSearch, s.Gamma = true, 0 }, "gamma_search"},
		"the norm by the grid":                  {recipe.Round, func(s *recipe.Settings) { s.MapWeight = "by_class_and_grid" }, ""},
		"what does not grow with the grid":      {recipe.Round, func(s *recipe.Settings) { s.MapWeight, s.MapLoss = "by_grid", "energy" }, "map_weight"},
		"its edits by class":                    {recipe.Round, func(s *recipe.Settings) { s.MapWeight, s.MapLoss = "by_class", "energy" }, ""},
		"arms beside a control":                 {recipe.Round, func(s *recipe.Settings) { s.Arms, _ = arms.Parse(arms.Every) }, ""},
		"arms without a control":                {recipe.FineTuning, func(s *recipe.Settings) { s.Arms, _ = arms.Parse("parent_refit") }, "arms"},
		"a refit on one side alone":             {recipe.Round, func(s *recipe.Settings) { s.Arms, _ = arms.Parse("candidate_refit") }, "arms"},
		"a refit of what is refitted":           {recipe.Round, func(s *recipe.Settings) { s.Refit = true; s.Arms, _ = arms.Parse(arms.Every) }, "arms"},
		"the parent is refitted":                {recipe.Round, func(s *recipe.Settings) { s.Refit = true; s.Arms, _ = arms.Parse("parent_refit") }, ""},
		"five seeds":                            {recipe.FineTuning, func(s *recipe.Settings) { s.Seeds = 5 }, ""},
		"no seed":                               {recipe.FineTuning, func(s *recipe.Settings) { s.Seeds = 0 }, "seeds"},
		"a training is one":                     {recipe.Training, func(s *recipe.Settings) { s.Seeds = 2 }, "seeds"},
		"repeats are automatic by a word alone": {recipe.FineTuning, func(s *recipe.Settings) { s.EditRepeat = 0 }, "edit_repeat"},
	} {
		s := recipe.Defaults()
		c.change(&s)
		var wrong *recipe.Error
		err := s.Validate(c.kind)
		if errors.As(err, &wrong); c.wrong == "" && err != nil || c.wrong != "" && (wrong == nil || wrong.Field != c.wrong) {
			t.Errorf("%s: %v, want an error of %q", name, err, c.wrong)
		}
	}
}

// A search tries γs around the one that is given, within γ's bounds, each for a third of the epochs.
func TestWhatASearchTries(t *testing.T) {
	t.Parallel()
	for gamma, want := range map[float64][]float64{1: {0.3, 1, 3}, 3: {0.9, 3, 9}, 0.1: {0.03, 0.1, 0.3}, 5000: {1500, 5000}} {
		s := recipe.Defaults()
		s.Gamma = gamma
		if got := s.GammasTried(); !slices.Equal(got, want) {
			t.Errorf("around %g: %v, want %v", gamma, got, want)
		}
	}
	for epochs, want := range map[int]int{1: 1, 3: 1, 4: 2, 6: 2, 12: 4} {
		s := recipe.Defaults()
		s.Epochs, s.GammaSearch, s.Patience, s.Refit = epochs, true, 5, true
		if got := s.Tried(2); got.Epochs != want || got.Gamma != 2 || got.GammaSearch || got.Patience != 0 || got.Refit {
			t.Errorf("a try of %d epochs: %+v", epochs, got)
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

// Every field of Settings has an entry in the table and every entry a field of its type, within bounds from the start.
func TestTheTableIsOfSettings(t *testing.T) {
	t.Parallel()
	kinds := map[recipe.Type][]reflect.Kind{
		recipe.Word: {reflect.String}, recipe.Number: {reflect.Float64}, recipe.Whole: {reflect.Int}, recipe.Any: {reflect.Int64}, recipe.Switch: {reflect.Bool}, recipe.Several: {reflect.Uint16},
	}
	fields := reflect.TypeFor[recipe.Settings]()
	for i := range fields.NumField() {
		name, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		f, known := recipe.FieldNamed(name)
		if !known || !slices.Contains(kinds[f.Type], fields.Field(i).Type.Kind()) {
			t.Errorf("%s: entry %v of another type than %s", name, known, fields.Field(i).Type)
		}
	}
	if len(recipe.Fields) != fields.NumField() {
		t.Errorf("%d entries of %d settings", len(recipe.Fields), fields.NumField())
	}
	for _, f := range recipe.Fields {
		if got := recipe.Defaults().Get(f.Name); fmt.Sprint(got) != fmt.Sprint(f.Default) {
			t.Errorf("the default of %s is %v, its entry has %v", f.Name, got, f.Default)
		}
		if f.Label == "" || f.FlagHelp() == "" || f.Group != "" && f.Sentence == "" && f.Choices[0].Sentence == "" {
			t.Errorf("nothing is told of %s", f.Name)
		}
	}
}

// A record holds every setting but those left to the studio. Its order must not change: a run's hash is made of it.
func TestSettingsAsJSON(t *testing.T) {
	t.Parallel()
	const rounds = `{"engine":"ort","strategy":"both","gamma":1,"gamma_search":false,"map_loss":"l2","map_weight":"none","gamma_avoid":1,"anchor":0,"batch_norm":"batch","epochs":6,"batch_size":32,"learning_rate":0.02,"rates":"by_layer",` +
		`"optimizer":"sgd","momentum":0.9,"weight_decay":0.0001,"spare_norms":false,"clip_norm":0,"schedule":"cosine","warm_up":0.05,"balanced":false,"patience":0,"refit":false,"flip":false,"crop":0,"seed":1`
	s := recipe.Defaults()
	for _, c := range []struct {
		repeat recipe.Repeat
		want   string
	}{{recipe.AutoRepeat, rounds + "}"}, {3, rounds + `,"edit_repeat":3}`}, {0, rounds + `,"edit_repeat":0}`}} {
		s.EditRepeat = c.repeat
		data, err := json.Marshal(s)
		if err != nil || string(data) != c.want {
			t.Errorf("%s, %v, want %s", data, err, c.want)
		}
		var back recipe.Settings
		if err := json.Unmarshal(data, &back); err != nil || back != s {
			t.Errorf("%s is read as %+v, %v", data, back, err)
		}
	}
	s = recipe.Defaults()
	s.Seeds, s.Arms = 3, 1
	data, err := json.Marshal(s)
	if want := rounds + `,"arms":["parent_refit"],"seeds":3}`; err != nil || string(data) != want {
		t.Errorf("%s, %v, want %s", data, err, want)
	}
	if one := s.OfSeed(2); one.Seed != 3 || one.Seeds != 1 || one.Arms != 0 {
		t.Errorf("the third training has %+v", one)
	}
	s = recipe.Defaults()
	if err := json.Unmarshal([]byte(`{"momentum": 0}`), &s); err != nil || s.Momentum != 0 || s.Gamma != 1 {
		t.Errorf("what JSON lacks stays: %+v, %v", s, err)
	}
	var old recipe.Settings
	if err := json.Unmarshal([]byte(`{"gamma": 2}`), &old); err != nil || old.MapWeight != recipe.MapWeightNone {
		t.Errorf("a record from before the weights: %+v, %v", old, err)
	}
}

// A form's texts are read by the types of the table, and written so that they are read again.
func TestTextsOfAForm(t *testing.T) {
	t.Parallel()
	var s recipe.Settings
	for _, f := range recipe.Fields {
		if f.Name == "edit_repeat" { // no form has it
			s.EditRepeat = recipe.AutoRepeat
			continue
		}
		if err := s.Read(f.Name, recipe.Defaults().Text(f.Name)); err != nil {
			t.Error(err)
		}
	}
	if s != recipe.Defaults() {
		t.Errorf("%+v", s)
	}
	if err := s.Read("arms", "map_at_test, parent_refit"); err != nil || s.Text("arms") != "parent_refit,map_at_test" {
		t.Errorf("arms are %s, %v", s.Text("arms"), err)
	}
	for name, says := range map[string]string{"arms": `arms is "x", want none, all, or some of parent_refit,control_refit,shuffled_within,shuffled_across,candidate_refit,map_at_test`, "gamma": `gamma is "x", which is no number`, "epochs": `epochs is "x", which is no whole number`, "other": "other is no setting"} {
		if err := s.Read(name, "x"); err == nil || err.Error() != says {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Set("gamma", "much"); err == nil {
		t.Error("a word is a number")
	}
}

// A folded group's line says every setting that is not as if it were not there, a switch when it is on, and of AdamW no momentum.
func TestBrief(t *testing.T) {
	t.Parallel()
	says := func(s recipe.Settings, groups ...recipe.Group) string {
		var list []string
		for _, g := range groups {
			for _, f := range g.In() {
				if brief := s.Brief(f.Name); brief != "" {
					list = append(list, brief)
				}
			}
		}
		return strings.Join(list, " · ")
	}
	s := recipe.Defaults()
	for g, want := range map[recipe.Group]string{
		recipe.Maps:      "L2 norm · γ of marks 1 · no anchor",
		recipe.Data:      "batches of 32 · seed 1",
		recipe.Optimiser: "SGD · momentum 0.9 · cosine · warm-up 0.05 · decay 0.0001 · BatchNorm by batch",
		recipe.Computing: "ONNX Runtime",
	} {
		if got := says(s, g); got != want {
			t.Errorf("%s: %q, want %q", g, got, want)
		}
	}
	s.Optimizer, s.Rates, s.Crop, s.Patience, s.Flip, s.SpareNorms, s.ClipNorm, s.Anchor, s.WeightDecay = "adamw", "one", 0.5, 3, true, true, 1, 2, 0
	want := "γ of marks 1 · anchor 2 · batches of 32 · crops from 0.5 · stops early after 3 · seed 1 · flips · AdamW · one rate for all layers · cosine · warm-up 0.05 · decay 0 · clipped at 1 · BatchNorm by batch · norms spared"
	if got := says(s, recipe.Maps, recipe.Data, recipe.Optimiser); got != "L2 norm · "+want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, f := range recipe.Fields {
		if g := f.Group; g != "" && g != recipe.Taught && f.Brief == "" && f.Type != recipe.Word {
			t.Errorf("%s is in a folded group, whose line says nothing of it", f.Name)
		}
	}
}

func TestWaysAreAllPairs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, w := range recipe.Ways() {
		s := recipe.Defaults()
		s.Strategy, s.BatchNorm = w.Strategy, w.BatchNorm
		if err := s.Validate(recipe.Round); err != nil {
			t.Errorf("%v: %v", w, err)
		}
		seen[w.Label()] = true
	}
	if len(seen) != 4 || !seen["Both branches, BatchNorm's statistics of each batch"] {
		t.Errorf("the ways are %v", seen)
	}
	for _, e := range recipe.Engines() {
		if e.Label() == string(e) {
			t.Errorf("the engine %s has no name", e)
		}
	}
}

// A round's page says its settings in words, without those that have no effect.
func TestSettingsAreSaid(t *testing.T) {
	t.Parallel()
	s := recipe.Defaults()
	s.Arms, _ = arms.Parse("parent_refit")
	for name, want := range map[string]string{"refit": "no", "blocks": "", "arms": "the parent with its last layer refitted", "seeds": "1", "perturbed": "0", "other": ""} {
		if got := s.Said(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	s.Refit, s.Strategy, s.Arms = true, recipe.StrategyAll, 0
	for name, want := range map[string]string{"refit": "yes", "blocks": "2", "arms": "nothing"} {
		if got := s.Said(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
