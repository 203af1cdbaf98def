package annotator_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// A verdict points at cells of the map, which must be there; a pin is enough to return it. Its author, the history, the trail and exports have them.
func TestAVerdictPointsAtCells(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Ada)
	height, width := d.Version.GridHeight, d.Version.GridWidth
	judge := func(pins ...annotator.Pin) error {
		_, err := w.Service.Judge(ctx, w.Reviewer, d.Edit.ID, annotator.Judgement{Verdict: annotator.VerdictReject, Pins: pins})
		return err
	}
	for name, pins := range map[string][]annotator.Pin{
		"below the map":     {{Row: height, Column: 0, Words: "here"}},
		"right of the map":  {{Row: 0, Column: width}},
		"above the map":     {{Row: -1}},
		"the same cell":     {{Row: 1, Column: 1}, {Row: 1, Column: 1, Words: "again"}},
		"too many words":    {{Words: strings.Repeat("x", annotator.BoundPin.Most+1)}},
		"what is no text":   {{Words: "a\x00b"}},
		"too many pins":     slices.Repeat([]annotator.Pin{{}}, annotator.MaxPins+1),
		"nothing to say it": nil,
	} {
		var invalid *annotator.ValidationError
		if err := judge(pins...); !errors.As(err, &invalid) {
			t.Errorf("%s: %v, want a *ValidationError", name, err)
		}
	}
	want := []annotator.Pin{{Row: height - 1, Column: width - 1, Words: "the tail"}, {Row: 0, Column: 1}}
	w.must(judge(annotator.Pin{Row: height - 1, Column: width - 1, Words: "  the tail "}, want[1]))
	back := w.next(w.Ada)
	if back.ID != d.ID || len(back.Reviews) != 1 || !slices.Equal(back.Reviews[0].Pins, want) {
		t.Fatalf("its author gets %+v, want %+v", back.Reviews, want)
	}
	trail, err := w.Service.Audit(ctx, w.Admin, "birds", 0)
	w.must(err)
	if at := slices.IndexFunc(trail, func(e annotator.AuditEntry) bool { return e.Action == "edit.reject" }); at < 0 || !strings.Contains(trail[at].Detail, "the tail; row 1, column 2") {
		t.Errorf("the trail does not say where: %+v", trail)
	}
	reviews, err := w.Store.ExportReviews(ctx, w.Project.ID, annotator.ExportFilter{}, 0, 10)
	if err != nil || !strings.Contains(string(reviews[0].Pins), `"words": "the tail"`) {
		t.Errorf("exported: %s, %v", reviews[0].Pins, err)
	}
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE reviews SET pins = '[]', taken_back_at = now(), taken_back_by = $1 WHERE edit_id = $2`, w.Reviewer.ID, d.Edit.ID); err == nil {
		t.Error("pins can be changed")
	}
}
