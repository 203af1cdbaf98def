package templates

import (
	"net/url"
	"slices"

	"github.com/a-h/templ"

	"github.com/abn-studio/studio/annotator"
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
	{annotator.ExportMaps, "Maps", "What people painted: of each image the latest map, approved if no state is chosen."},
	{annotator.ExportPredictions, "Predictions", "What a version says of each image, with its own map: the active version if none is named."},
	{annotator.ExportReviews, "Reviews", "Each verdict of a reviewer."},
	{annotator.ExportTasks, "Tasks", "Each task as it is now."},
	{annotator.ExportAudit, "Audit", "Each line of the trail: who did what, and when."},
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
func exportAuthor(kind annotator.ExportKind) string {
	switch kind {
	case annotator.ExportTasks:
		return "Held by"
	case annotator.ExportAudit:
		return "Done by"
	default:
		return "Painted by"
	}
}

// exportWord is what the records are called.
func exportWord(v Export) string {
	word := map[annotator.ExportKind]string{annotator.ExportMaps: "map", annotator.ExportPredictions: "prediction", annotator.ExportReviews: "review",
		annotator.ExportTasks: "task", annotator.ExportAudit: "line"}[v.What]
	if v.Records != 1 {
		word += "s"
	}
	return word + " in the file."
}

// emptyExport says what fills an export that has no record.
func emptyExport(v Export) string {
	if v.What == annotator.ExportMaps && len(v.Form["state"]) == 0 {
		return "Maps come in once a reviewer approved them; choose a state for others."
	}
	return "Ask for more states, splits or days."
}
