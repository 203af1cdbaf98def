package templates

import (
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
)

// A round's page sets all networks beside each other, those that beat the maps too, and says which one counts and what was left out.
func TestRoundPageComparesArms(t *testing.T) {
	t.Parallel()
	at := func(v float64) *float64 { return &v }
	c := annotator.Comparison{Maps: arms.Candidate, Baseline: arms.ControlRefit, ValidationImages: 280, Seeds: 3, Arms: []annotator.ArmFigure{
		{Arm: arms.Control, Images: 1120, Accuracy: 0.7, AttentionInside: at(0.3), Against: arms.Candidate, Difference: at(0.05), Low: at(0.02), High: at(0.08), Seeds: []annotator.ArmSeed{{Seed: 1, Accuracy: 0.69}, {Seed: 2, Accuracy: 0.71}}},
		{Arm: arms.ControlRefit, Images: 1120, Accuracy: 0.76, ValidationAccuracy: at(0.8), Against: arms.Candidate, Difference: at(-0.01), Low: at(-0.03), High: at(0.01)},
		{Arm: arms.Candidate, Images: 1120, Accuracy: 0.75},
		{Arm: arms.MapAtTest, Edited: true, Images: 60, Accuracy: 0.4, Against: arms.Parent, Difference: at(0.4), Low: at(0.3), High: at(0.5)},
	}, LeftOut: []annotator.ArmLeftOut{{Arm: arms.ShuffledWithin, Why: "no class has two edited images, whose maps could be shuffled"}}}
	result := &annotator.RoundResult{Headline: "Without people's maps the control with its last layer refitted did as well.", Comparison: &c}
	round := annotator.Round{ID: 3, Number: 1, State: annotator.RoundFinished, Settings: recipe.Defaults(), Result: result}
	doc := rendered(t, RoundPage(frameOf(annotator.RoleAdmin), Round{Round: round}))
	for selector, want := range map[string]string{
		"[aria-label=Arms] > p":              "The baseline, the control with its last layer refitted, is the network without people's maps that is best on 280 validation images; differences are taken on other images. Every training was done with 3 seeds",
		"[data-arm=control]":                 "+5.0",
		"[data-arm=control_refit] .chip":     "baseline",
		"[data-arm=candidate] .chip":         "the maps",
		"[data-arm=map_at_test]":             "over the parent",
		"[data-arm=control] td[title]":       "70.0%",
		"[data-arm=control_refit] .interval": "",
		"[aria-label=Arms]":                  "Maps shuffled within the class is left out: no class has two edited images",
	} {
		if doc.Find(selector).Length() == 0 || !strings.Contains(textOf(doc, selector), want) {
			t.Errorf("%s: %q, want %q", selector, textOf(doc, selector), want)
		}
	}
	if doc.Find(".headline.good, .headline.bad").Length() != 0 {
		t.Error("a headline that says neither is coloured")
	}
	for name, plain := range map[string]*annotator.Comparison{"an old round": nil, "candidate and control": {Seeds: 1, Arms: c.Arms[:1]}} {
		result.Comparison = plain
		if doc := rendered(t, RoundPage(frameOf(annotator.RoleAdmin), Round{Round: round})); doc.Find("[aria-label=Arms]").Length() != 0 {
			t.Errorf("%s has a table of arms", name)
		}
	}
}

// The line of steps of a round with several arms and seeds has one entry for each arm.
func TestStepsOfARoundOfArms(t *testing.T) {
	t.Parallel()
	r := annotator.Round{State: annotator.RoundTraining}
	for _, s := range []progress.Stage{progress.Features, progress.EvaluatingParent, progress.Training("candidate", 0), progress.Measuring("candidate", 0), progress.Training("candidate", 1),
		progress.Measuring("candidate", 1), progress.Training("control", 0), progress.Measuring("control", 0)} {
		r.Progress.Phases = append(r.Progress.Phases, string(s))
	}
	r.Progress.Phase = string(progress.Training("candidate", 1))
	var says []string
	for _, p := range phases(t.Context(), r) {
		says = append(says, p.word+":"+phaseState(r, p))
	}
	if got, want := strings.Join(says, " "), "Features:done Parent:done Candidate:now Control:"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if p := phases(t.Context(), r)[2]; !strings.Contains(p.names(), "training-candidate-2") {
		t.Errorf("the script does not find %q", p.names())
	}
	if plain := phases(t.Context(), annotator.Round{}); len(plain) != 6 || plain[2].word != "Train candidate" {
		t.Errorf("a plain round has %+v", plain)
	}
}

// The form offers every arm that can be asked for, two that go together as one.
func TestFormOffersArms(t *testing.T) {
	t.Parallel()
	plan := planOf()
	plan.Settings.Arms, _ = arms.Parse("control_refit,candidate_refit")
	doc := rendered(t, NewRoundPage(frameOf(annotator.RoleAdmin), RoundForm{RoundPlan: plan}))
	var values []string
	for _, n := range doc.Find("input[name=arms]").EachIter() {
		values = append(values, n.AttrOr("value", ""))
	}
	if got, want := strings.Join(values, " "), "parent_refit control_refit,candidate_refit shuffled_within shuffled_across map_at_test"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if doc.Find("input[name=arms][checked]").AttrOr("value", "") != "control_refit,candidate_refit" {
		t.Error("what is asked for is not checked")
	}
}

// Pictures with both maps come first, else as they came.
func TestPairsFirst(t *testing.T) {
	t.Parallel()
	pair := []NamedAnswer{{}, {}}
	images := []RoundImage{{Image: annotator.Image{ID: 1}}, {Image: annotator.Image{ID: 2}, Answers: pair}, {Image: annotator.Image{ID: 3}, Answers: pair}}
	var order []int64
	for _, i := range pairsFirst(images) {
		order = append(order, i.Image.ID)
	}
	if !slices.Equal(order, []int64{2, 3, 1}) || images[0].Image.ID != 1 {
		t.Errorf("the order is %v", order)
	}
}
