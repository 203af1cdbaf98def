package templates

import (
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/recipe"
)

// planOf makes a plan whose data cause no warning.
func planOf() annotator.RoundPlan {
	return annotator.RoundPlan{
		Settings: recipe.Defaults(),
		Data:     annotator.RoundData{Images: 2800, Edits: 60, Validation: 280, Heldout: 1120, Split: annotator.SplitTest},
	}
}

// training is what engines answer: Gorgonia's own obstacle with batch statistics, ONNX Runtime has none.
func training(gorgoniaFrozen bool) []annotator.Trainability {
	var list []annotator.Trainability
	for _, w := range recipe.Ways() {
		list = append(list, annotator.Trainability{Engine: "ort", Strategy: w.Strategy, BatchNorm: w.BatchNorm})
		t := annotator.Trainability{Engine: "gorgonia", Strategy: w.Strategy, BatchNorm: w.BatchNorm}
		if w.BatchNorm == "batch" || !gorgoniaFrozen {
			t.Obstacles = []annotator.Obstacle{{Node: "/per/Resize", Op: "Resize", Why: "gorgonia has no such operator"}}
		}
		list = append(list, t)
	}
	return list
}

func TestRoundFormSaysWhatEnginesLack(t *testing.T) {
	t.Parallel()
	form := func(training []annotator.Trainability) *goquery.Document {
		plan := planOf()
		plan.Training = training
		return rendered(t, NewRoundPage(frameOf(annotator.RoleAdmin), RoundForm{RoundPlan: plan}))
	}
	unable := form(training(false))
	if unable.Find("input[name=engine][value=gorgonia][disabled]").Length() != 1 || unable.Find("input[name=engine][value=ort][disabled]").Length() != 0 {
		t.Error("an engine that can train the network in no way can be chosen, or the other one cannot")
	}
	if says := textOf(unable, ".obstacles"); !strings.Contains(says, "/per/Resize Resize gorgonia has no such operator (Gorgonia)") {
		t.Errorf("what stands in its way is told as %q", says)
	}
	partly := form(training(true))
	if partly.Find("input[name=engine][disabled]").Length() != 0 {
		t.Error("an engine that can train the network in some ways cannot be chosen")
	}
	if says := textOf(partly, ".obstacles"); !strings.Contains(says, "(Gorgonia: attention, batch; Gorgonia: both, batch)") {
		t.Errorf("which ways it lacks is told as %q", says)
	}
	if unknown := form(nil); unknown.Find("input[name=engine][disabled], .obstacles").Length() != 0 {
		t.Error("where nobody has asked the engines something is held against them")
	}
}

func TestRoundFormWarns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data annotator.RoundData
		says string
	}{
		"fine":            {planOf().Data, ""},
		"edits alone":     {annotator.RoundData{Images: 60, Edits: 60, Heldout: 9, Split: annotator.SplitTest}, "on its edited images alone"},
		"few unedited":    {annotator.RoundData{Images: 70, Edits: 60, Heldout: 9, Split: annotator.SplitTest}, "Only 10 training images without an edit"},
		"nothing to test": {annotator.RoundData{Images: 700, Edits: 60}, "nothing to measure"},
	} {
		plan := planOf()
		plan.Data = c.data
		doc := rendered(t, NewRoundPage(frameOf(annotator.RoleAdmin), RoundForm{RoundPlan: plan}))
		if says := textOf(doc, ".notice-warn"); c.says == "" && says != "" || !strings.Contains(says, c.says) {
			t.Errorf("%s: the form warns %q, want %q", name, says, c.says)
		}
	}
}

// Every setting has a field in the form, and a refused one shows its problem.
func TestRoundFormHasEverySetting(t *testing.T) {
	t.Parallel()
	doc := rendered(t, NewRoundPage(frameOf(annotator.RoleAdmin), RoundForm{RoundPlan: planOf(), Field: "clip_norm", Problem: `is "x", which is no number`}))
	for _, f := range recipe.Fields {
		if f.Group != "" && doc.Find("[name="+f.Name+"]").Length() == 0 {
			t.Errorf("%s has no field", f.Name)
		}
	}
	if doc.Find("details[open] input[name=clip_norm][aria-invalid=true]").Length() != 1 || doc.Find("details[open]").Length() != 1 {
		t.Error("the group of the refused setting is not the open one, or its field is not marked")
	}
	if says := textOf(doc, "details[open] .problem"); says != `Is "x", which is no number` {
		t.Errorf("at the field: %q", says)
	}
}

func TestRoundPageTellsOfEarlyStoppingAndWarnings(t *testing.T) {
	t.Parallel()
	settings := recipe.Defaults()
	settings.Engine, settings.Patience, settings.Anchor, settings.GammaSearch = "gorgonia", 2, 0.5, true
	round := annotator.Round{ID: 3, Number: 1, State: annotator.RoundFinished, Settings: settings, Result: &annotator.RoundResult{
		Headline: "Maps were worth nothing.", ValidationImages: 280, Warnings: []string{"Early stopping looks at 9 images only."},
		GammaSearch: &annotator.GammaSearch{Gamma: 3, Epochs: 2, Tries: []annotator.GammaTry{{Gamma: 1, Diverged: true}, {Gamma: 3, ValidationLoss: 0.25, ValidationAccuracy: 0.5}}},
		Arms:        []annotator.RoundArm{{Arm: arms.Candidate, Epochs: 5, Kept: 3, ValidationLoss: 0.5, ValidationAccuracy: 0.9}},
	}}
	doc := rendered(t, RoundPage(frameOf(annotator.RoleAdmin), Round{Round: round}))
	for selector, want := range map[string]string{
		".notice-warn":              "Early stopping looks at 9 images only.",
		"article":                   "by 280 validation images, kept the candidate's epoch 3 of 5 (validation loss 0.500, accuracy 90.0%)",
		".head":                     "on Gorgonia",
		"article p:nth-of-type(4)":  "γ was searched by 280 validation images, 2 epochs each: 1 (came apart), 3 (validation loss 0.250, accuracy 50.0%). The round was trained with 3.",
		".facts":                    "3, searched around 1",
		".facts div:nth-of-type(5)": "Anchor 0.5",
	} {
		if says := textOf(doc, selector); !strings.Contains(strings.ReplaceAll(says, "Anchor0.5", "Anchor 0.5"), want) {
			t.Errorf("%s says %q, want %q in it", selector, says, want)
		}
	}
	if doc.Find("[data-chart=loss_anchor]").Length() != 1 || doc.Find("[data-chart=validation_loss]").Length() != 1 {
		t.Error("the curves of L_anchor and of the validation are not there")
	}
	plain := rendered(t, RoundPage(frameOf(annotator.RoleAdmin), Round{Round: annotator.Round{Settings: recipe.Defaults()}}))
	if plain.Find("[data-chart]").Length() != 3 {
		t.Error("a round without them shows their curves")
	}
}
