package templates

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// NewImport is the view model of the page that takes images.
type NewImport struct {
	Staged  []annotator.StagedImport // what was begun before
	Sources []string                 // folders and buckets of the server
	From    annotator.ServerFolder   // what was chosen of them, and refused
	Refused string
}

// Import is the view model of a data set that was sent.
type Import struct {
	annotator.StagedImport
	Formats [][2]string // the layouts, each with a line for people
	Refused string      // why a form was
}

// mayUpdate reports whether there may be something to take over: a look says there is, or none was taken.
func (v Import) mayUpdate() bool {
	return v.Choices.Update || v.Report == nil || v.Report.Sync.Changed > v.Report.Sync.Unreadable
}

// mayPrune is mayUpdate for images that are gone.
func (v Import) mayPrune() bool {
	return v.Choices.Prune || v.Report == nil || v.Report.Sync.Gone > 0
}

// updates says how many images an update changes, and of how many of them there are people's maps.
func (v Import) updates() string {
	if v.Report == nil {
		return ""
	}
	words := []string{Plural(v.Report.Sync.Changed-v.Report.Sync.Unreadable, "image")}
	for _, d := range annotator.Differences {
		if maps := v.Report.Sync.Painted[d.Kind].Text(); maps != "" && d.Kind != annotator.DiffersGone {
			words = append(words, d.Words+": "+maps)
		}
	}
	return strings.Join(words, " · ")
}

// prunes is updates for images that are gone.
func (v Import) prunes() string {
	if v.Report == nil {
		return ""
	}
	words := Plural(v.Report.Sync.Gone, "image")
	if maps := v.Report.Sync.Painted[annotator.DiffersGone].Text(); maps != "" {
		words += " · " + maps
	}
	return words
}

// busy reports whether the page is to follow what happens.
func (v Import) busy() bool {
	return v.State.Busy()
}

// classRow is how many images of a class there are in each split, in the order of annotator.Splits.
type classRow struct {
	class string
	in    []int
	all   int
}

// classRows are the report's counts as a table, with a last row of all classes.
func classRows(r *annotator.StagedReport) (rows []classRow, total classRow) {
	total.in = make([]int, len(annotator.Splits))
	for _, c := range r.Counts {
		if len(rows) == 0 || rows[len(rows)-1].class != c.Class {
			rows = append(rows, classRow{class: c.Class, in: make([]int, len(annotator.Splits))})
		}
		row, at := &rows[len(rows)-1], slices.Index(annotator.Splits, c.Split)
		if at >= 0 {
			row.in[at] += c.Images
			total.in[at] += c.Images
		}
		row.all += c.Images
		total.all += c.Images
	}
	return rows, total
}

// unreadable are the files that came in and cannot be read.
func unreadable(r annotator.ImportReport) (list []annotator.StagedProblem) {
	for _, d := range r.Differences {
		if d.Kind == annotator.DiffersUnreadable {
			list = append(list, annotator.StagedProblem{Path: d.Name, Reason: d.Is})
		}
	}
	return list
}

// passedOver are the files that were passed over, without those that are told as unreadable, and how many there are.
func passedOver(r annotator.StagedReport) (list []annotator.StagedProblem, all int) {
	told := map[string]bool{}
	for _, p := range unreadable(r.Sync) {
		told[p.Path] = true
	}
	list = slices.DeleteFunc(slices.Clone(r.Skipped), func(p annotator.StagedProblem) bool { return told[p.Path] })
	return list, r.SkippedFiles - (len(r.Skipped) - len(list))
}

// pairs are words and what they mean as the form spells them.
func pairs(m map[string]string) string {
	var list []string
	for _, word := range slices.Sorted(maps.Keys(m)) {
		list = append(list, word+"="+m[word])
	}
	return strings.Join(list, ", ")
}

// stagedWord is what an import is doing, for people.
func stagedWord(ctx context.Context, s annotator.StagedState) string {
	return map[annotator.StagedState]string{
		annotator.StagedReceiving: words.T(ctx, "not all here"), annotator.StagedReceived: words.T(ctx, "not looked at"), annotator.StagedLooking: words.T(ctx, "being looked at"),
		annotator.StagedLooked: words.T(ctx, "ready to import"), annotator.StagedImporting: words.T(ctx, "being imported"), annotator.StagedImported: words.T(ctx, "imported"),
	}[s]
}

// exampleURL is where an example of an import is; when it was made is in it, so that another look shows others.
func exampleURL(id string, n int) string {
	return fmt.Sprintf("/api/v1/imports/%s/examples/%d", id, n)
}
