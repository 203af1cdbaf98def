package templates

import (
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// BringMaps is the view model of the page that takes maps from elsewhere.
type BringMaps struct {
	Choices     annotator.BringChoices // as they were said; with Look the report only counts
	SkipUnknown bool
	Report      *annotator.BringReport // nil: nothing was brought
	Problem     string                 // what is wrong with what was sent
	Field       string                 // of the form, that the problem is about; "" if of none
	MaxBytes    int64                  // that the files may have
	Suffixes    []string               // that they may end in
	Naming      string                 // how a map finds its image
}

// is reports whether a state is chosen; the domain's default if none is.
func (v BringMaps) is(state annotator.EditState) bool {
	return v.Choices.State == state || v.Choices.State == "" && state == annotator.EditSubmitted
}

func (v BringMaps) made(source annotator.EditSource) bool {
	return v.Choices.Made == source || v.Choices.Made == "" && source == annotator.SourcePainted
}

// invalid marks a field that the problem is about.
func (v BringMaps) invalid(field string, bound annotator.TextBound) map[string]any {
	a := bounded(annotator.TextBound{Most: bound.Most}, map[string]any{"autocomplete": "off"})
	if v.Field == field {
		a["aria-invalid"] = "true"
	}
	return a
}

// broughtStates says what maps become in each state.
var broughtStates = map[annotator.EditState]string{
	annotator.EditSubmitted: words.Key("submitted: they wait for a reviewer"),
	annotator.EditApproved:  words.Key("approved: rounds learn from them"),
	annotator.EditDraft:     words.Key("draft: painters begin with them"),
	annotator.EditRejected:  words.Key("rejected: kept in the history, the task stays open"),
}

func (v BringMaps) accepts() string { return strings.Join(v.Suffixes, ",") }
