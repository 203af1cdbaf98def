package annotator_test

import (
	"errors"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A project whose feedback is not live shows no answer to a map that is being painted; submissions are scored all the same.
func TestFeedback(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.next(w.Ada)
	if d.Project.Feedback != annotator.FeedbackLive {
		t.Errorf("at first %q", d.Project.Feedback)
	}
	if _, err := w.Service.Score(ctx, w.Ada, d.ID, pgtest.Map(0.5)); err != nil {
		t.Errorf("live: %v", err)
	}
	for _, at := range []annotator.Feedback{annotator.FeedbackSubmitted, annotator.FeedbackOff} {
		if p, err := w.Service.ChangeProject(ctx, w.Admin, "birds", annotator.ProjectChange{Feedback: &at}); err != nil || p.Feedback != at {
			t.Fatalf("%s: %+v, %v", at, p, err)
		}
		if _, err := w.Service.Score(ctx, w.Ada, d.ID, pgtest.Map(0.5)); !errors.Is(err, annotator.ErrForbidden) {
			t.Errorf("%s: a score: %v", at, err)
		}
	}
	w.save(w.Ada, d.ID, 0, 0.75)
	done, err := w.Service.Submit(ctx, w.Ada, d.ID, 1)
	if err != nil || done.Edit.After != nil || done.Project.Feedback != annotator.FeedbackOff {
		t.Errorf("submitted: %+v, %v", done.Edit, err)
	}
	told := func(who annotator.User) bool {
		t.Helper()
		task, err := w.Service.Task(ctx, who, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		all, err := w.Service.Revisions(ctx, who, d.ID)
		if err != nil || len(all) != 1 || (all[0].After != nil) != (task.Edit.After != nil) || (all[0].Before != nil) != (task.Edit.After != nil) {
			t.Fatalf("revisions %+v, %v", all, err)
		}
		return task.Edit.After != nil
	}
	if told(w.Ada) || !told(w.Reviewer) {
		t.Error("off: the painter is told the answer, or the reviewer is not")
	}
	m := pgtest.Map(0.5)
	if _, err := w.Service.ActivationMap(ctx, w.Ada, d.ID, annotator.ActivationQuery{Method: annotator.ActivationCAM, Branch: annotator.BranchPerception, Map: &m}); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("off: a CAM of the edited map: %v", err)
	}
	submitted := annotator.FeedbackSubmitted
	if _, err := w.Service.ChangeProject(ctx, w.Admin, "birds", annotator.ProjectChange{Feedback: &submitted}); err != nil {
		t.Fatal(err)
	}
	if !told(w.Ada) {
		t.Error("submitted: the painter is not told")
	}
	if _, err := w.Service.TakeBack(ctx, w.Ada, d.ID); err != nil || told(w.Ada) {
		t.Errorf("taken back: the painter is told what was said of the map in hand (%v)", err)
	}
	never := annotator.Feedback("sometimes")
	var invalid *annotator.ValidationError
	if _, err := w.Service.ChangeProject(ctx, w.Admin, "birds", annotator.ProjectChange{Feedback: &never}); !errors.As(err, &invalid) || invalid.Field != "feedback" {
		t.Errorf("another word: %v", err)
	}
}
