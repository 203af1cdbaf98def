package jobs

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/draw"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fingerprint"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// waves is a picture that has something to go by, another for each n.
func waves(n, width, height int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(width), float64(y)/float64(height)
			w := 0.0
			for k := 1; k <= 6; k++ {
				w += math.Sin(float64(k*(n+2))*u*1.3+float64(n*k)) * math.Cos(float64(k*k+n)*v*1.1+float64(3*n)) * 30
			}
			m.SetRGBA(x, y, color.RGBA{uint8(min(255, max(0, 128+w))), uint8(min(255, max(0, 120+w/2))), uint8(min(255, max(0, 110-w/2))), 255})
		}
	}
	return m
}

// write puts a picture below the data set, as its name says.
func (w *importWorld) write(name string, m image.Image, quality int) {
	w.t.Helper()
	var b bytes.Buffer
	var err error
	if filepath.Ext(name) == ".png" {
		err = png.Encode(&b, m)
	} else {
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: quality})
	}
	if err = errors.Join(err, os.WriteFile(filepath.Join(w.dir, name), b.Bytes(), 0o600)); err != nil {
		w.t.Fatal(err)
	}
}

// A copy of a training picture that was saved in another format and size is found in the test split, by the worker's own work; when its
// file is replaced by another picture, it is looked at anew.
func TestCopiesAcrossSplitsAreFound(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	ctx := t.Context()
	small := image.NewRGBA(image.Rect(0, 0, 90, 66))
	draw.CatmullRom.Scale(small, small.Rect, waves(1, 200, 150), image.Rect(0, 0, 200, 150), draw.Src, nil)
	w.write("a.png", waves(1, 200, 150), 0)
	w.write("b.png", waves(2, 200, 150), 0)
	w.write("copy.jpg", small, 60)
	w.write("other.jpg", waves(5, 200, 150), 90)
	w.write("same.png", waves(2, 200, 150), 0)
	w.picture("flat.png", 10)
	w.rows = [][]string{
		{"a.png", "class-0", "train", "", ""}, {"b.png", "class-1", "pool", "", ""}, {"flat.png", "class-1", "train", "", ""},
		{"copy.jpg", "class-2", "test", "", ""}, {"other.jpg", "class-0", "test", "", ""}, {"same.png", "class-1", "validation", "", ""},
	}
	w.brings("the first", ImportOptions{}, annotator.ImportReport{Images: 6, Added: 6})
	project, err := w.Store.ProjectBySlug(ctx, "p")
	if err != nil {
		t.Fatal(err)
	}
	found := func() annotator.Leakage {
		t.Helper()
		l, err := w.Service.Leakage(ctx, w.Admin, "p", fingerprint.Bound, 10)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := found(); l.Exact != 1 || l.Near != 0 || l.Pending != 6 { // the same file is known without a look
		t.Errorf("before anybody looked: %+v", l)
	}
	told := 0
	if err := Fingerprint(ctx, w.Store, w.blobs, project.ID, func(done int) { told = done }); err != nil || told != 6 {
		t.Fatalf("%d looked at, %v", told, err)
	}
	l := found()
	if l.Exact != 1 || l.Near != 1 || l.Pending != 0 || l.LabelsDiffer != 1 || len(l.Leaks) != 2 {
		t.Fatalf("found: %+v", l)
	}
	if near := l.Leaks[1]; near.HeldOut.Name != "copy.jpg" || near.Training.Name != "a.png" || !near.LabelsDiffer {
		t.Errorf("near: %+v", near)
	}
	w.write("copy.jpg", waves(9, 200, 150), 90)
	w.brings("another picture", ImportOptions{Update: true}, annotator.ImportReport{Images: 6, Known: 5, Changed: 1, Updated: 1, Changes: map[annotator.Difference]int{"bytes": 1}})
	if l := found(); l.Pending != 1 || l.Near != 0 {
		t.Errorf("after other bytes: %+v", l)
	}
	if err := Fingerprint(ctx, w.Store, w.blobs, 0, nil); err != nil {
		t.Fatal(err)
	}
	if l := found(); l.Pending != 0 || l.Near != 0 || l.Exact != 1 {
		t.Errorf("looked at anew: %+v", l)
	}
}

// Figures do without what is left out, and say how many that are.
func TestFiguresDoWithoutWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	figures := func() map[string]float64 {
		t.Helper()
		if err := Evaluate(ctx, w.Store, nil, w.Version.ID); err != nil {
			t.Fatal(err)
		}
		v, err := w.Store.Version(ctx, w.Version.ID)
		if err != nil {
			t.Fatal(err)
		}
		return v.Figures
	}
	// The model gets the test split right but for one image, which becomes the wrong one by another label.
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE predictions SET correct = false, class = (class + 1) % 3 WHERE image_id = $1`, w.Images[8].ID); err != nil {
		t.Fatal(err)
	}
	if f := figures(); f["test/accuracy"] != 0.75 || f["test/left_out"] != 0 {
		t.Errorf("all of them: %v", f)
	}
	if n, err := w.Store.LeaveOut(ctx, w.Project.ID, []int64{w.Images[8].ID, w.Images[0].ID}, annotator.LeftOutLeakage, true); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	f := figures()
	if f["test/accuracy"] != 1 || f["test/left_out"] != 1 {
		t.Errorf("without one: %v", f)
	}
	if _, has := f["train/left_out"]; has {
		t.Error("a training split is measured without something")
	}
	// Labels that are in doubt do not count in training splits either, and one that is corrected counts as it is now.
	says := func(image annotator.Image, p annotator.LabelProposal) {
		t.Helper()
		v, err := w.Service.ProposeLabel(ctx, w.Ada, image.ID, p)
		if err == nil {
			_, err = w.Service.JudgeLabel(ctx, w.Reviewer, v.ID, annotator.LabelConfirm, "")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	says(w.Images[1], annotator.LabelProposal{Says: annotator.LabelIsNone})
	_, p, err := w.Service.Image(ctx, w.Ada, w.Images[2].ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	says(w.Images[2], annotator.LabelProposal{Says: annotator.LabelIsClass, Class: &p.Class})
	if f := figures(); f["train/left_out"] != 1 || f["train/accuracy"] != 0.2 || f["test/left_out"] != 1 {
		t.Errorf("with labels that were mended: %v", f)
	}
	says(w.Images[1], annotator.LabelProposal{Says: annotator.LabelIsClass, Class: w.Images[1].Label})
	if f := figures(); f["train/left_out"] != 0 {
		t.Errorf("with its label again: %v", f)
	}
}
