package annotator_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// What an import has written is scanned while it reads the rest: once in the trail, in one scan as long as that runs.
func TestAnImportIsScannedWhileItReads(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	image := func(n int) annotator.NewImage {
		return annotator.NewImage{Name: fmt.Sprintf("more/%d.png", n), Split: annotator.SplitTrain, Class: "class-1", Hash: pgtest.Hash(4000 + n), Width: 8, Height: 8}
	}
	scan := func() annotator.Job {
		t.Helper()
		all, err := w.Service.Jobs(ctx, w.Admin, "birds")
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(j annotator.Job) bool {
			return j.Kind == annotator.JobScan && j.State == annotator.JobQueued
		})
		if i < 0 {
			return annotator.Job{}
		}
		return all[i]
	}
	in := annotator.ImageImport{From: "the sea", Source: "sea", Images: 5, Read: func(_ context.Context, _ bool, _ func(int), next func([]annotator.NewImage) error) error {
		for part, want := range []int{2, 4} {
			if err := next([]annotator.NewImage{image(2 * part), image(2*part + 1)}); err != nil {
				return err
			}
			if got := scan(); got.Total != want {
				t.Errorf("after part %d the scan has %d images, want %d", part, got.Total, want)
			}
		}
		return next([]annotator.NewImage{image(4)})
	}}
	if _, err := w.Service.ImportImages(ctx, w.Admin, "birds", in, nil); err != nil {
		t.Fatal(err)
	}
	if got := scan(); got.Total != 5 {
		t.Errorf("at the end the scan has %d images", got.Total)
	}
	trail, err := w.Service.Audit(ctx, w.Admin, "birds", 0)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range slices.Backward(trail) {
		if e.Action == "version.scan" || e.Action == "image.import" {
			lines = append(lines, e.Action)
		}
	}
	if want := []string{"image.import", "version.scan", "image.import", "image.import"}; !slices.Equal(lines, want) {
		t.Errorf("the trail has %v, want %v", lines, want)
	}
}

func TestImportPartsGrow(t *testing.T) {
	t.Parallel()
	var sizes []int
	at := 0
	for from, to := range annotator.ImportParts(20_000) {
		if from != at {
			t.Errorf("a part begins at %d, the one before ended at %d", from, at)
		}
		at, sizes = to, append(sizes, to-from)
	}
	if want := []int{250, 500, 1000, 2000, 4000, 5000, 5000, 2250}; at != 20_000 || !slices.Equal(sizes, want) {
		t.Errorf("parts of %v, want %v", sizes, want)
	}
	for range annotator.ImportParts(0) {
		t.Error("a part of nothing")
	}
}

// readOnce is the Read of an import of some images.
func readOnce(images ...annotator.NewImage) func(context.Context, bool, func(int), func([]annotator.NewImage) error) error {
	return func(_ context.Context, _ bool, _ func(int), next func([]annotator.NewImage) error) error {
		return next(slices.Clone(images))
	}
}
