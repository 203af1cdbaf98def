package annotator_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// What people did on a day is added up per person: a painter sees themself, an admin everybody.
func TestDayProgress(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	zurich, err := time.LoadLocation("Europe/Zurich")
	w.must(err)
	now := w.Clock.Now().In(zurich)
	noon := time.Date(now.Year(), now.Month(), now.Day(), 12, 0, 0, 0, zurich)
	w.Clock.Add(noon.AddDate(0, 0, 1).Sub(now)) // noon of a day after the tasks were made
	base := 0
	paint := func(who annotator.User, d annotator.TaskDetail, seconds ...int) annotator.TaskDetail {
		t.Helper()
		if base = 0; d.Edit != nil {
			base = d.Edit.Revision
		}
		for _, s := range seconds {
			e, err := w.Service.SaveDraft(ctx, who, d.ID, annotator.Draft{BaseRevision: base, Source: annotator.SourcePainted, Map: pgtest.Map(float32(s) / 1000), Provenance: fmt.Appendf(nil, `{"seconds": %d}`, s)})
			w.must(err)
			base = e.Revision
		}
		d, err := w.Service.Submit(ctx, who, d.ID, base)
		w.must(err)
		return d
	}
	first := paint(w.Ada, w.next(w.Ada), 30, 90, 20) // 90 seconds, and 20 after a reload
	second := paint(w.Ada, w.next(w.Ada), 60)
	bobs := paint(w.Bob, w.next(w.Bob), 120)
	w.Clock.Add(time.Minute)
	_, err = w.Service.Review(ctx, w.Reviewer, first.Edit.ID, annotator.VerdictApprove, "")
	w.must(err)
	_, err = w.Service.Review(ctx, w.Reviewer, second.Edit.ID, annotator.VerdictReject, "too wide")
	w.must(err)
	_, err = w.Service.Review(ctx, w.Reviewer, bobs.Edit.ID, annotator.VerdictReject, "no")
	w.must(err)
	_, err = w.Service.Retract(ctx, w.Reviewer, bobs.Edit.ID)
	w.must(err)

	progress := func(who annotator.User, date string) []annotator.DayProgress {
		t.Helper()
		all, err := w.Service.DayProgress(ctx, who, "birds", date, "Europe/Zurich")
		w.must(err)
		return all
	}
	ada := annotator.DayProgress{UserID: w.Ada.ID, Name: "Ada", Painted: 2, Minutes: 170. / 60, Returned: 1, Approved: 1}
	bob := annotator.DayProgress{UserID: w.Bob.ID, Name: "Bob", Painted: 1, Minutes: 2}
	today := w.Clock.Now().In(zurich).Format(time.DateOnly)
	for _, date := range []string{"", today} {
		if got := progress(w.Admin, date); !slices.Equal(got, []annotator.DayProgress{ada, bob}) {
			t.Errorf("an admin sees %+v of %q", got, date)
		}
	}
	if got := progress(w.Bob, ""); !slices.Equal(got, []annotator.DayProgress{bob}) {
		t.Errorf("Bob sees %+v", got)
	}
	if got := progress(w.Reviewer, ""); len(got) != 0 {
		t.Errorf("a reviewer sees %+v", got)
	}
	// The next day Ada mends what came back: 50 seconds more than were there.
	w.Clock.Add(12 * time.Hour)
	paint(w.Ada, w.next(w.Ada), 110)
	if got, want := progress(w.Admin, ""), []annotator.DayProgress{{UserID: w.Ada.ID, Name: "Ada", Painted: 1, Minutes: 50. / 60}}; !slices.Equal(got, want) {
		t.Errorf("the next day: %+v, want %+v", got, want)
	}
	if got := progress(w.Admin, today); !slices.Equal(got, []annotator.DayProgress{ada, bob}) {
		t.Errorf("the day before: %+v", got)
	}
	var invalid *annotator.ValidationError
	for field, ask := range map[string][2]string{"day": {"30.11.2026", ""}, "zone": {"", "Local"}} {
		if _, err := w.Service.DayProgress(ctx, w.Ada, "birds", ask[0], ask[1]); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%v: %v", ask, err)
		}
	}
	if _, err := w.Service.DayProgress(ctx, w.Ada, "birds", "", "../etc/passwd"); !errors.As(err, &invalid) {
		t.Errorf("a path: %v", err)
	}
}

// A day is as long as its clocks make it.
func TestDayOf(t *testing.T) {
	t.Parallel()
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	for date, hours := range map[string]float64{"2026-03-29": 23, "2026-10-25": 25, "2026-11-30": 24} {
		at, err := time.ParseInLocation(time.DateOnly, date, zurich)
		if err != nil {
			t.Fatal(err)
		}
		if d := annotator.DayOf(at.Add(5 * time.Hour)); d.To.Sub(d.From).Hours() != hours || !d.From.Equal(at) {
			t.Errorf("%s has %v", date, d.To.Sub(d.From))
		}
	}
}
