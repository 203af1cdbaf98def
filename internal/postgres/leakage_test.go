package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fingerprint"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// looksLike gives images fingerprints.
func looksLike(t *testing.T, w *pgtest.World, prints map[int]fingerprint.Fingerprint) {
	t.Helper()
	for i, f := range prints {
		if err := w.Store.SetFingerprints(t.Context(), []int64{w.Images[i].ID}, []fingerprint.Fingerprint{f}); err != nil {
			t.Fatal(err)
		}
	}
}

// What is like a training image is left out of what rounds measure, until it is taken in again; the trail and the counts say so.
func TestLeakageIsLeftOutOfMeasures(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	// Images 0 to 5 are train, 6 and 7 pool, 8 to 11 test; the classes are the number within the split modulo 3. The highest bit is
	// the sign of what the database keeps.
	looksLike(t, w, map[int]fingerprint.Fingerprint{0: 1<<63 | 0xff, 1: 0x1234_5678, 8: 1<<63 | 0xf0, 9: 0x1234_5678, 10: 0x0f0f << 40, 11: 0})
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE images SET hash = (SELECT hash FROM images WHERE id = $1) WHERE id = $2`, w.Images[6].ID, w.Images[11].ID); err != nil {
		t.Fatal(err)
	}
	found := func(within int) annotator.Leakage {
		t.Helper()
		l, err := w.Service.Leakage(ctx, w.Ada, "birds", within, 10)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := found(8)
	if l.Exact != 1 || l.Near != 2 || l.HeldOut != 4 || l.Training != 8 || l.Pending != 6 || l.Measured != 3 || l.LeftOut != 0 || l.LabelsDiffer != 0 || len(l.Leaks) != 3 {
		t.Errorf("found: %+v", l)
	}
	for i, want := range []struct{ heldOut, training, distance int }{{11, 6, 0}, {9, 1, 0}, {8, 0, 4}} {
		if got := l.Leaks[i]; got.HeldOut.ID != w.Images[want.heldOut].ID || got.Training.ID != w.Images[want.training].ID || got.Distance != want.distance || got.Exact != (i == 0) {
			t.Errorf("leak %d: %+v", i, got)
		}
	}
	if l := found(3); l.Near != 1 {
		t.Errorf("within 3 bits: %+v", l)
	}
	var invalid *annotator.ValidationError
	if _, err := w.Service.Leakage(ctx, w.Ada, "birds", 13, 1); !errors.As(err, &invalid) || invalid.Field != "within" {
		t.Errorf("within 13 bits: %v", err)
	}
	if _, err := w.Service.LeaveOut(ctx, w.Admin, "birds", 8, []int64{}); !errors.As(err, &invalid) || invalid.Field != "images" {
		t.Errorf("leaving out none: %v", err)
	}
	if _, err := w.Service.TakeIn(ctx, w.Admin, "birds", []int64{}); !errors.As(err, &invalid) || invalid.Field != "images" {
		t.Errorf("taking in none: %v", err)
	}
	if _, err := w.Service.LeaveOut(ctx, w.Reviewer, "birds", 8, nil); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a reviewer: %v", err)
	}
	if _, err := w.Service.LeaveOut(ctx, w.Admin, "birds", 8, []int64{w.Images[10].ID}); !errors.As(err, &invalid) || invalid.Field != "images" {
		t.Errorf("an image that is like none: %v", err)
	}

	w.Approve(t, 0.5)
	n, err := w.Service.LeaveOut(ctx, w.Admin, "birds", 8, nil)
	if err != nil || n != 3 {
		t.Fatalf("left out: %d, %v", n, err)
	}
	if n, err := w.Service.LeaveOut(ctx, w.Admin, "birds", 8, nil); err != nil || n != 0 {
		t.Errorf("once more: %d, %v", n, err)
	}
	if l := found(8); l.Measured != 0 || l.LeftOut != 3 || l.Leaks[0].HeldOut.Measured() {
		t.Errorf("after leaving out: %+v", l)
	}
	if d, err := w.Store.RoundData(ctx, w.Project.ID); err != nil || d.Heldout != 1 || d.LeftOut != 3 {
		t.Errorf("a round would have %+v, %v", d, err)
	}
	round := startRound(t, w)
	for what, err := range map[string]error{
		"leaving out":  func() error { _, err := w.Service.LeaveOut(ctx, w.Admin, "birds", 8, nil); return err }(),
		"taking in":    func() error { _, err := w.Service.TakeIn(ctx, w.Admin, "birds", nil); return err }(),
		"taking in 11": func() error { _, err := w.Service.TakeIn(ctx, w.Admin, "birds", []int64{w.Images[11].ID}); return err }(),
	} {
		if !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "wait or cancel it") {
			t.Errorf("%s while a round runs: %v", what, err)
		}
	}
	in, err := w.Store.RoundInputs(ctx, round.ID)
	if err != nil || len(in.Eval) != 1 || in.Eval[0].ID != w.Images[10].ID || in.LeftOut != 3 || in.EvalSplit != annotator.SplitTest {
		t.Errorf("the round is measured on %d images without %d, %v", len(in.Eval), in.LeftOut, err)
	}
	if _, err := w.Service.CancelRound(ctx, w.Admin, round.ID); err != nil {
		t.Fatal(err)
	}

	if n, err := w.Service.TakeIn(ctx, w.Admin, "birds", []int64{w.Images[8].ID}); err != nil || n != 1 {
		t.Errorf("one is taken in: %d, %v", n, err)
	}
	if n, err := w.Service.TakeIn(ctx, w.Admin, "birds", nil); err != nil || n != 2 {
		t.Errorf("the others are: %d, %v", n, err)
	}
	if d, err := w.Store.RoundData(ctx, w.Project.ID); err != nil || d.Heldout != 4 || d.LeftOut != 0 {
		t.Errorf("a round would have %+v, %v", d, err)
	}
	entries, err := w.Service.Audit(ctx, w.Ada, "birds", 0)
	if err != nil {
		t.Fatal(err)
	}
	var trail []string
	for _, e := range entries {
		if strings.HasPrefix(e.Action, "image.ex") || strings.HasPrefix(e.Action, "image.in") {
			trail = append(trail, e.Actor+" "+e.Action+" "+e.Detail)
		}
	}
	want := "Grace image.include 2 images|Grace image.include 1 images|Grace image.exclude 3 held-out images that are like a training image within 8 bits"
	if got := strings.Join(trail, "|"); got != want {
		t.Errorf("the trail: %s", got)
	}
}

// Nothing is left out where nothing would be left to measure on; retired images count for nothing, and one that comes back is as it was.
func TestLeakageLeavesSomethingToMeasureOn(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	looksLike(t, w, map[int]fingerprint.Fingerprint{0: 0xabc, 8: 0xabc, 9: 0xabc, 10: 0xabc, 11: 0xabc})
	if _, err := w.Service.LeaveOut(ctx, w.Admin, "birds", 8, nil); !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "none would be left") {
		t.Errorf("all of them: %v", err)
	}
	one := []int64{w.Images[8].ID}
	if n, err := w.Service.LeaveOut(ctx, w.Admin, "birds", 8, one); err != nil || n != 1 {
		t.Fatalf("one of them: %d, %v", n, err)
	}
	if err := w.Store.RetireImages(ctx, w.Project.ID, []int64{w.Images[0].ID, w.Images[8].ID}, annotator.RetiredGone, w.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if l, err := w.Service.Leakage(ctx, w.Ada, "birds", 8, 10); err != nil || l.Near != 0 || l.LeftOut != 0 || l.HeldOut != 3 {
		t.Errorf("without the training image: %+v, %v", l, err)
	}
	back := annotator.ImageUpdate{ID: w.Images[8].ID, NewImage: annotator.NewImage{Name: w.Images[8].Name, Split: annotator.SplitTest, Class: "class-0", Hash: w.Images[8].Hash, Width: 64, Height: 48}}
	if err := w.Store.UpdateImages(ctx, w.Project.ID, []annotator.ImageUpdate{back}, w.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if i, err := w.Store.Image(ctx, w.Images[8].ID); err != nil || i.Measured() || i.Retired != "" {
		t.Errorf("back again: %+v, %v", i, err)
	}
	if waiting, err := w.Store.ImagesToFingerprint(ctx, w.Project.ID, 0, 100); err != nil || len(waiting) != 7 {
		t.Errorf("%d wait for a fingerprint, %v; want 5 of train and 2 of pool", len(waiting), err)
	}
}
