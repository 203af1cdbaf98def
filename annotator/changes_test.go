package annotator_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A save that sends what changed is the same edit as one that sends all of it.
func TestSaveOfChanges(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.next(w.Ada)
	stack := func(steps string) json.RawMessage {
		return json.RawMessage(`{"v":1,"sum":"` + steps + `","steps":[` + steps + `]}`)
	}
	save := func(base int, c annotator.Changes, history json.RawMessage, kept *annotator.KeptSteps) (annotator.Edit, error) {
		return w.Service.SaveDraft(ctx, w.Ada, d.ID, annotator.Draft{BaseRevision: base, Source: annotator.SourcePainted, Changes: &c, History: history, KeptSteps: kept})
	}
	must := func(e annotator.Edit, err error) annotator.Edit {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	want := d.Prediction.Map.Clone()
	want.Values[1], want.Values[4] = 0.5, 1
	first := must(save(0, annotator.Changes{Cells: []int{4, 1}, Values: []float32{1, 0.5}}, stack("1,2"), nil))
	if first.Revision != 1 || !first.Map.Equal(want) {
		t.Errorf("of the model's map: %d, %v, want %v", first.Revision, first.Map, want)
	}
	marks := attention.Marks("x.....")
	want.Values[0], want.Marks = 0.25, marks
	second := must(save(1, annotator.Changes{Cells: []int{0}, Values: []float32{0.25}, Marks: &marks}, stack("3"), &annotator.KeptSteps{From: 1, Count: 1}))
	if second.Revision != 2 || !second.Map.Equal(want) {
		t.Errorf("of revision 1: %d, %v, want %v", second.Revision, second.Map, want)
	}
	got, err := w.Service.Task(ctx, w.Ada, d.ID)
	if err != nil || !got.Edit.Map.Equal(want) {
		t.Errorf("read again: %v, %v", got.Edit, err)
	}
	var read struct {
		Sum   string
		Steps []int
	}
	if err := json.Unmarshal(got.Edit.History, &read); err != nil || read.Sum != "3" || len(read.Steps) != 2 || read.Steps[0] != 2 || read.Steps[1] != 3 {
		t.Errorf("the undo stack is %s, %v", got.Edit.History, err)
	}

	// The same save again, as after a lost answer, is the revision it made; another one from there is stale, though it would change
	// nothing of the latest map.
	if again := must(save(1, annotator.Changes{Cells: []int{0}, Values: []float32{0.25}, Marks: &marks}, stack("3"), &annotator.KeptSteps{From: 1, Count: 1})); again.Revision != 2 {
		t.Errorf("the same save again is revision %d", again.Revision)
	}
	var stale *annotator.StaleError
	if _, err := save(1, annotator.Changes{Cells: []int{0}, Values: []float32{0.25}}, stack("3"), nil); !errors.As(err, &stale) {
		t.Errorf("another save of revision 1: %v, want a *StaleError", err)
	}
}

func TestChangesThatDoNotFit(t *testing.T) {
	t.Parallel()
	w := setup(t)
	d := w.next(w.Ada)
	w.save(w.Ada, d.ID, 0, 0.25)
	few := attention.Marks("..?")
	var invalid *annotator.ValidationError
	for name, c := range map[string]struct {
		base    int
		changes annotator.Changes
		history string
		kept    *annotator.KeptSteps
		field   string
		cause   error
	}{
		"more cells than values": {1, annotator.Changes{Cells: []int{1, 2}, Values: []float32{0}}, "", nil, "changes", nil},
		"a cell beyond the map":  {1, annotator.Changes{Cells: []int{6}, Values: []float32{0}}, "", nil, "changes", nil},
		"a cell twice":           {1, annotator.Changes{Cells: []int{1, 1}, Values: []float32{0, 1}}, "", nil, "changes", nil},
		"a cell before it":       {1, annotator.Changes{Cells: []int{-1}, Values: []float32{0}}, "", nil, "changes", nil},
		"a value above 1":        {1, annotator.Changes{Cells: []int{1}, Values: []float32{2}}, "", nil, "", attention.ErrValue},
		"too few marks":          {1, annotator.Changes{Marks: &few}, "", nil, "", attention.ErrMarks},
		"no such revision":       {7, annotator.Changes{}, "", nil, "base_revision", nil},
		"steps that are not":     {1, annotator.Changes{}, `{"steps":[]}`, &annotator.KeptSteps{Count: 1}, "kept_steps", nil},
		"steps beyond counting":  {1, annotator.Changes{}, `{"steps":[]}`, &annotator.KeptSteps{From: 1, Count: int(^uint(0) >> 1)}, "kept_steps", nil},
		"no stack":               {1, annotator.Changes{}, `[1]`, &annotator.KeptSteps{}, "history", nil},
		"a stack without steps":  {1, annotator.Changes{}, `{}`, &annotator.KeptSteps{}, "history", nil},
	} {
		_, err := w.Service.SaveDraft(t.Context(), w.Ada, d.ID, annotator.Draft{BaseRevision: c.base, Source: annotator.SourcePainted, Changes: &c.changes, History: json.RawMessage(c.history), KeptSteps: c.kept})
		if c.cause != nil && !errors.Is(err, c.cause) || c.cause == nil && (!errors.As(err, &invalid) || invalid.Field != c.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
	odd := w.next(w.Bob) // its last save's stack is no stack
	w.save(w.Bob, odd.ID, 0, 0.25)
	_, err := w.Service.SaveDraft(t.Context(), w.Bob, odd.ID, annotator.Draft{BaseRevision: 1, Source: annotator.SourcePainted, Changes: &annotator.Changes{}, History: json.RawMessage(`[1]`)})
	if err == nil {
		_, err = w.Service.SaveDraft(t.Context(), w.Bob, odd.ID, annotator.Draft{BaseRevision: 2, Source: annotator.SourcePainted, Changes: &annotator.Changes{}, History: json.RawMessage(`{"steps":[]}`), KeptSteps: &annotator.KeptSteps{}})
	}
	if !errors.As(err, &invalid) || invalid.Field != "kept_steps" {
		t.Errorf("steps of a stack that is none: %v", err)
	}
	got, err := w.Service.Task(t.Context(), w.Ada, d.ID)
	if err != nil || got.Edit.Revision != 1 || !got.Edit.Map.Equal(pgtest.Map(0.25)) {
		t.Errorf("after all that: %+v, %v", got.Edit, err)
	}
}

// The network that an edit was made against is what the studio knows, whatever a client says.
func TestProvenanceNamesTheNetwork(t *testing.T) {
	t.Parallel()
	w := setup(t)
	d := w.next(w.Ada)
	dr := draft(0, 0.5)
	dr.Provenance = json.RawMessage(`{"seconds":3,"model_hash":"mine"}`)
	e, err := w.Service.SaveDraft(t.Context(), w.Ada, d.ID, dr)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Seconds int    `json:"seconds"`
		Version int64  `json:"version_id"`
		Hash    string `json:"model_hash"`
	}
	if err := json.Unmarshal(e.Provenance, &read); err != nil || read.Seconds != 3 || read.Version != d.VersionID || read.Hash != d.Version.ModelHash || !strings.Contains(string(e.Provenance), `"preprocessing"`) {
		t.Errorf("%s, %v", e.Provenance, err)
	}
	var invalid *annotator.ValidationError
	dr.BaseRevision, dr.Provenance = 1, json.RawMessage(`[1]`)
	if _, err := w.Service.SaveDraft(t.Context(), w.Ada, d.ID, dr); !errors.As(err, &invalid) || invalid.Field != "provenance" {
		t.Errorf("a list: %v", err)
	}
}
