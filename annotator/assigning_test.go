package annotator_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// change does one thing with tasks.
func (w *world) change(who annotator.User, c annotator.BulkChange) annotator.BulkResult {
	w.t.Helper()
	done, err := w.Service.ChangeTasks(w.t.Context(), who, "birds", c)
	w.must(err)
	return done
}

// open lists the ids of the open tasks, the most confident first.
func (w *world) open() (ids []int64) {
	w.t.Helper()
	page, err := w.Service.Tasks(w.t.Context(), w.Ada, annotator.TaskFilter{Project: "birds", States: []annotator.TaskState{annotator.TaskOpen}})
	w.must(err)
	for _, card := range page.Tasks {
		ids = append(ids, card.ID)
	}
	return ids
}

// An assigned task is offered to its person first, to nobody else, and again after it was given back; it ends when it is unassigned.
func TestAssignedTasks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	ids := w.open()
	done := w.change(w.Reviewer, annotator.BulkChange{Action: annotator.BulkAssign, Tasks: []int64{ids[5], ids[7], ids[7]}, User: w.Bob.ID})
	if done.Changed != 2 || done.LeftOut != 0 || done.Name != "Bob" || done.Undo == 0 {
		t.Errorf("%+v", done)
	}
	d := w.next(w.Bob)
	if d.ID != ids[5] || d.HandedBy != annotator.HandedAssigned || d.Why != "Assigned to Bob" {
		t.Errorf("Bob gets task %d by %q (%s), want %d", d.ID, d.HandedBy, d.Why, ids[5])
	}
	if _, err := w.Service.ClaimTask(ctx, w.Ada, ids[7]); !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "is assigned to Bob") {
		t.Errorf("Ada takes Bob's: %v", err)
	}
	if err := w.Service.Skip(ctx, w.Ada, ids[7], "dark"); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("Ada skips Bob's: %v", err)
	}
	for _, other := range w.drawn(w.Ada, annotator.TaskFilter{}, 99) {
		if other.ID == ids[5] || other.ID == ids[7] {
			t.Errorf("Ada is given task %d, which is Bob's", other.ID)
		}
	}
	w.must(w.Service.GiveBack(ctx, w.Bob, d.ID))
	if again := w.next(w.Bob); again.ID != ids[5] {
		t.Errorf("given back, it is not offered to Bob first: %d", again.ID)
	}
	w.must(w.Service.GiveBack(ctx, w.Bob, d.ID))
	if done := w.change(w.Reviewer, annotator.BulkChange{Action: annotator.BulkUnassign, Tasks: ids}); done.Changed != 2 || done.LeftOut != 6 {
		t.Errorf("unassigned %+v", done)
	}
	if got := w.next(w.Ada); got.ID != ids[5] {
		t.Errorf("unassigned, it is offered to Ada: %d", got.ID)
	}
}

// All that a filter leaves is assigned in one request, and an assignment is taken back as long as its tasks wait.
func TestAssigningASelection(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	held := w.next(w.Ada)
	all := annotator.BulkChange{Action: annotator.BulkAssign, All: true, User: w.Bob.ID}
	if done := w.change(w.Reviewer, all); done.Changed != 7 || done.LeftOut != 1 || !strings.Contains(done.Why, "is leased: only open tasks are assigned") {
		t.Errorf("%+v", done)
	}
	zero, low := 0, float32(0.93)
	all.Filter, all.User = annotator.TaskFilter{Label: &zero, MaxConfidence: &low}, w.Ada.ID
	second := w.change(w.Reviewer, all)
	if second.Changed != 2 {
		t.Errorf("those of class Zero: %+v", second)
	}
	of := func(who annotator.User) int {
		page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds", Assignee: &who.ID})
		w.must(err)
		return page.Total
	}
	if of(w.Ada) != 2 || of(w.Bob) != 5 || of(annotator.User{}) != 1 {
		t.Errorf("Ada has %d, Bob %d, nobody %d", of(w.Ada), of(w.Bob), of(annotator.User{}))
	}
	facets, err := w.Service.Facets(ctx, w.Ada, annotator.TaskFilter{Project: "birds", Assignee: &w.Ada.ID})
	w.must(err)
	if want := []annotator.AuthorCount{{UserID: w.Bob.ID, Name: "Bob", Count: 5}, {UserID: w.Ada.ID, Name: "Ada", Count: 2}}; !slices.Equal(facets.Assignees, want) {
		t.Errorf("facets %+v", facets.Assignees)
	}
	if n, err := w.Service.UndoAssignment(ctx, w.Reviewer, "birds", second.Undo); err != nil || n != 2 || of(w.Bob) != 7 {
		t.Errorf("taken back: %d, %v; Bob has %d", n, err, of(w.Bob))
	}
	if _, err := w.Service.UndoAssignment(ctx, w.Reviewer, "birds", second.Undo); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("taken back again: %v", err)
	}
	w.must(w.Service.GiveBack(ctx, w.Ada, held.ID))
	// Who can paint no more gives back what is theirs.
	disabled := true
	_, err = w.Service.ChangeUser(ctx, w.Admin, w.Bob.ID, annotator.UserChange{Disabled: &disabled})
	w.must(err)
	if of(w.Bob) != 0 || of(annotator.User{}) != 8 {
		t.Errorf("disabled, Bob has %d", of(w.Bob))
	}
	var invalid *annotator.ValidationError
	for _, user := range []int64{0, w.Bob.ID, 99999} {
		if _, err := w.Service.ChangeTasks(ctx, w.Reviewer, "birds", annotator.BulkChange{Action: annotator.BulkAssign, All: true, User: user}); !errors.As(err, &invalid) || invalid.Field != "user" {
			t.Errorf("to %d: %v", user, err)
		}
	}
	if _, err := w.Service.ChangeTasks(ctx, w.Ada, "birds", all); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a painter assigns: %v", err)
	}
}

// What else is done with many tasks follows the rules of one.
func TestManyTasksAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	held := w.next(w.Bob)
	w.submitted(w.Ada)
	if done := w.change(w.Ada, annotator.BulkChange{Action: annotator.BulkSkip, All: true, Reason: "blurred"}); done.Changed != 6 || done.LeftOut != 2 {
		t.Errorf("skipped %+v", done)
	}
	if now, err := w.Service.Task(ctx, w.Bob, held.ID); err != nil || now.State != annotator.TaskLeased {
		t.Errorf("Bob's: %s, %v", now.State, err)
	}
	if done := w.change(w.Bob, annotator.BulkChange{Action: annotator.BulkRelease, All: true}); done.Changed != 1 || done.LeftOut != 7 {
		t.Errorf("given back %+v", done)
	}
	if done := w.change(w.Reviewer, annotator.BulkChange{Action: annotator.BulkReopen, All: true, Filter: annotator.TaskFilter{States: []annotator.TaskState{annotator.TaskSkipped}}}); done.Changed != 6 || done.LeftOut != 0 {
		t.Errorf("reopened %+v", done)
	}
	if n := len(w.open()); n != 7 {
		t.Errorf("%d are open", n)
	}
	trail, err := w.Service.Audit(ctx, w.Admin, "birds", 0)
	w.must(err)
	if e := trail[0]; e.Action != "task.reopen" || e.Subject != "6 tasks" {
		t.Errorf("the trail says %+v", e)
	}
	var invalid *annotator.ValidationError
	for field, c := range map[string]annotator.BulkChange{
		"reason": {Action: annotator.BulkSkip, All: true}, "action": {Action: "paint", All: true}, "tasks": {Action: annotator.BulkReopen},
	} {
		if _, err := w.Service.ChangeTasks(ctx, w.Reviewer, "birds", c); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// An assigned task that nobody has begun becomes one of the version that is activated, and stays its person's.
func TestAssignmentsOutliveAVersion(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	ids := w.open()
	w.change(w.Reviewer, annotator.BulkChange{Action: annotator.BulkAssign, Tasks: ids[:2], User: w.Bob.ID})
	second, err := w.Store.AddVersion(ctx, w.Project.ID, activated(pgtest.NewVersion(1)))
	w.must(err)
	w.must(w.Scan(ctx, second.ID))
	page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds", Assignee: &w.Bob.ID})
	w.must(err)
	if page.Total != 2 || page.Tasks[0].VersionID != second.ID || page.Tasks[0].ID != ids[0] {
		t.Errorf("Bob has %d tasks: %+v", page.Total, page.Tasks)
	}
	if all := w.open(); len(all) != 8 {
		t.Errorf("%d tasks are open, want one of each image", len(all))
	}
}

func activated(v annotator.NewVersion) annotator.NewVersion {
	v.Activate = true
	return v
}

// The last ten that somebody submitted are at hand, the last first, with what has become of them.
func TestRecent(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	var ids []int64
	for range 3 {
		ids = append(ids, w.submitted(w.Ada).ID)
		w.Clock.Add(time.Second)
	}
	w.submitted(w.Bob)
	second, err := w.Service.Task(ctx, w.Ada, ids[1])
	w.must(err)
	_, err = w.Service.Review(ctx, w.Reviewer, second.Edit.ID, annotator.VerdictApprove, "")
	w.must(err)
	_, err = w.Service.TakeBack(ctx, w.Ada, ids[0])
	w.must(err)
	recent, err := w.Service.Recent(ctx, w.Ada, "birds")
	w.must(err)
	var got []int64
	var states []annotator.TaskState
	for _, card := range recent {
		got, states = append(got, card.ID), append(states, card.State)
	}
	if !slices.Equal(got, []int64{ids[2], ids[1], ids[0]}) || !slices.Equal(states, []annotator.TaskState{annotator.TaskSubmitted, annotator.TaskApproved, annotator.TaskLeased}) {
		t.Errorf("tasks %v, %v", got, states)
	}
}

// What is assigned to somebody who is disabled while the project is closed, or deleted, is everybody's once it is open again.
func TestAssignmentsEndWithAProjectsRest(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]struct {
		away, back func(w *world) error
	}{
		"closed": {func(w *world) error {
			_, err := w.Service.CloseProject(w.t.Context(), w.Admin, "birds")
			return err
		}, func(w *world) error {
			_, err := w.Service.ReopenProject(w.t.Context(), w.Admin, "birds")
			return err
		}},
		"deleted": {func(w *world) error {
			_, err := w.Service.DeleteProject(w.t.Context(), w.Admin, "birds", w.Project.Name)
			return err
		}, func(w *world) error {
			_, err := w.Service.RestoreProject(w.t.Context(), w.Admin, "birds")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			tasks := w.open()
			w.change(w.Reviewer, annotator.BulkChange{Action: annotator.BulkAssign, Tasks: tasks[:2], User: w.Ada.ID})
			w.change(w.Reviewer, annotator.BulkChange{Action: annotator.BulkAssign, Tasks: tasks[2:3], User: w.Bob.ID})
			w.must(rest.away(w))
			gone := true
			_, err := w.Service.ChangeUser(t.Context(), w.Admin, w.Ada.ID, annotator.UserChange{Disabled: &gone})
			w.must(err)
			w.must(rest.back(w))
			for i, id := range tasks[:3] {
				d, err := w.Service.Task(t.Context(), w.Admin, id)
				w.must(err)
				if (d.AssignedTo != nil) != (i == 2) {
					t.Errorf("task %d is assigned to %s", i, d.AssigneeName)
				}
			}
		})
	}
}
