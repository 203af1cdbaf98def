package annotator_test

import (
	"os"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// setup returns the small world, and a paint that leases a task to somebody and saves a map on it.
func setup(t *testing.T) *world { return &world{pgtest.NewWorld(t), t} }

type world struct {
	*pgtest.World
	t *testing.T
}

// next leases the next task to somebody.
func (w *world) next(who annotator.User) annotator.TaskDetail {
	w.t.Helper()
	d, err := w.Service.NextTask(w.t.Context(), who, annotator.TaskFilter{Project: "birds"})
	if err != nil {
		w.t.Fatalf("NextTask for %s: %v", who.Name, err)
	}
	return d
}

// save saves a map of one value on revision base.
func (w *world) save(who annotator.User, task int64, base int, value float32) annotator.Edit {
	w.t.Helper()
	e, err := w.Service.SaveDraft(w.t.Context(), who, task, draft(base, value))
	if err != nil {
		w.t.Fatalf("SaveDraft by %s on revision %d: %v", who.Name, base, err)
	}
	return e
}

func draft(base int, value float32) annotator.Draft {
	return annotator.Draft{BaseRevision: base, Source: annotator.SourcePainted, Map: pgtest.Map(value), History: []byte(`{"strokes":[1]}`), Provenance: []byte(`{"brush":1}`)}
}

// submitted leases, paints and submits the next task of somebody, and returns it.
func (w *world) submitted(who annotator.User) annotator.TaskDetail {
	w.t.Helper()
	d := w.next(who)
	base := 0
	if d.Edit != nil {
		base = d.Edit.Revision
	}
	e := w.save(who, d.ID, base, 0.75)
	d, err := w.Service.Submit(w.t.Context(), who, d.ID, e.Revision)
	if err != nil {
		w.t.Fatalf("Submit by %s: %v", who.Name, err)
	}
	return d
}

// approved adds an approved edit to the next task.
func (w *world) approved() {
	w.t.Helper()
	d := w.submitted(w.Ada)
	if _, err := w.Service.Review(w.t.Context(), w.Reviewer, d.Edit.ID, annotator.VerdictApprove, ""); err != nil {
		w.t.Fatalf("Review: %v", err)
	}
}

// must ends the test where preparing it fails.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
