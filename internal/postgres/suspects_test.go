package postgres_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A label that is wrong is suspect until somebody looks: who vouches for it, or says what it should be, takes it off the list. An
// image that comes back to the list does so with its open task.
func TestSuspectsAreLookedAt(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	listed := func(image int64) (found annotator.Suspect, is bool) {
		t.Helper()
		all, err := w.Service.Suspects(ctx, w.Ada, "birds", annotator.MaxSuspects)
		if err != nil || all.Total != len(all.Suspects) || !slices.Equal(all.Versions, []int{1}) {
			t.Fatalf("%+v, %v", all, err)
		}
		at := slices.IndexFunc(all.Suspects, func(s annotator.Suspect) bool { return s.Image.ID == image })
		if at < 0 {
			return found, false
		}
		return all.Suspects[at], true
	}
	test := w.Images[8]
	if s, is := listed(test.ID); is {
		t.Fatalf("an image that the model is right about: %+v", s)
	}
	wrong := (*test.Label + 1) % 3
	u := annotator.ImageUpdate{ID: test.ID, NewImage: annotator.NewImage{Name: test.Name, Split: test.Split, Class: w.Project.Classes[wrong].Key, Hash: test.Hash, Width: 64, Height: 48}}
	if err := w.Store.UpdateImages(ctx, w.Project.ID, []annotator.ImageUpdate{u}, w.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	s, is := listed(test.ID)
	if !is || s.Label != wrong || s.Suggested != *test.Label || !s.HeldOut || s.Versions != 1 || s.Probability < s.Threshold || s.Given > s.Probability || s.TaskID != nil || s.SuggestedName == "" {
		t.Fatalf("a wrong label: %+v, %v", s, is)
	}
	v := propose(t, w, w.Ada, test.ID, class(*test.Label))
	if s, is := listed(test.ID); is {
		t.Errorf("what a reviewer is to decide: %+v", s)
	}
	if _, err := w.Service.WithdrawLabel(ctx, w.Ada, v.ID); err != nil {
		t.Fatal(err)
	}
	if _, is := listed(test.ID); !is {
		t.Error("after it was taken back it is not listed")
	}
	propose(t, w, w.Ada, test.ID, annotator.LabelProposal{Says: annotator.LabelIsRight})
	if s, is := listed(test.ID); is {
		t.Errorf("somebody vouched for it: %+v", s)
	}
	all, err := w.Service.Suspects(ctx, w.Ada, "birds", 1)
	if err != nil || len(all.Suspects) != 1 || all.Total < 2 || all.Suspects[0].TaskID == nil || all.Suspects[0].Image.Split == annotator.SplitTest {
		t.Errorf("the most suspect, which has a task: %+v, %v", all, err)
	}
	var invalid *annotator.ValidationError
	if _, err := w.Service.Suspects(ctx, w.Ada, "birds", 0); !errors.As(err, &invalid) || invalid.Field != "limit" {
		t.Errorf("none of them: %v", err)
	}
}
