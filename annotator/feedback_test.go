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
	if err != nil || done.Edit.After == nil || done.Project.Feedback != annotator.FeedbackOff {
		t.Errorf("submitted: %+v, %v", done, err)
	}
	never := annotator.Feedback("sometimes")
	var invalid *annotator.ValidationError
	if _, err := w.Service.ChangeProject(ctx, w.Admin, "birds", annotator.ProjectChange{Feedback: &never}); !errors.As(err, &invalid) || invalid.Field != "feedback" {
		t.Errorf("another word: %v", err)
	}
}
