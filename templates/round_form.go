package templates

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/words"
)

// RoundForm is the view model of the form that starts a round.
type RoundForm struct {
	annotator.RoundPlan        // its Settings are those typed, if the form was sent
	Key                 string // idempotency key: pressing twice starts one round
	Problem             string
	Field               string // which setting the problem is about
	Running             bool   // another round runs
	Like                int    // the round whose settings it starts with, by its number; 0: none
}

// startsFrom says what a round would begin with.
func (v RoundForm) startsFrom(version int) string {
	if v.Like != 0 {
		return fmt.Sprintf("Starts from v%d, with the settings of round %d.", version, v.Like)
	}
	if version == 0 {
		return "There is no model to start from yet."
	}
	return fmt.Sprintf("Starts from v%d.", version)
}

// problemOf returns what is wrong with a setting, "" if nothing is.
func (v RoundForm) problemOf(ctx context.Context, field string) string {
	if field == v.Field {
		return sentence(ctx, v.Problem)
	}
	return ""
}

// summary is the problem as it is shown at the top of the form; if it is about a setting, it says which.
func (v RoundForm) summary(ctx context.Context) string {
	f, known := recipe.FieldNamed(v.Field)
	switch {
	case !known || f.Group == "":
		return sentence(ctx, v.Problem)
	case f.Group == recipe.Computing:
		return f.Label + ": " + v.Problem
	}
	return f.Label + " " + v.Problem
}

// openChoice reports whether a setting's words are shown as radio buttons, each with an explanation.
func openChoice(f recipe.Field) bool { return len(f.Choices) > 0 && f.Choices[0].Sentence != "" }

// bounds are the attributes by which the browser checks a setting's bounds before the form is sent. HTML cannot say that a bound itself
// is not allowed (Field.Above); the server checks that.
func bounds(f recipe.Field) templ.Attributes {
	attributes := templ.Attributes{"required": true}
	if !f.Numeric() {
		return attributes
	}
	attributes["min"], attributes["max"] = number(f.Low), number(f.High)
	if f.Type != recipe.Whole {
		attributes["step"] = "any"
	}
	return attributes
}

// fewUnedited is the number of unedited training images for each edited one below which the form warns: with so few, the network may
// forget what it knows.
const fewUnedited = 1

// warnings lists reasons why the round's result would mean little, each with what to do about it.
func (v RoundForm) warnings() []string {
	var list []string
	d := v.Data
	switch plain := d.Images - d.Edits; {
	case plain == 0:
		list = append(list, "The round would train on its edited images alone: no labelled training images take part. The network forgets what it knew. Import the images it was trained on as the training split.")
	case plain < fewUnedited*d.Edits:
		list = append(list, fmt.Sprintf("Only %s without an edit take part beside %s with one: expect forgetting. Import the images the network was trained on as the training split.", Plural(plain, "training image"), Count(d.Edits)))
	}
	if d.Heldout == 0 {
		list = append(list, "There is nothing to measure the round on: no labelled test or validation image is free of edits. Import a test split.")
	}
	return list
}

// validationText says on which images early stopping would measure.
func (v RoundForm) validationText() string {
	switch d := v.Data; {
	case d.Split == annotator.SplitTest && d.Validation > 0:
		return Plural(d.Validation, "validation image")
	default:
		return "a tenth of the unedited training images"
	}
}

// says returns the values of a folded group's settings in one line.
func (v RoundForm) says(g recipe.Group) string {
	var list []string
	for _, f := range g.In() {
		list = append(list, v.Settings.Brief(f.Name))
	}
	return joined(" · ", list...)
}

// optimizerWord returns the optimizer in words: "SGD, momentum 0.9".
func optimizerWord(s recipe.Settings) string {
	return joined(", ", s.Brief("optimizer"), s.Brief("momentum"))
}

func either(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// joined are those words of which there are any.
func joined(by string, list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), by)
}

// lastText says how long the latest round took, as an estimate for this one.
func (v RoundForm) lastText(ctx context.Context) string {
	r := v.Last
	return fmt.Sprintf("Round %d took %s: %s over %s, on %s%s.", r.Number, words.Seconds(ctx, r.Result.Seconds), Plural(r.Settings.Epochs, "epoch"), Plural(r.Images, "image"), r.Settings.Engine.Label(),
		either(r.Settings.GammaSearch, ", its search for γ included", ""))
}

// armChoice is one checkbox of the form: an arm, or two that go together.
type armChoice struct {
	words, label, what string
	arm                arms.Arm
}

// among reports whether a round is asked for the arm.
func (c armChoice) among(set arms.Set) bool { return set.Has(c.arm) }

// armChoices are the arms that a round may be asked for, as the form offers them.
func armChoices() (list []armChoice) {
	for _, arm := range arms.Asked() {
		k, pair := arms.Of(arm), arm.Pair()
		switch {
		case k.Refits == arms.Candidate: // it is with the control
		case pair != "":
			list = append(list, armChoice{string(arm) + "," + string(pair), "Candidate and control, last layer refitted", "Both once more, the last layer then fitted anew: it adds to maps or takes their place. No further training.", arm})
		default:
			list = append(list, armChoice{string(arm), k.Label, k.What, arm})
		}
	}
	return list
}
