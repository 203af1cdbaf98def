package templates

import (
	"context"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/words"
)

// SharedView is the view model of the page of one image that several people paint.
type SharedView struct {
	annotator.SharedDetail
	Comment string
	Problem string // why nothing was adopted
}

// sharedWords are the states of images that several people paint, in words for people, and the kinds of their chips.
var sharedWords = map[annotator.SharedState][2]string{
	annotator.SharedPainting: {words.Key("being painted"), "leased"},
	annotator.SharedReady:    {words.Key("to be adopted"), "submitted"},
	annotator.SharedAdopted:  {words.Key("adopted"), "approved"},
	annotator.SharedEmpty:    {words.Key("put aside by all"), "skipped"},
}

func sharedWord(ctx context.Context, s annotator.SharedState) string {
	return words.Say(ctx, sharedWords[s][0])
}
func sharedChip(s annotator.SharedState) string { return sharedWords[s][1] }

// sharedTitle counts the images of each state.
func sharedTitle(ctx context.Context, counts map[annotator.SharedState]int) string {
	ready, painting, adopted := counts[annotator.SharedReady], counts[annotator.SharedPainting], counts[annotator.SharedAdopted]
	if empty := counts[annotator.SharedEmpty]; empty > 0 {
		return words.T(ctx, "{ready} to be adopted · {painting} being painted · {adopted} adopted · {empty} put aside by all", "ready", ready, "painting", painting, "adopted", adopted, "empty", empty)
	}
	return words.T(ctx, "{ready} to be adopted · {painting} being painted · {adopted} adopted", "ready", ready, "painting", painting, "adopted", adopted)
}

// levelRange is a figure's interval: "0.55 to 0.68"; "" for one of a single image, which has none.
func levelRange(ctx context.Context, l annotator.Level) string {
	if l.Images < 2 {
		return ""
	}
	return words.T(ctx, "{low} to {high}", "low", Fraction(l.Low), "high", Fraction(l.High))
}

// own is the image's figure by a measure; a dash where it has none.
func (v SharedView) own(measure string) string {
	if a, known := v.Agreement[measure]; known {
		return Fraction(a)
	}
	return "–"
}

// levelFigure is a level alone: "0.62", "not known".
func levelFigure(ctx context.Context, l *annotator.Level) string {
	if l == nil {
		return words.T(ctx, "not known")
	}
	return Fraction(l.Value)
}

// ceilingNote says of a measure's ceiling what it is, or why there is none.
func ceilingNote(ctx context.Context, a annotator.Agreement) string {
	measure := words.Say(ctx, a.Label)
	switch {
	case a.Ceiling == nil:
		return words.T(ctx, "At most, {measure}: not known. It takes three maps of an image: with two, the halves are the two painters.", "measure", measure)
	case a.Stepped:
		return words.T(ctx, "At most, {measure}: from split halves of the painters, stepped to all of them.", "measure", measure)
	}
	return words.T(ctx, "At most, {measure}: split halves of the painters as they are, so of half as many painters.", "measure", measure)
}

// doubled is a map of deviations, which go up to ½, on the scale of maps.
func doubled(m attention.Map) attention.Map {
	out := m.Clone()
	for i := range out.Values {
		out.Values[i] *= 2
	}
	return out
}

// shownAs is the task as which a pane shows an image.
func (v SharedView) shownAs() annotator.TaskDetail {
	return annotator.TaskDetail{TaskCard: annotator.TaskCard{Task: annotator.Task{ImageID: v.Image.ID, VersionID: v.Version.ID}, Image: v.Image, LabelName: v.LabelName}, Version: v.Version}
}

// slotTitle names a slot's map by its painter.
func slotTitle(ctx context.Context, s annotator.Slot) string {
	if s.Painter == "" {
		return words.T(ctx, "Painter {n}", "n", s.Slot)
	}
	return s.Painter
}

// slotNote says what a slot without a map waits for.
func slotNote(ctx context.Context, s annotator.Slot) string {
	switch {
	case s.EditID != 0:
		return words.T(ctx, "Painted. Shown once all are")
	case s.State == annotator.TaskSkipped && s.Painter != "":
		return words.T(ctx, "Put aside by {name}", "name", s.Painter)
	case s.State == annotator.TaskSkipped:
		return words.T(ctx, "Put aside")
	case s.State == annotator.TaskChangesRequested:
		return words.T(ctx, "Returned, with changes asked for")
	case s.Painter != "":
		return words.T(ctx, "Not submitted yet")
	}
	return words.T(ctx, "Nobody has taken it yet")
}
