package annotator_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

func TestSaveDraftKeepsEveryRevision(t *testing.T) {
	t.Parallel()
	w := setup(t)
	d := w.next(w.Ada)
	first := w.save(w.Ada, d.ID, 0, 0.25)
	second := w.save(w.Ada, d.ID, 1, 0.5)
	if first.Revision != 1 || second.Revision != 2 {
		t.Errorf("revisions %d, %d", first.Revision, second.Revision)
	}
	all, err := w.Service.Revisions(t.Context(), w.Bob, d.ID)
	if err != nil || len(all) != 2 || !all[0].Map.Equal(pgtest.Map(0.25)) || !all[1].Map.Equal(pgtest.Map(0.5)) {
		t.Errorf("revisions %v, %v", all, err)
	}
	got, err := w.Service.Task(t.Context(), w.Ada, d.ID)
	if err != nil || got.Edit == nil || string(got.Edit.History) != `{"strokes":[1]}` || !strings.Contains(string(got.Edit.Provenance), `"brush":1`) {
		t.Errorf("after a reload: %+v, %v", got.Edit, err)
	}
}

func TestStaleSaveOverwritesNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	d := w.next(w.Ada)
	w.save(w.Ada, d.ID, 0, 0.25)
	w.save(w.Ada, d.ID, 1, 0.5)
	_, err := w.Service.SaveDraft(t.Context(), w.Ada, d.ID, draft(1, 0.75))
	var stale *annotator.StaleError
	if !errors.As(err, &stale) || stale.Base != 1 || stale.Current.Revision != 2 || !stale.Current.Map.Equal(pgtest.Map(0.5)) {
		t.Fatalf("a save on revision 1: %v, want a *StaleError with revision 2", err)
	}
	if !errors.Is(err, annotator.ErrConflict) {
		t.Error("a stale save is no conflict")
	}
	// The same save again, as after a lost answer, is no conflict.
	if again := w.save(w.Ada, d.ID, 1, 0.5); again.Revision != 2 {
		t.Errorf("the repeated save is revision %d, want 2", again.Revision)
	}
}

func TestSaveDraftRefusesWhatIsNoMap(t *testing.T) {
	t.Parallel()
	w := setup(t)
	d := w.next(w.Ada)
	cell := func(v float32) attention.Map { m := pgtest.Map(0.5); m.Values[4] = v; return m }
	for name, c := range map[string]struct {
		m    attention.Map
		want error
	}{
		"other grid":    {attention.New(3, 2), attention.ErrGrid},
		"larger grid":   {attention.New(14, 14), attention.ErrGrid},
		"too few":       {attention.Map{Height: 2, Width: 3, Values: []float32{1}}, attention.ErrGrid},
		"NaN":           {cell(float32(math.NaN())), attention.ErrValue},
		"1.5":           {cell(1.5), attention.ErrValue},
		"negative":      {cell(-0.1), attention.ErrValue},
		"no map at all": {attention.Map{}, attention.ErrGrid},
	} {
		dr := draft(0, 0)
		dr.Map = c.m
		if _, err := w.Service.SaveDraft(t.Context(), w.Ada, d.ID, dr); !errors.Is(err, c.want) {
			t.Errorf("%s: SaveDraft = %v, want %v", name, err, c.want)
		}
		if _, err := w.Service.Score(t.Context(), w.Ada, d.ID, c.m); !errors.Is(err, c.want) {
			t.Errorf("%s: Score = %v, want %v", name, err, c.want)
		}
	}
	var invalid *annotator.ValidationError
	for field, change := range map[string]func(*annotator.Draft){
		"source":        func(d *annotator.Draft) { d.Source = annotator.SourceGenerator },
		"base_revision": func(d *annotator.Draft) { d.BaseRevision = 3 },
		"history": func(d *annotator.Draft) {
			d.History = []byte(`"` + strings.Repeat("x", annotator.MaxHistoryBytes) + `"`)
		},
		"provenance": func(d *annotator.Draft) { d.Provenance = []byte(`{`) },
	} {
		dr := draft(0, 0.5)
		change(&dr)
		if _, err := w.Service.SaveDraft(t.Context(), w.Ada, d.ID, dr); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("a wrong %s: %v, want a *ValidationError of it", field, err)
		}
	}
	if got, err := w.Service.Task(t.Context(), w.Ada, d.ID); err != nil || got.Edit != nil {
		t.Errorf("after refused saves the task has the edit %v, %v", got.Edit, err)
	}
}

// An untouched task, a map of zeros and the model's own map are three different things.
func TestThreeKindsOfNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	untouched := w.next(w.Ada)
	var invalid *annotator.ValidationError
	if _, err := w.Service.Submit(ctx, w.Ada, untouched.ID, 0); !errors.As(err, &invalid) {
		t.Errorf("submitting an untouched task: %v", err)
	}
	if _, err := w.Service.Submit(ctx, w.Ada, untouched.ID, 1); !errors.As(err, &invalid) {
		t.Errorf("submitting a revision nobody made: %v", err)
	}
	zero := w.save(w.Ada, untouched.ID, 0, 0)
	d, err := w.Service.Submit(ctx, w.Ada, untouched.ID, zero.Revision)
	if err != nil || d.Edit.Source != annotator.SourcePainted || !d.Edit.Map.Equal(pgtest.Map(0)) {
		t.Errorf("all zero: %+v, %v", d.Edit, err)
	}
	next := w.next(w.Ada)
	dr := draft(0, 0.4)
	dr.Source = annotator.SourceModel
	if _, err := w.Service.SaveDraft(ctx, w.Ada, next.ID, dr); !errors.As(err, &invalid) || invalid.Field != "source" {
		t.Errorf("the model's own map, but changed: %v", err)
	}
	dr.Map = next.Prediction.Map
	if _, err := w.Service.SaveDraft(ctx, w.Ada, next.ID, dr); err != nil {
		t.Fatal(err)
	}
	if d, err = w.Service.Submit(ctx, w.Ada, next.ID, 1); err != nil || d.Edit.Source != annotator.SourceModel {
		t.Errorf("the model's own: %+v, %v", d.Edit, err)
	}
}

func TestSubmitScoresBeforeAndAfter(t *testing.T) {
	t.Parallel()
	w := setup(t)
	d := w.submitted(w.Ada)
	if d.State != annotator.TaskSubmitted || d.Lease != nil || d.Edit.State != annotator.EditSubmitted {
		t.Errorf("state %s, lease %v, edit %s", d.State, d.Lease, d.Edit.State)
	}
	// The scorer's answer is the map's mean: 0.5 on the model's, 0.75 on the painted one.
	if d.Edit.Before == nil || d.Edit.Before.Top[0].Probability != 0.5 || d.Edit.After == nil || d.Edit.After.Top[0].Probability != 0.75 || !d.Edit.After.Correct {
		t.Errorf("before %+v, after %+v", d.Edit.Before, d.Edit.After)
	}
	if again, err := w.Service.Submit(t.Context(), w.Ada, d.ID, d.Edit.Revision); err != nil || again.Edit.ID != d.Edit.ID {
		t.Errorf("the same submission again: %v", err)
	}
	if _, err := w.Service.SaveDraft(t.Context(), w.Ada, d.ID, draft(1, 0.1)); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("a save on a submitted task: %v, want ErrConflict", err)
	}
}

func TestSubmitOfAnotherRevision(t *testing.T) {
	t.Parallel()
	w := setup(t)
	d := w.next(w.Ada)
	w.save(w.Ada, d.ID, 0, 0.25)
	w.save(w.Ada, d.ID, 1, 0.5)
	var stale *annotator.StaleError
	if _, err := w.Service.Submit(t.Context(), w.Ada, d.ID, 1); !errors.As(err, &stale) {
		t.Errorf("submitting revision 1 of 2: %v, want a *StaleError", err)
	}
	if _, err := w.Service.Submit(t.Context(), w.Bob, d.ID, 2); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("Bob submitting Ada's: %v, want ErrConflict", err)
	}
}

func TestTopClasses(t *testing.T) {
	t.Parallel()
	top := annotator.TopClasses([]float32{0.1, 0.3, 0.05, 0.3, 0.25}, 3)
	want := []int{1, 3, 4}
	for i, c := range want {
		if len(top) != 3 || top[i].Class != c {
			t.Fatalf("TopClasses = %v, want classes %v", top, want)
		}
	}
	if top := annotator.TopClasses([]float32{0.4, 0.6}, 5); len(top) != 2 || top[0].Class != 1 {
		t.Errorf("of two classes: %v", top)
	}
}

// Marks are kept with the map, and the answer is that with the model's value where somebody does not know and 0 where nothing is to be
// looked at. Marks that mark nothing are none.
func TestMarksAreKeptAndScored(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.next(w.Ada)
	dr := draft(0, 0.5)
	dr.Map.Marks = "..?x.x"
	marked, err := w.Service.SaveDraft(ctx, w.Ada, d.ID, dr)
	if err != nil || !marked.Map.Equal(dr.Map) {
		t.Fatalf("%v, %v", marked.Map, err)
	}
	got, err := w.Service.Task(ctx, w.Ada, d.ID)
	if err != nil || !got.Edit.Map.Equal(dr.Map) {
		t.Errorf("read again: %v, %v", got.Edit, err)
	}
	stands := pgtest.Map(0.5)
	stands.Values[2], stands.Values[3], stands.Values[5] = d.Prediction.Map.Values[2], 0, 0
	want, err := w.Service.Score(ctx, w.Ada, d.ID, stands)
	if err != nil {
		t.Fatal(err)
	}
	scores, err := w.Service.Score(ctx, w.Ada, d.ID, dr.Map)
	if err != nil || !slices.Equal(scores.Probabilities, want.Probabilities) {
		t.Errorf("scores %v, %v, want %v", scores.Probabilities, err, want.Probabilities)
	}
	submitted, err := w.Service.Submit(ctx, w.Ada, d.ID, 1)
	if err != nil || !slices.Equal(submitted.Edit.After.Probabilities, want.Probabilities) {
		t.Errorf("submitted: %+v, %v", submitted.Edit, err)
	}

	next := w.next(w.Ada)
	dr = draft(0, 0.5)
	dr.Map.Marks = "......"
	plain, err := w.Service.SaveDraft(ctx, w.Ada, next.ID, dr)
	if err != nil || plain.Map.Marks != "" {
		t.Errorf("marks that mark nothing: %q, %v", plain.Map.Marks, err)
	}
	if again, err := w.Service.SaveDraft(ctx, w.Ada, next.ID, dr); err != nil || again.Revision != 1 {
		t.Errorf("the same save again: %+v, %v", again, err)
	}
	dr.BaseRevision, dr.Map.Marks = 1, "..?"
	if _, err := w.Service.SaveDraft(ctx, w.Ada, next.ID, dr); !errors.Is(err, attention.ErrMarks) {
		t.Errorf("too few marks: %v", err)
	}
}
