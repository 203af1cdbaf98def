package annotator_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

// names lists what a filter finds.
func (w *world) names(f annotator.ImageFilter) []string {
	w.t.Helper()
	page, err := w.Service.Images(w.t.Context(), w.Ada, "birds", f)
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, i := range page.Images {
		names = append(names, i.Name)
	}
	if page.Total < len(names) {
		w.t.Errorf("%d in all, and %d on one page", page.Total, len(names))
	}
	return names
}

func TestImagesAreListed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	two := 2
	for _, c := range []struct {
		f    annotator.ImageFilter
		want string
	}{
		{annotator.ImageFilter{}, "train/0.png train/1.png train/2.png train/3.png train/4.png train/5.png pool/0.png pool/1.png test/0.png test/1.png test/2.png test/3.png"},
		{annotator.ImageFilter{Split: annotator.SplitPool}, "pool/0.png pool/1.png"},
		{annotator.ImageFilter{Label: &two}, "train/2.png train/5.png test/2.png"},
		{annotator.ImageFilter{Prefix: "te"}, "test/0.png test/1.png test/2.png test/3.png"},
		{annotator.ImageFilter{Prefix: "%"}, ""},
		{annotator.ImageFilter{State: annotator.ImageDeleted}, ""},
		{annotator.ImageFilter{Unlabelled: true}, ""},
		{annotator.ImageFilter{LeftOut: true}, ""},
	} {
		if got := strings.Join(w.names(c.f), " "); got != c.want {
			t.Errorf("%+v finds %q, want %q", c.f, got, c.want)
		}
	}
	var paged []string
	for f := (annotator.ImageFilter{Limit: 5}); ; {
		page, err := w.Service.Images(ctx, w.Ada, "birds", f)
		if err != nil || page.Total != 12 {
			t.Fatalf("%d in all, %v", page.Total, err)
		}
		for _, i := range page.Images {
			paged = append(paged, i.Name)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	if whole := w.names(annotator.ImageFilter{}); !slices.Equal(paged, whole) {
		t.Errorf("by pages %v", paged)
	}
	nine := 9
	for field, f := range map[string]annotator.ImageFilter{
		"state": {State: "lost"}, "split": {Split: "dev"}, "label": {Label: &nine}, "limit": {Limit: annotator.MaxPage + 1}, "cursor": {Cursor: "x"},
		"prefix": {Prefix: strings.Repeat("x", annotator.BoundSearch.Most+1)}, "unlabelled": {Label: &two, Unlabelled: true},
	} {
		var invalid *annotator.ValidationError
		if _, err := w.Service.Images(ctx, w.Ada, "birds", f); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("a bad %s: %v", field, err)
		}
	}
}

// A deleted image leaves the queue with a reason and comes back as it was; what a person made of it stays all the while.
func TestImagesAreDeletedAndRestored(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	painted := w.submitted(w.Ada) // of one image; the others are untouched
	untouched := w.next(w.Bob)
	must := func(n int, err error) {
		t.Helper()
		if err != nil || n != 2 {
			t.Fatalf("%d images changed, %v; want 2", n, err)
		}
	}
	tasks := func() int {
		page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds", States: []annotator.TaskState{annotator.TaskOpen, annotator.TaskLeased, annotator.TaskSubmitted}})
		if err != nil {
			t.Fatal(err)
		}
		return page.Total
	}
	before := tasks()
	if err := w.Service.GiveBack(ctx, w.Bob, untouched.ID); err != nil {
		t.Fatal(err)
	}
	ids := []int64{painted.ImageID, untouched.ImageID}
	must(w.Service.DeleteImages(ctx, w.Admin, "birds", ids))
	if n, err := w.Service.DeleteImages(ctx, w.Admin, "birds", ids); err != nil || n != 0 {
		t.Errorf("deleted again: %d, %v", n, err)
	}
	if n := tasks(); n != before-2 {
		t.Errorf("%d tasks after two images were deleted, %d before", n, before)
	}
	if got := w.names(annotator.ImageFilter{State: annotator.ImageDeleted}); len(got) != 2 {
		t.Errorf("the deleted ones are %v", got)
	}
	detail, err := w.Service.ImageDetail(ctx, w.Ada, painted.ImageID)
	if err != nil || len(detail.Tasks) != 1 || detail.Tasks[0].State != annotator.TaskSkipped || detail.Tasks[0].SkipReason != string(annotator.WithdrawnDeleted) ||
		len(detail.Predictions) != 1 || detail.Predictions[0].Version != 1 || len(detail.History) != 1 || detail.History[0].Action != "image.delete" {
		t.Errorf("the deleted image: %+v, %v", detail, err)
	}
	if err := w.Service.Reopen(ctx, w.Reviewer, painted.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("its task is reopened: %v", err)
	}
	must(w.Service.RestoreImages(ctx, w.Admin, "birds", ids))
	if n := tasks(); n != before {
		t.Errorf("%d tasks after both came back, %d before", n, before)
	}
	if again, err := w.Service.Task(ctx, w.Reviewer, painted.ID); err != nil || again.State != annotator.TaskSubmitted || again.Edit == nil || again.Edit.ID != painted.Edit.ID {
		t.Errorf("the painted task came back as %+v, %v", again.Task, err)
	}
	v, err := w.Store.Version(ctx, w.Version.ID)
	if err != nil || v.Scanned != len(w.Images) {
		t.Errorf("%d images scanned, %v", v.Scanned, err)
	}
	if _, err := w.Service.DeleteImages(ctx, w.Reviewer, "birds", ids); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a reviewer deletes: %v", err)
	}
	_, _, others := w.AnotherProject(t, "fish")
	if _, err := w.Service.DeleteImages(ctx, w.Admin, "birds", []int64{ids[0], others[0].ID}); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("another project's image: %v", err)
	}
	if got := w.names(annotator.ImageFilter{State: annotator.ImageDeleted}); len(got) != 0 {
		t.Errorf("a refused deletion deleted %v", got)
	}
}

// Where another image has the name meanwhile, a deleted one does not come back over it. An import does not bring it back either.
func TestADeletedImageAndImports(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	image := w.Images[0]
	if _, err := w.Service.DeleteImages(ctx, w.Admin, "birds", []int64{image.ID}); err != nil {
		t.Fatal(err)
	}
	bring := func(hash string) annotator.ImportReport {
		t.Helper()
		in := annotator.ImageImport{From: "again", Images: 1, Read: readOnce(annotator.NewImage{Name: image.Name, Split: image.Split, Class: "class-0", Hash: hash, Width: 64, Height: 48})}
		out, err := w.Service.ImportImages(ctx, w.Admin, "birds", in, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out.ImportReport
	}
	if r := bring(image.Hash); r.Known != 1 || r.Added+r.Returned != 0 || r.Changes[annotator.DiffersDeleted] != 1 {
		t.Errorf("the same file again: %+v", r)
	}
	if r := bring(pgtest.Hash(7777)); r.Added != 1 {
		t.Errorf("another file of the name: %+v", r)
	}
	if _, err := w.Service.RestoreImages(ctx, w.Admin, "birds", []int64{image.ID}); !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "delete that one first") {
		t.Errorf("restored over another: %v", err)
	}
}

// Images of a round that runs stay what they are.
func TestImagesStayWhileARoundRuns(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Ada)
	if _, err := w.Service.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictApprove, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), ""); err != nil {
		t.Fatal(err)
	}
	pool := annotator.SplitPool
	_, change := w.Service.ChangeImage(ctx, w.Admin, w.Images[0].ID, annotator.ImageChange{Split: &pool})
	_, deleted := w.Service.DeleteImages(ctx, w.Admin, "birds", []int64{w.Images[0].ID})
	for what, err := range map[string]error{"changed": change, "deleted": deleted} {
		if !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "round 1 runs") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A split takes an image's task along, and brings it back.
func TestASplitIsChanged(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Ada)
	test, train, group := annotator.SplitTest, annotator.SplitTrain, "  at sea "
	image, err := w.Service.ChangeImage(ctx, w.Admin, d.ImageID, annotator.ImageChange{Split: &test, Group: &group})
	if err != nil || image.Split != test || image.Group != "at sea" || image.Label == nil {
		t.Fatalf("%+v, %v", image, err)
	}
	if got, err := w.Service.Task(ctx, w.Reviewer, d.ID); err != nil || got.State != annotator.TaskSkipped || got.SkipReason != string(annotator.WithdrawnSplit) {
		t.Errorf("its task: %+v, %v", got.Task, err)
	}
	if _, err := w.Service.ChangeImage(ctx, w.Admin, d.ImageID, annotator.ImageChange{Split: &train}); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Service.Task(ctx, w.Reviewer, d.ID); err != nil || got.State != annotator.TaskSubmitted {
		t.Errorf("its task, back: %+v, %v", got.Task, err)
	}
	bad := annotator.Split("dev")
	var invalid *annotator.ValidationError
	if _, err := w.Service.ChangeImage(ctx, w.Admin, d.ImageID, annotator.ImageChange{Split: &bad}); !errors.As(err, &invalid) {
		t.Errorf("a split that is none: %v", err)
	}
}

// A purge removes the bytes, but not those that another image has too, and the fact stays.
func TestImagesArePurged(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	blobs, err := blob.Open(ctx, t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	service := annotator.NewService(annotator.ServiceConfig{Store: w.Store, Blobs: blobs, Clock: w.Clock.Now})
	put := func(content string) string {
		t.Helper()
		hash, _, err := blobs.Put(ctx, bytes.NewReader([]byte(content)))
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	own, shared, mask := put("own"), put("shared"), put("mask")
	if _, err := w.Store.AddImages(ctx, w.Project.ID, []annotator.NewImage{
		{Name: "p/0.png", Split: annotator.SplitTrain, Hash: own, MaskHash: mask, Width: 8, Height: 8},
		{Name: "p/1.png", Split: annotator.SplitTrain, Hash: shared, Width: 8, Height: 8},
		{Name: "p/2.png", Split: annotator.SplitTrain, Hash: shared, Width: 8, Height: 8},
	}); err != nil {
		t.Fatal(err)
	}
	page, err := service.Images(ctx, w.Admin, "birds", annotator.ImageFilter{Prefix: "p/"})
	if err != nil || len(page.Images) != 3 {
		t.Fatalf("%+v, %v", page, err)
	}
	ids := []int64{page.Images[0].ID, page.Images[1].ID}
	if _, err := service.PurgeImages(ctx, w.Admin, "birds", ids); !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "delete it first") {
		t.Errorf("images in use are purged: %v", err)
	}
	if _, err := service.DeleteImages(ctx, w.Admin, "birds", ids); err != nil {
		t.Fatal(err)
	}
	if n, err := service.PurgeImages(ctx, w.Admin, "birds", ids); err != nil || n != 2 {
		t.Fatalf("%d purged, %v", n, err)
	}
	for hash, want := range map[string]bool{own: false, mask: false, shared: true} {
		if there, err := blobs.Exists(ctx, hash); err != nil || there != want {
			t.Errorf("the file %.6s is there: %v, %v; want %v", hash, there, err, want)
		}
	}
	if _, err := service.RestoreImages(ctx, w.Admin, "birds", ids[:1]); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("a purged image is restored: %v", err)
	}
	detail, err := service.ImageDetail(ctx, w.Ada, ids[0])
	if err != nil || !detail.Image.Purged || len(detail.History) != 2 {
		t.Errorf("the fact: %+v, %v", detail, err)
	}
	if _, _, err := service.Picture(ctx, w.Ada, ids[0], annotator.PictureOriginal); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("its picture: %v", err)
	}
	uses, err := w.Store.BlobUses(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uses {
		if u.Hash == own || u.Hash == mask {
			t.Errorf("studio verify would look for %s", u.Use)
		}
	}
}
