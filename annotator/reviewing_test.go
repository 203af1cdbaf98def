package annotator_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/recipe"
)

func TestReviewIsSomebodyElses(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Reviewer) // reviewers paint, too
	if _, err := w.Service.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictApprove, ""); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("an author approving: %v, want ErrForbidden", err)
	}
	if _, err := w.Service.Review(ctx, w.Ada, d.Edit.ID, annotator.VerdictApprove, ""); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("an annotator approving: %v, want ErrForbidden", err)
	}
	if _, err := w.Service.NextReview(ctx, w.Reviewer, "birds", 0); !errors.Is(err, annotator.ErrNoTask) {
		t.Errorf("the author's next review: %v, want ErrNoTask", err)
	}
	next, err := w.Service.NextReview(ctx, w.Admin, "birds", 0)
	if err != nil || next.ID != d.ID {
		t.Fatalf("the admin's next review: %d, %v", next.ID, err)
	}
	if _, err := w.Service.NextReview(ctx, w.Admin, "birds", 0, next.ID); !errors.Is(err, annotator.ErrNoTask) {
		t.Errorf("the review beside the only one: %v, want ErrNoTask", err)
	}
	if got, err := w.Service.Review(ctx, w.Admin, d.Edit.ID, annotator.VerdictApprove, ""); err != nil || got.State != annotator.TaskApproved {
		t.Errorf("the admin approving: %s, %v", got.State, err)
	}
	if _, err := w.Service.Review(ctx, w.Admin, d.Edit.ID, annotator.VerdictReject, "late"); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("a second verdict: %v, want ErrConflict", err)
	}
}

// A person who paints a map, gives the task back and lets another person submit it unchanged may not review it.
func TestReviewOfAHandedOnMap(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.next(w.Reviewer)
	w.save(w.Reviewer, d.ID, 0, 0.75)
	if err := w.Service.GiveBack(ctx, w.Reviewer, d.ID); err != nil {
		t.Fatal(err)
	}
	taken, err := w.Service.ClaimTask(ctx, w.Ada, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Service.Submit(ctx, w.Ada, d.ID, taken.Edit.Revision)
	if err != nil || got.Edit.AuthorID != w.Ada.ID || got.Edit.Revision != 2 {
		t.Fatalf("Ada's submission: %+v, %v; want a revision of her own", got.Edit, err)
	}
	if _, err := w.Service.Review(ctx, w.Reviewer, got.Edit.ID, annotator.VerdictApprove, ""); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("its painter approving: %v, want ErrForbidden", err)
	}
	if _, err := w.Service.NextReview(ctx, w.Reviewer, "birds", 0); !errors.Is(err, annotator.ErrNoTask) {
		t.Errorf("its painter's next review: %v, want ErrNoTask", err)
	}
}

func TestRejectionGoesBackToItsAuthor(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Ada)
	var invalid *annotator.ValidationError
	if _, err := w.Service.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictReject, " "); !errors.As(err, &invalid) || invalid.Field != "comment" {
		t.Errorf("a rejection without a comment: %v", err)
	}
	back, err := w.Service.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictReject, "Leave the branch out.")
	if err != nil || back.State != annotator.TaskChangesRequested || len(back.Reviews) != 1 || back.Reviews[0].Comment != "Leave the branch out." {
		t.Fatalf("rejected: %s, %+v, %v", back.State, back.Reviews, err)
	}
	var held *annotator.LeaseError
	if _, err := w.Service.ClaimTask(ctx, w.Bob, d.ID); !errors.As(err, &held) || held.Holder != "Ada" {
		t.Errorf("Bob claiming Ada's: %v", err)
	}
	w.next(w.Bob) // takes another one
	mend := w.next(w.Ada)
	if mend.ID != d.ID {
		t.Fatalf("Ada's next task is %d, want the returned one, %d", mend.ID, d.ID)
	}
	if _, err := w.Service.Submit(ctx, w.Ada, mend.ID, 1); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("submitting the rejected revision again: %v, want ErrConflict", err)
	}
	// Its lease ends and it is still hers.
	w.Clock.Add(annotator.LeaseDuration)
	if _, err := w.Service.ClaimTask(ctx, w.Bob, d.ID); !errors.As(err, &held) {
		t.Errorf("Bob claiming Ada's after her lease: %v", err)
	}
	if again := w.next(w.Ada); again.ID != d.ID {
		t.Errorf("after her lease Ada gets %d, want %d", again.ID, d.ID)
	}
	e := w.save(w.Ada, d.ID, 1, 0.9)
	if _, err := w.Service.Submit(ctx, w.Ada, d.ID, e.Revision); err != nil {
		t.Fatal(err)
	}
	done, err := w.Service.Review(ctx, w.Reviewer, e.ID, annotator.VerdictApprove, "")
	if err != nil || done.State != annotator.TaskApproved || done.Returned || len(done.Reviews) != 2 {
		t.Errorf("approved: %+v, %v", done.Task, err)
	}
}

// A verdict may have reasons, which are counted; one of them is enough to return a map.
func TestAVerdictHasReasons(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Ada)
	var invalid *annotator.ValidationError
	if _, err := w.Service.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictReject, "", "ugly"); !errors.As(err, &invalid) || invalid.Field != "reasons" {
		t.Errorf("a reason that is none: %v, want a *ValidationError", err)
	}
	back, err := w.Service.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictReject, "", annotator.ReasonMissedPart, annotator.ReasonTooWide, annotator.ReasonTooWide)
	if want := []annotator.Reason{annotator.ReasonTooWide, annotator.ReasonMissedPart}; err != nil || !slices.Equal(back.Reviews[0].Reasons, want) {
		t.Fatalf("returned with %+v, %v; want %v", back.Reviews, err, want)
	}
	other := w.submitted(w.Bob)
	if _, err := w.Service.Review(ctx, w.Reviewer, other.Edit.ID, annotator.VerdictApprove, "well enough", annotator.ReasonTooWide); err != nil {
		t.Fatal(err)
	}
	count := func() map[annotator.Reason]int {
		t.Helper()
		all, err := w.Service.ReasonCounts(ctx, w.Ada, "birds")
		if err != nil || len(all) != len(annotator.Reasons) {
			t.Fatalf("%v, %v", all, err)
		}
		counts := map[annotator.Reason]int{}
		for _, c := range all {
			counts[c.Reason] = c.Count
		}
		return counts
	}
	if got := count(); got[annotator.ReasonTooWide] != 2 || got[annotator.ReasonMissedPart] != 1 || got[annotator.ReasonTooTight] != 0 {
		t.Errorf("counted: %v", got)
	}
	if _, err := w.Service.Retract(ctx, w.Reviewer, other.Edit.ID); err != nil {
		t.Fatal(err)
	}
	if got := count(); got[annotator.ReasonTooWide] != 1 {
		t.Errorf("after one was taken back: %v", got)
	}
	reviews, err := w.Store.ExportReviews(ctx, w.Project.ID, annotator.ExportFilter{States: []string{"rejected"}}, 0, 10)
	if err != nil || len(reviews) != 1 || reviews[0].Reasons != "too wide; missed a part" {
		t.Errorf("exported: %+v, %v", reviews, err)
	}
}

func TestAReturnedTaskCanBeReopened(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Ada)
	if _, err := w.Service.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictReject, "no"); err != nil {
		t.Fatal(err)
	}
	if err := w.Service.Reopen(ctx, w.Reviewer, d.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Service.ClaimTask(ctx, w.Bob, d.ID); err != nil || got.Edit.Revision != 1 {
		t.Errorf("Bob claiming it: %v", err)
	}
}

func TestAuditTellsOfEveryStep(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.approved()
	entries, err := w.Service.Audit(t.Context(), w.Ada, "birds", 0)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, e := range entries {
		actions = append(actions, e.Actor+" "+e.Action)
	}
	want := []string{"Rose edit.approve", "Ada edit.submit", "Ada task.lease", "Grace member.add", "Grace project.create"}
	if len(actions) != len(want) {
		t.Fatalf("the trail is %q, want %q", actions, want)
	}
	for i := range want {
		if actions[i] != want[i] {
			t.Errorf("line %d: %q, want %q", i, actions[i], want[i])
		}
	}
	if older, err := w.Service.Audit(t.Context(), w.Ada, "birds", entries[1].ID); err != nil || len(older) != 3 {
		t.Errorf("the older half: %d lines, %v", len(older), err)
	}
}

// Whoever submitted a map takes it back until somebody has judged it, goes on from it, and submits again.
func TestASubmissionIsTakenBack(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Ada)
	if _, err := w.Service.TakeBack(ctx, w.Bob, d.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("somebody else taking it back: %v, want ErrConflict", err)
	}
	got, err := w.Service.TakeBack(ctx, w.Ada, d.ID)
	if err != nil || got.State != annotator.TaskLeased || got.Lease == nil || !got.Lease.Mine || got.Edit.State != annotator.EditTakenBack {
		t.Fatalf("taken back: %s, %+v, %v", got.State, got.Edit, err)
	}
	if _, err := w.Service.NextReview(ctx, w.Reviewer, "birds", 0); !errors.Is(err, annotator.ErrNoTask) {
		t.Errorf("the next review: %v, want none", err)
	}
	if _, err := w.Service.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictApprove, ""); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("judging what was taken back: %v, want ErrConflict", err)
	}
	again, err := w.Service.Submit(ctx, w.Ada, d.ID, got.Edit.Revision) // as it is: a revision of its own
	if err != nil || again.Edit.Revision != d.Edit.Revision+1 || again.Edit.State != annotator.EditSubmitted || !again.Edit.Map.Equal(d.Edit.Map) {
		t.Fatalf("submitted again: %+v, %v", again.Edit, err)
	}
	if _, err := w.Service.Review(ctx, w.Reviewer, again.Edit.ID, annotator.VerdictReject, "the beak"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.TakeBack(ctx, w.Ada, d.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("taking back what was judged: %v, want ErrConflict", err)
	}
	// A map that a reviewer sent back stays with its author, also when its next submission is taken back.
	if _, err := w.Service.ClaimTask(ctx, w.Ada, d.ID); err != nil {
		t.Fatal(err)
	}
	w.save(w.Ada, d.ID, again.Edit.Revision, 0.25)
	if _, err := w.Service.Submit(ctx, w.Ada, d.ID, again.Edit.Revision+1); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.TakeBack(ctx, w.Ada, d.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Service.GiveBack(ctx, w.Ada, d.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Service.Task(ctx, w.Ada, d.ID); err != nil || got.State != annotator.TaskChangesRequested {
		t.Errorf("given back: %s, %v; want it to stay with its author", got.State, err)
	}
}

// A verdict is taken back until a round has learnt from the edit; it stays in the history, and another verdict follows.
func TestAVerdictIsTakenBack(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Ada)
	judge := func(v annotator.Verdict) {
		t.Helper()
		if _, err := w.Service.Review(ctx, w.Reviewer, d.Edit.ID, v, "word"); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range []annotator.Verdict{annotator.VerdictApprove, annotator.VerdictReject} {
		judge(v)
		got, err := w.Service.Retract(ctx, w.Reviewer, d.Edit.ID)
		if err != nil || got.State != annotator.TaskSubmitted || got.Edit.State != annotator.EditSubmitted || got.Returned {
			t.Fatalf("%s taken back: %s, %+v, %v", v, got.State, got.Edit, err)
		}
		if r := got.Reviews; len(r) != i+1 || r[i].Verdict != v || r[i].TakenBackAt == nil || r[i].TakenBackBy != "Rose" {
			t.Errorf("the history after %s: %+v", v, r)
		}
		if _, err := w.Service.Retract(ctx, w.Reviewer, d.Edit.ID); !errors.Is(err, annotator.ErrConflict) {
			t.Errorf("taken back twice: %v, want ErrConflict", err)
		}
	}
	judge(annotator.VerdictReject)
	if _, err := w.Service.ClaimTask(ctx, w.Ada, d.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.Retract(ctx, w.Reviewer, d.Edit.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("taken back while its author paints: %v, want ErrConflict", err)
	}
	w.save(w.Ada, d.ID, d.Edit.Revision, 0.25)
	var err error
	if d, err = w.Service.Submit(ctx, w.Ada, d.ID, d.Edit.Revision+1); err != nil {
		t.Fatal(err)
	}
	judge(annotator.VerdictApprove)
	round, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.Retract(ctx, w.Reviewer, d.Edit.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("taken back once a round has it: %v, want ErrConflict", err)
	}
	if _, err := w.Service.CancelRound(ctx, w.Admin, round.ID); err != nil { // it has learnt nothing
		t.Fatal(err)
	}
	if got, err := w.Service.Retract(ctx, w.Admin, d.Edit.ID); err != nil || got.State != annotator.TaskSubmitted {
		t.Errorf("an admin taking it back: %s, %v", got.State, err)
	}
}
