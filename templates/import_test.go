package templates

import (
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// Before an update or a prune is asked for, the page says beside each how many images it changes, and whose painting that concerns. What
// cannot be read stands in one list.
func TestAnImportSaysWhatAnUpdateConcerns(t *testing.T) {
	t.Parallel()
	report := annotator.StagedReport{
		SkippedFiles: 2, Skipped: []annotator.StagedProblem{{Path: "a.png", Reason: "no picture"}, {Path: "notes.docx", Reason: "not a picture"}},
		Sync: annotator.ImportReport{
			Images: 9, Known: 5, Changed: 4, Unreadable: 1, Gone: 2, Broken: 1,
			Changes:     map[annotator.Difference]int{"bytes": 2, "label": 1, "gone": 2, "unreadable": 1},
			Painted:     map[annotator.Difference]annotator.Painted{"bytes": {Images: 2, Approved: 1}, "gone": {Images: 1}},
			Differences: []annotator.ImageDifference{{Kind: "unreadable", Name: "a.png", Is: "no picture"}, {Kind: "bytes", Name: "b.png", Maps: annotator.MapsApproved}, {Kind: "gone", Name: "c.png", Maps: annotator.MapsPainted}},
		},
	}
	v := Import{StagedImport: annotator.StagedImport{ID: "X", State: annotator.StagedLooked, Report: &report}}
	page := rendered(t, ImportPage(frameOf(annotator.RoleAdmin), v))
	for what, want := range map[string]string{
		`label:has([name="update"])`: "3 images · another picture: 2 with people's maps, 1 approved",
		`label:has([name="prune"])`:  "2 images · 1 with people's maps",
		".report":                    "has an approved map",
	} {
		if got := strings.Join(strings.Fields(page.Find(what).Text()), " "); !strings.Contains(got, want) {
			t.Errorf("%s says %q, want %q", what, got, want)
		}
	}
	if n := strings.Count(page.Text(), "a.png"); n != 1 {
		t.Errorf("a file that cannot be read is named %d times", n)
	}
	report.Sync.Changed, report.Sync.Gone = 1, 0
	if page = rendered(t, ImportPage(frameOf(annotator.RoleAdmin), v)); page.Find(`[name="update"], [name="prune"]`).Length() > 0 {
		t.Error("there is nothing to take over, and the page offers it")
	}
}
