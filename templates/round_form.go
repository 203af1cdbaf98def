package templates

import (
	"context"
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
func (v RoundForm) startsFrom(ctx context.Context, version int) string {
	if v.Like != 0 {
		return words.T(ctx, "Starts from v{number}, with the settings of round {round}.", "number", version, "round", v.Like)
	}
	if version == 0 {
		return words.T(ctx, "There is no model to start from yet.")
	}
	return words.T(ctx, "Starts from v{number}.", "number", version)
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
		return words.Say(ctx, f.Label) + ": " + words.Say(ctx, v.Problem)
	}
	return words.Say(ctx, f.Label) + " " + words.Say(ctx, v.Problem)
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
func (v RoundForm) warnings(ctx context.Context) []string {
	var list []string
	d := v.Data
	switch plain := d.Images - d.Edits; {
	case plain == 0:
		list = append(list, words.T(ctx, "The round would train on its edited images alone: no labelled training images take part. The network forgets what it knew. Import the images it was trained on as the training split."))
	case plain < fewUnedited*d.Edits:
		list = append(list, words.N(ctx, plain, "Only {n} training image without an edit takes part beside {edits} with one: expect forgetting. Import the images the network was trained on as the training split.",
			"Only {n} training images without an edit take part beside {edits} with one: expect forgetting. Import the images the network was trained on as the training split.", "edits", d.Edits))
	}
	if d.Heldout == 0 {
		list = append(list, words.T(ctx, "There is nothing to measure the round on: no labelled test or validation image is free of edits. Import a test split."))
	}
	return list
}

// validationText says on which images early stopping would measure.
func (v RoundForm) validationText(ctx context.Context) string {
	switch d := v.Data; {
	case d.Split == annotator.SplitTest && d.Validation > 0:
		return words.N(ctx, d.Validation, "{n} validation image", "{n} validation images")
	default:
		return words.T(ctx, "a tenth of the unedited training images")
	}
}

// says returns the values of a folded group's settings in one line.
func (v RoundForm) says(ctx context.Context, g recipe.Group) string {
	var list []string
	for _, f := range g.In() {
		list = append(list, words.Say(ctx, v.Settings.Brief(f.Name)))
	}
	return joined(" · ", list...)
}

// optimizerWord returns the optimizer in words: "SGD, momentum 0.9".
func optimizerWord(ctx context.Context, s recipe.Settings) string {
	return joined(", ", words.Say(ctx, s.Brief("optimizer")), words.Say(ctx, s.Brief("momentum")))
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
	args := []any{"round", r.Number, "time", words.Seconds(ctx, r.Result.Seconds), "images", r.Images, "engine", r.Settings.Engine.Label()}
	if r.Settings.GammaSearch {
		return words.N(ctx, r.Settings.Epochs, "Round {round} took {time}: {n} epoch over {images} images, on {engine}, its search for γ included.", "Round {round} took {time}: {n} epochs over {images} images, on {engine}, its search for γ included.", args...)
	}
	return words.N(ctx, r.Settings.Epochs, "Round {round} took {time}: {n} epoch over {images} images, on {engine}.", "Round {round} took {time}: {n} epochs over {images} images, on {engine}.", args...)
}

// armChoice is one checkbox of the form: an arm, or two that go together.
type armChoice struct {
	words, label, what string
	arm                arms.Arm
}

// among reports whether a round is asked for the arm.
func (c armChoice) among(set arms.Set) bool { return set.Has(c.arm) }

// armChoices are the arms that a round may be asked for, as the form offers them.
func armChoices(ctx context.Context) (list []armChoice) {
	for _, arm := range arms.Asked() {
		k, pair := arms.Of(arm), arm.Pair()
		switch {
		case k.Refits == arms.Candidate: // it is with the control
		case pair != "":
			list = append(list, armChoice{string(arm) + "," + string(pair), words.T(ctx, "Candidate and control, last layer refitted"), words.T(ctx, "Both once more, the last layer then fitted anew: it adds to maps or takes their place. No further training."), arm})
		default:
			list = append(list, armChoice{string(arm), k.Label, k.What, arm})
		}
	}
	return list
}
