package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// When an image is replaced or gone, its untouched tasks are removed. Tasks in work and in review are put aside, and come back with the
// image. Approved edits are kept and not used.
func TestRetiredImagesTakeTheirTasksAlong(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.75)
	submitted, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	if err != nil {
		t.Fatal(err)
	}
	edit, err := w.Service.SaveDraft(ctx, w.Ada, submitted.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.5)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.Submit(ctx, w.Ada, submitted.ID, edit.Revision); err != nil {
		t.Fatal(err)
	}
	leased, err := w.Service.NextTask(ctx, w.Bob, annotator.TaskFilter{Project: "birds"})
	if err != nil {
		t.Fatal(err)
	}
	before, err := w.Service.Project(ctx, w.Admin, "birds")
	if err != nil {
		t.Fatal(err)
	}
	if before.ApprovedEdits != 1 || before.InReview != 1 || before.OpenTasks < 2 {
		t.Fatalf("the world is another one: %+v", before)
	}
	var ids []int64
	var updates []annotator.ImageUpdate
	for _, i := range w.Images {
		ids = append(ids, i.ID)
		class := w.Project.Classes[*i.Label].Key
		updates = append(updates, annotator.ImageUpdate{ID: i.ID, NewImage: annotator.NewImage{Name: i.Name, Split: i.Split, Class: class, Hash: i.Hash, Width: i.Width, Height: i.Height}})
	}
	if err := w.Store.RetireImages(ctx, w.Project.ID, ids, annotator.RetiredGone, w.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	p, err := w.Service.Project(ctx, w.Admin, "birds")
	if err != nil || p.Images != 0 || p.OpenTasks != 0 || p.InReview != 0 || p.ActiveVersion.Scanned != 0 {
		t.Errorf("with all images gone: %+v, %v", p, err)
	}
	if n, err := w.Store.CountApproved(ctx, w.Project.ID); err != nil || n != 0 {
		t.Errorf("a round would learn from %d edits, %v", n, err)
	}
	if _, err := w.Service.NextReview(ctx, w.Reviewer, "birds", 0); !errors.Is(err, annotator.ErrNoTask) {
		t.Errorf("the next review: %v", err)
	}
	if err := w.Service.Reopen(ctx, w.Reviewer, leased.ID); !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "gone from its source") {
		t.Errorf("reopening: %v", err)
	}
	if job, err := w.Store.EnqueueScan(ctx, w.Version.ID); err != nil || job.State != annotator.JobFinished || job.Total != 0 {
		t.Errorf("a scan of nothing: %+v, %v", job, err)
	}
	if d, err := w.Service.Task(ctx, w.Ada, submitted.ID); err != nil || d.Edit == nil || !d.Edit.Map.Equal(pgtest.Map(0.5)) {
		t.Errorf("the edit is kept: %+v, %v", d.Edit, err)
	}

	if err := w.Store.UpdateImages(ctx, w.Project.ID, updates, w.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.CreateTasks(ctx, w.Version.ID); err != nil { // as the end of the import's scan does
		t.Fatal(err)
	}
	after, err := w.Service.Project(ctx, w.Admin, "birds")
	if err != nil || after.Images != before.Images || after.OpenTasks != before.OpenTasks || after.InReview != 1 || after.ActiveVersion.Scanned != before.ActiveVersion.Scanned {
		t.Errorf("with all of them back: %+v, %v; before %+v", after, err, before)
	}
	if n, err := w.Store.CountApproved(ctx, w.Project.ID); err != nil || n != 1 {
		t.Errorf("a round would learn from %d edits, %v", n, err)
	}
	if _, err := w.Service.Review(ctx, w.Reviewer, edit.ID, annotator.VerdictApprove, ""); err != nil {
		t.Errorf("the review goes on: %v", err)
	}
}

// After a class is corrected, it is computed again which predictions are right and which images become tasks. An image that moves to
// test has no task.
func TestCorrectedLabels(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	if err != nil || len(page.Tasks) < 2 {
		t.Fatalf("%d tasks, %v", len(page.Tasks), err)
	}
	update := func(i annotator.Image, class string, split annotator.Split) {
		t.Helper()
		u := annotator.ImageUpdate{ID: i.ID, NewImage: annotator.NewImage{Name: i.Name, Split: split, Class: class, Hash: i.Hash, Width: i.Width, Height: i.Height}}
		if err := w.Store.UpdateImages(ctx, w.Project.ID, []annotator.ImageUpdate{u}, w.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Store.CreateTasks(ctx, w.Version.ID); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		t.Helper()
		p, err := w.Service.Project(ctx, w.Ada, "birds")
		if err != nil {
			t.Fatal(err)
		}
		return p.OpenTasks
	}
	first, second, n := page.Tasks[0], page.Tasks[1], count()
	answer := w.Project.Classes[first.Prediction.Class].Key
	update(first.Image, answer, first.Image.Split)
	if _, p, err := w.Service.Image(ctx, w.Ada, first.Image.ID, nil); err != nil || !p.Correct || count() != n-1 {
		t.Errorf("the answer is right now: %+v, %v, %d tasks of %d", p, err, count(), n)
	}
	update(first.Image, w.Project.Classes[*first.Image.Label].Key, first.Image.Split)
	if _, p, err := w.Service.Image(ctx, w.Ada, first.Image.ID, nil); err != nil || p.Correct || count() != n {
		t.Errorf("and wrong again: %+v, %v, %d tasks of %d", p, err, count(), n)
	}
	if _, err := w.Service.ClaimTask(ctx, w.Ada, second.ID); err != nil {
		t.Fatal(err)
	}
	update(second.Image, w.Project.Classes[*second.Image.Label].Key, annotator.SplitTest)
	if d, err := w.Service.Task(ctx, w.Ada, second.ID); err != nil || d.State != annotator.TaskSkipped || count() != n-1 {
		t.Errorf("in the test split: %+v, %v", d.Task, err)
	}
	update(second.Image, w.Project.Classes[*second.Image.Label].Key, annotator.SplitTrain)
	if d, err := w.Service.Task(ctx, w.Ada, second.ID); err != nil || d.State != annotator.TaskOpen {
		t.Errorf("back in train: %+v, %v", d.Task, err)
	}
}
