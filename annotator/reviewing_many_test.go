package annotator_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// Many maps are approved in one request; what the reviewer drew, what somebody else has, and what changed since is named and left. One more
// request takes the verdicts back, but for those that a round has used meanwhile.
func TestManyMapsAreAcceptedAndTakenBack(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	first, second, third := w.submitted(w.Ada), w.submitted(w.Ada), w.submitted(w.Bob)
	own, held, changed := w.submitted(w.Reviewer), w.submitted(w.Bob), w.submitted(w.Ada)
	if _, err := w.Service.ClaimReview(ctx, w.Admin, held.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.TakeBack(ctx, w.Ada, changed.ID); err != nil {
		t.Fatal(err)
	}
	edits := []int64{changed.Edit.ID, held.Edit.ID, own.Edit.ID, third.Edit.ID, second.Edit.ID, first.Edit.ID, first.Edit.ID, 1 << 40}
	done, err := w.Service.ApproveMany(ctx, w.Reviewer, "birds", edits)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{first.Edit.ID, second.Edit.ID, third.Edit.ID}; !slices.Equal(slices.Sorted(slices.Values(done.Done)), want) {
		t.Errorf("approved %v, want %v", done.Done, want)
	}
	why := map[int64]string{}
	for _, l := range done.Left {
		why[l.EditID] = l.Why
	}
	for edit, words := range map[int64]string{own.Edit.ID: "you drew a map of task", held.Edit.ID: "is reviewing task", changed.Edit.ID: "has taken edit", 1 << 40: "none of this project"} {
		if !strings.Contains(why[edit], words) {
			t.Errorf("edit %d was left since %q, want %q", edit, why[edit], words)
		}
	}
	for _, d := range []annotator.TaskDetail{first, second, third} {
		got, err := w.Service.Task(ctx, w.Reviewer, d.ID)
		if err != nil || got.State != annotator.TaskApproved || got.Lease != nil || len(got.Reviews) != 1 || got.Reviews[0].Reviewer != w.Reviewer.Name {
			t.Errorf("task %d is %s, %+v, %v", d.ID, got.State, got.Reviews, err)
		}
	}

	back, err := w.Service.RetractMany(ctx, w.Reviewer, "birds", done.Done)
	if err != nil || len(back.Done) != 3 || len(back.Left) != 0 {
		t.Fatalf("taken back: %+v, %v", back, err)
	}
	got, err := w.Service.Task(ctx, w.Reviewer, first.ID)
	if err != nil || got.State != annotator.TaskSubmitted || got.Lease != nil || got.Reviews[0].TakenBackBy != w.Reviewer.Name {
		t.Errorf("after the undo: %s, %+v, %v", got.State, got.Lease, err)
	}
	if again, err := w.Service.RetractMany(ctx, w.Reviewer, "birds", done.Done); err != nil || len(again.Done) != 0 || !strings.Contains(again.Left[0].Why, "has no verdict") {
		t.Errorf("a second undo: %+v, %v", again, err)
	}
	if _, err := w.Service.ApproveMany(ctx, w.Ada, "birds", done.Done); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a painter: %v", err)
	}
	var invalid *annotator.ValidationError
	for _, none := range [][]int64{nil, slices.Repeat([]int64{1}, 0)} {
		if _, err := w.Service.ApproveMany(ctx, w.Reviewer, "birds", none); !errors.As(err, &invalid) {
			t.Errorf("nothing: %v", err)
		}
	}
	if _, err := w.Service.CloseProject(ctx, w.Admin, "birds"); err != nil {
		t.Fatal(err)
	}
	var closed *annotator.ClosedError
	if _, err := w.Service.ApproveMany(ctx, w.Reviewer, "birds", done.Done); !errors.As(err, &closed) {
		t.Errorf("in a closed project: %v", err)
	}
}
