package annotator_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// sampled sets how much of the project is reviewed.
func (w *world) sampled(share, newcomer int) {
	w.t.Helper()
	_, err := w.Service.ChangeProject(w.t.Context(), w.Admin, "birds", annotator.ProjectChange{Sampling: &annotator.Sampling{Share: share, Newcomer: newcomer}})
	w.must(err)
}

// share is what the rule holds for somebody now.
func (w *world) share(who annotator.User) annotator.SampledAuthor {
	w.t.Helper()
	report, err := w.Service.Sampling(w.t.Context(), w.Admin, "birds")
	w.must(err)
	for _, a := range report.Authors {
		if a.UserID == who.ID {
			return a
		}
	}
	w.t.Fatalf("%s is no author: %+v", who.Name, report)
	return annotator.SampledAuthor{}
}

func (w *world) judge(d annotator.TaskDetail, v annotator.Verdict) {
	w.t.Helper()
	_, err := w.Service.Review(w.t.Context(), w.Reviewer, d.Edit.ID, v, "so it is")
	w.must(err)
}

// A newcomer's maps are all reviewed until enough of them are approved. Then what is not drawn is approved by the rule, which the history, the
// trail and exports say. A sampled map that is sent back has all of the author's next maps reviewed. Other authors are as they were.
func TestAPartIsReviewed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	w.sampled(0, 2)
	first, second := w.submitted(w.Ada), w.submitted(w.Ada)
	if first.State != annotator.TaskSubmitted || second.State != annotator.TaskSubmitted {
		t.Fatalf("a newcomer's maps are %s and %s", first.State, second.State)
	}
	if a := w.share(w.Ada); a.Share != 100 || a.Why != annotator.DrawNewcomer || a.Left != 2 {
		t.Errorf("at first: %+v", a)
	}
	w.judge(first, annotator.VerdictApprove)
	if third := w.submitted(w.Ada); third.State != annotator.TaskSubmitted {
		t.Errorf("after one of two approvals a map is %s", third.State)
	}
	w.judge(second, annotator.VerdictApprove)
	if a := w.share(w.Ada); a.Share != 0 || a.Why != annotator.DrawDrawn || a.Left != 0 || a.Reviewed != 2 {
		t.Errorf("after two approvals: %+v", a)
	}
	passed := w.submitted(w.Ada)
	if passed.State != annotator.TaskApproved || len(passed.Reviews) != 1 || passed.Reviews[0].Rule != annotator.RuleSampling || passed.Reviews[0].Reviewer != "sampling" ||
		!strings.Contains(passed.Reviews[0].Comment, "Not drawn: 0 % of the author's maps") {
		t.Fatalf("a map that is not drawn: %s, %+v", passed.State, passed.Reviews)
	}
	if other := w.submitted(w.Bob); other.State != annotator.TaskSubmitted {
		t.Errorf("another newcomer's map is %s", other.State)
	}
	trail, err := w.Service.Audit(ctx, w.Admin, "birds", 0)
	w.must(err)
	found := false
	for _, e := range trail {
		found = found || e.Actor == "sampling" && e.Action == "edit.approve" && strings.HasPrefix(e.Detail, "Not drawn")
	}
	if !found {
		t.Errorf("the trail does not say what the rule did: %+v", trail)
	}
	exported, err := w.Store.ExportReviews(ctx, w.Project.ID, annotator.ExportFilter{}, 0, 10)
	w.must(err)
	if last := exported[len(exported)-1]; last.Rule != annotator.RuleSampling {
		t.Errorf("exported: %+v", last)
	}
	work, err := w.Service.Work(ctx, w.Ada, "birds")
	if err != nil || len(work) != 1 || work[0].Judged != 2 {
		t.Errorf("of the maps that people judged, which were two: %+v, %v", work, err)
	}
	// The same submission, sent again because its answer was lost.
	if again, err := w.Service.Submit(ctx, w.Ada, passed.ID, passed.Edit.Revision); err != nil || again.State != annotator.TaskApproved {
		t.Errorf("sent again: %s, %v", again.State, err)
	}
	// Any reviewer takes the rule's verdict back, and judges.
	if _, err := w.Service.Retract(ctx, w.Ada, passed.Edit.ID); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("its painter takes it back: %v", err)
	}
	back, err := w.Service.Retract(ctx, w.Reviewer, passed.Edit.ID)
	if err != nil || back.State != annotator.TaskSubmitted {
		t.Fatalf("taken back: %s, %v", back.State, err)
	}
	w.judge(passed, annotator.VerdictReject) // it was not in the sample: that says nothing of the others
	if a := w.share(w.Ada); a.Share != 0 {
		t.Errorf("after a map that was not drawn came back: %+v", a)
	}
	// It was sent back, so it is reviewed.
	mended := w.next(w.Ada)
	e := w.save(w.Ada, mended.ID, mended.Edit.Revision, 0.6)
	again, err := w.Service.Submit(ctx, w.Ada, mended.ID, e.Revision)
	if err != nil || again.State != annotator.TaskSubmitted {
		t.Fatalf("a mended map is %s, %v", again.State, err)
	}
	w.judge(again, annotator.VerdictApprove)

	w.sampled(100, 2) // without sampling nothing is drawn
	whole := w.submitted(w.Ada)
	var draws int
	w.must(w.Store.Pool().QueryRow(ctx, `SELECT count(*) FROM draws WHERE edit_id = $1`, whole.Edit.ID).Scan(&draws))
	if whole.State != annotator.TaskSubmitted || draws != 0 {
		t.Errorf("where all is reviewed: %s, %d draws", whole.State, draws)
	}
}

// The draw is the task's, whoever changes the map and however often it is submitted; a sampled map that is sent back puts all of its author's
// next maps under review, until enough are approved again.
func TestADrawIsNotSteered(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	exec := func(sql string, args ...any) {
		t.Helper()
		_, err := w.Store.Pool().Exec(ctx, sql, args...)
		w.must(err)
	}
	exec(`UPDATE projects SET sampling_seed = '00000000-0000-0000-0000-000000000001'`)
	w.sampled(50, 0)
	var drawn, passed []annotator.TaskDetail
	for range 8 {
		if d := w.submitted(w.Ada); d.State == annotator.TaskSubmitted {
			drawn = append(drawn, d)
		} else {
			passed = append(passed, d)
		}
	}
	if len(drawn) == 0 || len(passed) == 0 {
		t.Fatalf("of 8 maps %d were drawn: choose another seed for this test", len(drawn))
	}
	for i := range 3 {
		d, err := w.Service.TakeBack(ctx, w.Ada, drawn[0].ID)
		w.must(err)
		e := w.save(w.Ada, d.ID, d.Edit.Revision, 0.5+0.1*float32(i))
		if d, err = w.Service.Submit(ctx, w.Ada, d.ID, e.Revision); err != nil || d.State != annotator.TaskSubmitted {
			t.Fatalf("submitted again, what was drawn is %s, %v", d.State, err)
		}
		drawn[0] = d
	}
	w.sampled(50, 1)
	if a := w.share(w.Ada); a.Why != annotator.DrawNewcomer {
		t.Errorf("nobody has approved a map of hers: %+v", a)
	}
	w.sampled(50, 0)
	w.judge(drawn[0], annotator.VerdictReject)
	w.sampled(50, 1)
	if a := w.share(w.Ada); a.Share != 100 || a.Why != annotator.DrawSentBack || a.Left != 1 {
		t.Errorf("after a sampled map was sent back: %+v", a)
	}
	mended := w.next(w.Ada)
	e := w.save(w.Ada, mended.ID, mended.Edit.Revision, 0.8)
	mended, err := w.Service.Submit(ctx, w.Ada, mended.ID, e.Revision)
	w.must(err)
	w.judge(mended, annotator.VerdictApprove)
	if a := w.share(w.Ada); a.Share != 50 || a.Why != annotator.DrawDrawn {
		t.Errorf("after an approval: %+v", a)
	}
	var invalid *annotator.ValidationError
	for _, s := range []annotator.Sampling{{Share: 101}, {Share: -1}, {Share: 50, Newcomer: -1}, {Share: 50, Newcomer: annotator.MaxNewcomer + 1}} {
		if _, err := w.Service.ChangeProject(ctx, w.Admin, "birds", annotator.ProjectChange{Sampling: &s}); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	// Nobody writes the rule's verdict past the rule.
	if _, err := w.Store.Pool().Exec(ctx, `INSERT INTO reviews (edit_id, reviewer_id, verdict, rule) VALUES ($1, $2, 'approve', 'sampling')`, drawn[0].Edit.ID, w.Reviewer.ID); err == nil {
		t.Error("a person's verdict is said to be the rule's")
	}
}
