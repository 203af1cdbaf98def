package templates

import (
	"fmt"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// SharedView is the view model of the page of one image that several people paint.
type SharedView struct {
	annotator.SharedDetail
	Comment string
	Problem string // why nothing was adopted
}

// sharedWords are the states of images that several people paint, in words for people, and the kinds of their chips.
var sharedWords = map[annotator.SharedState][2]string{
	annotator.SharedPainting: {"being painted", "leased"},
	annotator.SharedReady:    {"to be adopted", "submitted"},
	annotator.SharedAdopted:  {"adopted", "approved"},
	annotator.SharedEmpty:    {"put aside by all", "skipped"},
}

func sharedWord(s annotator.SharedState) string { return sharedWords[s][0] }
func sharedChip(s annotator.SharedState) string { return sharedWords[s][1] }

// levelRange is a figure's interval: "0.55 to 0.68"; "" for one of a single image, which has none.
func levelRange(l annotator.Level) string {
	if l.Images < 2 {
		return ""
	}
	return Fraction(l.Low) + " to " + Fraction(l.High)
}

// own is the image's figure by a measure; a dash where it has none.
func (v SharedView) own(measure string) string {
	if a, known := v.Agreement[measure]; known {
		return Fraction(a)
	}
	return "–"
}

// figure is a level alone: "0.62", "not known".
func figure(l *annotator.Level) string {
	if l == nil {
		return "not known"
	}
	return Fraction(l.Value)
}

// ceilingNote says of a measure's ceiling what it is, or why there is none.
func ceilingNote(a annotator.Agreement) string {
	switch {
	case a.Ceiling == nil:
		return "not known. It takes three maps of an image: with two, the halves are the two painters."
	case a.Stepped:
		return "from split halves of the painters, stepped to all of them."
	}
	return "split halves of the painters as they are, so of half as many painters."
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
func slotTitle(s annotator.Slot) string {
	if s.Painter == "" {
		return fmt.Sprintf("Painter %d", s.Slot)
	}
	return s.Painter
}

// slotNote says what a slot without a map waits for.
func slotNote(s annotator.Slot) string {
	switch {
	case s.EditID != 0:
		return "Painted. Shown once all are"
	case s.State == annotator.TaskSkipped && s.Painter != "":
		return "Put aside by " + s.Painter
	case s.State == annotator.TaskSkipped:
		return "Put aside"
	case s.State == annotator.TaskChangesRequested:
		return "Returned, with changes asked for"
	case s.Painter != "":
		return "Not submitted yet"
	}
	return "Nobody has taken it yet"
}
