package postgres_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// What an update or a prune would do to people's maps is said before it is done, and with it. Maps of images that stay are not counted.
func TestAnImportSaysWhosePaintingItConcerns(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	first := w.Approve(t, 0.75)
	of, err := w.Service.Task(ctx, w.Ada, first.TaskID)
	if err != nil {
		t.Fatal(err)
	}
	painted := map[int64]bool{of.Image.ID: true}
	for range 3 {
		task, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
		if err != nil {
			t.Fatal(err)
		}
		edit, err := w.Service.SaveDraft(ctx, w.Ada, task.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.5)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Service.Submit(ctx, w.Ada, task.ID, edit.Revision); err != nil {
			t.Fatal(err)
		}
		painted[task.Image.ID] = false
	}
	// Of the four painted images the approved one has another picture, one has another class and split, one is gone, one is the same.
	// So it is with images that nobody has painted.
	in := annotator.ImageImport{From: "folder", Update: true, Prune: true, Classes: w.Project.Classes}
	var images []annotator.NewImage
	want := map[string]annotator.MapsOf{}
	turns := map[bool]int{}
	for _, image := range w.Images {
		is := annotator.NewImage{Name: image.Name, Split: image.Split, Class: w.Project.Classes[*image.Label].Key, Hash: image.Hash, Width: image.Width, Height: image.Height}
		approved, work := painted[image.ID]
		says := map[bool]annotator.MapsOf{true: annotator.MapsPainted}[work]
		turn := turns[work]
		if work && !approved {
			turn++ // the first place is the approved one's
		}
		switch {
		case approved || !work && turn == 0:
			is.Hash = pgtest.Hash(100 + int(image.ID))
			if approved {
				says = annotator.MapsApproved
			}
			want["bytes "+image.Name] = says
		case turn == 1:
			is.Class, is.Split = w.Project.Classes[(*image.Label+1)%3].Key, annotator.SplitValidation
			want["label "+image.Name], want["split "+image.Name] = says, says
		case turn == 2:
			want["gone "+image.Name] = says
		}
		if !approved {
			turns[work]++
		}
		if turn != 2 || approved {
			images = append(images, is)
		}
	}
	in.Images = len(images)
	in.Read = func(_ context.Context, _ bool, _ func(int), next func([]annotator.NewImage) error) error {
		return next(images)
	}
	counts := map[annotator.Difference]annotator.Painted{"bytes": {Images: 1, Approved: 1}, "label": {Images: 1}, "split": {Images: 1}, "gone": {Images: 1}}
	check := func(what string, r annotator.ImportReport, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got := map[string]annotator.MapsOf{}
		for _, d := range r.Differences {
			got[string(d.Kind)+" "+d.Name] = d.Maps
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if diff := cmp.Diff(counts, r.Painted); diff != "" {
			t.Errorf("%s counts (-want +got):\n%s", what, diff)
		}
	}
	preview, err := w.Service.PreviewImport(ctx, w.Admin, "birds", in, nil)
	check("a look ahead", preview, err)
	out, err := w.Service.ImportImages(ctx, w.Admin, "birds", in, nil)
	check("the import", out.ImportReport, err)
}
