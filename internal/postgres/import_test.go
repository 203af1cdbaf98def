package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

func TestImagesBeforeTheModel(t *testing.T) {
	t.Parallel()
	store := pgtest.Store(t)
	ctx := t.Context()
	p, err := store.InsertProject(ctx, annotator.Project{Slug: "p", Name: "P"})
	if err != nil {
		t.Fatal(err)
	}
	images := []annotator.NewImage{
		{Name: "a.png", Split: annotator.SplitTrain, Class: "black_bird", Hash: pgtest.Hash(1), Width: 8, Height: 8, Group: "water", MaskHash: pgtest.Hash(9)},
		{Name: "b.png", Split: annotator.SplitTest, Class: "albatross", Hash: pgtest.Hash(2), Width: 8, Height: 8},
		{Name: "c.png", Split: annotator.SplitPool, Hash: pgtest.Hash(3), Broken: "truncated"},
	}
	if n, err := store.AddImages(ctx, p.ID, images); err != nil || n != 3 {
		t.Fatalf("AddImages = %d, %v", n, err)
	}
	if n, err := store.AddImages(ctx, p.ID, images); err != nil || n != 0 {
		t.Errorf("AddImages again = %d, %v; want 0", n, err)
	}
	// The model's order is another one, it spells a class in its own way, and knows one more.
	v := pgtest.NewVersion(0)
	v.Classes = []annotator.Class{{Key: "Black Bird"}, {Key: "crow"}, {Key: "albatross", Name: "Albatross"}}
	if _, err := store.AddVersion(ctx, p.ID, v); err != nil {
		t.Fatal(err)
	}
	all, err := store.Images(ctx, p.ID)
	if err != nil || len(all) != 3 {
		t.Fatalf("Images = %d, %v", len(all), err)
	}
	if *all[0].Label != 0 || *all[1].Label != 2 || all[2].Label != nil || all[0].Group != "water" || all[0].MaskHash != pgtest.Hash(9) {
		t.Errorf("images %+v", all)
	}
	var invalid *annotator.ValidationError
	if _, err := store.AddImages(ctx, p.ID, []annotator.NewImage{{Name: "d.png", Split: annotator.SplitTrain, Class: "penguin", Hash: pgtest.Hash(4), Width: 1, Height: 1}}); !errors.As(err, &invalid) || invalid.Field != "class" {
		t.Errorf("a class the model does not know: %v", err)
	}
	v.Classes = v.Classes[:2]
	if _, err := store.AddVersion(ctx, p.ID, v); !errors.As(err, &invalid) || invalid.Field != "classes" {
		t.Errorf("a second model of other classes: %v", err)
	}
	blobs, err := store.ReferencedBlobs(ctx)
	if err != nil || len(blobs) != 5 { // three pictures, a mask, a model
		t.Errorf("ReferencedBlobs = %d, %v; want 5", len(blobs), err)
	}
}

func TestAModelThatDoesNotKnowTheImagesClasses(t *testing.T) {
	t.Parallel()
	store := pgtest.Store(t)
	ctx := t.Context()
	p, err := store.InsertProject(ctx, annotator.Project{Slug: "p", Name: "P"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.AddImages(ctx, p.ID, []annotator.NewImage{{Name: "a.png", Split: annotator.SplitTrain, Class: "whale", Hash: pgtest.Hash(1), Width: 8, Height: 8}}); err != nil {
		t.Fatal(err)
	}
	var invalid *annotator.ValidationError
	if _, err := store.AddVersion(ctx, p.ID, pgtest.NewVersion(0)); !errors.As(err, &invalid) || invalid.Field != "classes" {
		t.Errorf("AddVersion = %v, want a *ValidationError of its classes", err)
	}
	if versions, err := store.Versions(ctx, p.ID); err != nil || len(versions) != 0 {
		t.Errorf("%d versions were left, %v", len(versions), err)
	}
}

func TestJobLifecycle(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	j, err := w.Store.BeginImport(ctx, w.Project.ID, 10)
	if err != nil || j.State != "running" {
		t.Fatalf("BeginImport = %+v, %v", j, err)
	}
	if p, err := w.Service.Project(ctx, w.Ada, "birds"); err != nil || p.RunningJob == nil || p.RunningJob.ID != j.ID {
		t.Errorf("the project's running job: %+v, %v", p.RunningJob, err)
	}
	if err := w.Store.FailJob(ctx, j.ID, "no such folder"); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.FinishJob(ctx, j.ID, ""); err != nil {
		t.Fatal(err)
	}
	if j, err = w.Store.Job(ctx, j.ID); err != nil || j.State != "failed" || j.Message != "no such folder" || j.Total != 10 {
		t.Errorf("the job: %+v, %v; want it to stay failed", j, err)
	}
}

// The job of an import whose process was killed ends. While another import runs, no file is swept.
func TestImportOfADeadProcessIsGivenUp(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	dead, err := w.Store.BeginImport(ctx, w.Project.ID, 10)
	if err != nil {
		t.Fatal(err)
	}
	if importing, err := w.Store.Importing(ctx); err != nil || !importing {
		t.Errorf("an import is under way: %v, %v", importing, err)
	}
	// Who looks sees it soon, and nobody has to have ended it.
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE jobs SET reported_at = now() - interval '20 seconds' WHERE id = $1`, dead.ID); err != nil {
		t.Fatal(err)
	}
	jobs, err := w.Service.Jobs(ctx, w.Ada, "birds")
	if err != nil || len(jobs) == 0 || jobs[0].State != "failed" || !strings.Contains(jobs[0].Message, "start it again") {
		t.Errorf("the jobs, 20 seconds after the process was killed: %+v, %v", jobs, err)
	}
	if p, err := w.Service.Project(ctx, w.Ada, "birds"); err != nil || p.RunningJob != nil {
		t.Errorf("the project's running job: %+v, %v", p.RunningJob, err)
	}
	if importing, err := w.Store.Importing(ctx); err != nil || !importing {
		t.Errorf("its files may be swept already: %v, %v", importing, err)
	}
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE jobs SET reported_at = now() - interval '1 hour' WHERE id = $1`, dead.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.RescueParts(ctx, "nobody", nil); err != nil {
		t.Fatal(err)
	}
	if dead, err = w.Store.Job(ctx, dead.ID); err != nil || dead.State != "failed" || !strings.Contains(dead.Message, "start it again") {
		t.Errorf("the job of the dead process: %+v, %v", dead, err)
	}
	if importing, err := w.Store.Importing(ctx); err != nil || importing {
		t.Errorf("no import is under way: %v, %v", importing, err)
	}
	if err := w.Store.FinishImport(ctx, dead.ID, annotator.ImportReport{Broken: 2}, "2 of 10"); err != nil { // it was only cut off from the database
		t.Fatal(err)
	}
	if dead, err = w.Store.Job(ctx, dead.ID); err != nil || dead.State != "finished" || dead.Done != 10 || dead.Unreadable != 2 || dead.Fraction != 1 {
		t.Errorf("the job, after all: %+v, %v", dead, err)
	}
}

// Many images that are gone are taken out part by part. What a killed import has taken out stays so, and the same import goes on.
func TestPruneGoesOn(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	gone := make([]annotator.NewImage, 2*annotator.ImportChunk+1)
	for i := range gone {
		gone[i] = annotator.NewImage{Source: "many", Name: fmt.Sprintf("%05d.png", i), Split: annotator.SplitTrain, Hash: pgtest.Hash(1), Width: 8, Height: 8}
	}
	if n, err := w.Store.AddImages(t.Context(), w.Project.ID, gone); err != nil || n != len(gone) {
		t.Fatalf("AddImages = %d, %v", n, err)
	}
	inUse := func() (n int) {
		t.Helper()
		if err := w.Store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM images WHERE source = 'many' AND retired_at IS NULL`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	ctx, kill := context.WithCancel(t.Context())
	in := annotator.ImageImport{
		From: "folder", Source: "many", Images: 1, Prune: true,
		Read: func(_ context.Context, _ bool, _ func(int), next func([]annotator.NewImage) error) error {
			return next(gone[len(gone)-1:])
		},
		Differs: func(annotator.ImageDifference) { kill() },
	}
	if _, err := w.Service.ImportImages(ctx, annotator.System, "birds", in, nil); err == nil || !strings.Contains(err.Error(), "goes on from there") {
		t.Errorf("the import that was cut off: %v", err)
	}
	if n := inUse(); n != annotator.ImportChunk+1 {
		t.Errorf("%d images are in use after one part, want %d", n, annotator.ImportChunk+1)
	}
	in.Differs = nil
	out, err := w.Service.ImportImages(t.Context(), annotator.System, "birds", in, nil)
	if err != nil || out.Retired != annotator.ImportChunk || out.Gone != out.Retired || inUse() != 1 {
		t.Errorf("the same again: %+v, %v, %d in use", out.ImportReport, err, inUse())
	}
}
