package templates

import (
	"context"
	"net/url"
	"slices"

	"github.com/a-h/templ"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Export is the view model of the page that takes out what people made.
type Export struct {
	What    annotator.ExportKind
	Form    url.Values     // what was chosen, as typed
	Formats []ExportFormat // those that the kind has
	Problem string         // what is wrong with what was chosen
	Field   string         // of the form, that the problem is about; "" if of none
	Records int            // that the file has
	Command string         // writes the same file
	Default float64        // the threshold where none is typed
}

// ExportFormat is a format that can be chosen.
type ExportFormat struct {
	Key, Name, About string
}

// exportKinds are what can be taken out, each with what a record is.
var exportKinds = []struct {
	kind        annotator.ExportKind
	name, about string
}{
	{annotator.ExportMaps, words.Key("Maps"), words.Key("What people painted: of each image the latest map, approved if no state is chosen.")},
	{annotator.ExportPredictions, words.Key("Predictions"), words.Key("What a version says of each image, with its own map: the active version if none is named.")},
	{annotator.ExportReviews, words.Key("Reviews"), words.Key("Each verdict of a reviewer.")},
	{annotator.ExportTasks, words.Key("Tasks"), words.Key("Each task as it is now.")},
	{annotator.ExportAudit, words.Key("Audit"), words.Key("Each line of the trail: who did what, and when.")},
}

// has reports whether the kind is filtered by a field.
func (v Export) has(field string) bool { return slices.Contains(annotator.FiltersOf(v.What), field) }

// chosen reports whether a value of a list was chosen.
func (v Export) chosen(field, value string) bool { return slices.Contains(v.Form[field], value) }

// thresholded reports whether a format that can be chosen has a threshold.
func (v Export) thresholded() bool { return v.What == annotator.ExportMaps }

// wrong marks the input that the problem is about.
func (v Export) wrong(field string, attributes templ.Attributes) templ.Attributes {
	if v.Field == field {
		attributes["aria-invalid"] = "true"
		attributes["aria-describedby"] = "export-problem"
	}
	return attributes
}

// exportAuthor is what the author of a kind's records did.
func exportAuthor(ctx context.Context, kind annotator.ExportKind) string {
	switch kind {
	case annotator.ExportTasks:
		return words.T(ctx, "Held by")
	case annotator.ExportAudit:
		return words.T(ctx, "Done by")
	default:
		return words.T(ctx, "Painted by")
	}
}

// exportAuthorHint says what the field of a person takes: addresses are shown to admins alone.
func exportAuthorHint(ctx context.Context, f Frame) string {
	if f.May(annotator.RoleAdmin) {
		return words.T(ctx, "A name or an e-mail address.")
	}
	return words.T(ctx, "A name, or your own e-mail address.")
}

// exportWord says how many records the file has.
func exportWord(ctx context.Context, v Export) string {
	switch v.What {
	case annotator.ExportMaps:
		return words.N(ctx, v.Records, "{n} map in the file.", "{n} maps in the file.")
	case annotator.ExportPredictions:
		return words.N(ctx, v.Records, "{n} prediction in the file.", "{n} predictions in the file.")
	case annotator.ExportReviews:
		return words.N(ctx, v.Records, "{n} review in the file.", "{n} reviews in the file.")
	case annotator.ExportTasks:
		return words.N(ctx, v.Records, "{n} task in the file.", "{n} tasks in the file.")
	}
	return words.N(ctx, v.Records, "{n} line in the file.", "{n} lines in the file.")
}

// emptyExport says what fills an export that has no record.
func emptyExport(ctx context.Context, v Export) string {
	if v.What == annotator.ExportMaps && len(v.Form["state"]) == 0 {
		return words.T(ctx, "Maps come in once a reviewer approved them; choose a state for others.")
	}
	return words.T(ctx, "Ask for more states, splits or days.")
}
