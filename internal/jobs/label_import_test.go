package jobs

import (
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A further import does not undo what people corrected. Only a class that has changed at the source is told as another class, and only an
// update takes it over in place of the people's.
func TestImportsAndCorrectedLabels(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	ctx := t.Context()
	for i, name := range []string{"a.png", "b.png", "c.png", "d.png"} {
		w.picture(name, uint8(20*i+10))
		w.rows = append(w.rows, []string{name, "class-0", "train", "", ""})
	}
	w.rows[3][1] = "class-1"
	w.brings("the first import", ImportOptions{}, annotator.ImportReport{Images: 4, Added: 4})
	p, err := w.Service.Project(ctx, w.Admin, "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.AddVersion(ctx, p.ID, pgtest.NewVersion(7)); err != nil {
		t.Fatal(err)
	}
	images, err := w.Store.Images(ctx, p.ID)
	if err != nil || len(images) != 4 {
		t.Fatal(len(images), err)
	}
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
	one := 1
	says(images[0], annotator.LabelProposal{Says: annotator.LabelIsClass, Class: &one})
	says(images[1], annotator.LabelProposal{Says: annotator.LabelIsClass, Class: &one})
	says(images[2], annotator.LabelProposal{Says: annotator.LabelIsAmbiguous})
	is := func(what string, at, label int, leftOut bool) {
		t.Helper()
		i, err := w.Store.Image(ctx, images[at].ID)
		if err != nil || i.Label == nil || *i.Label != label || i.Measured() == leftOut {
			t.Errorf("%s: %+v, %v", what, i, err)
		}
	}
	for _, o := range []ImportOptions{{}, {Update: true}} {
		w.brings("the same again", o, annotator.ImportReport{Images: 4, Known: 4, Corrected: 2, Changes: map[annotator.Difference]int{annotator.DiffersCorrected: 2}})
		is("a", 0, 1, false)
		is("c", 2, 0, true)
	}
	w.rows[0][2] = "pool"
	w.brings("another split", ImportOptions{Update: true}, annotator.ImportReport{Images: 4, Known: 3, Changed: 1, Updated: 1, Corrected: 2,
		Changes: map[annotator.Difference]int{annotator.DiffersSplit: 1, annotator.DiffersCorrected: 2}})
	is("a in another split", 0, 1, false)

	w.rows[0][1], w.rows[2][1] = "class-2", "class-2"
	w.brings("other classes, without an update", ImportOptions{}, annotator.ImportReport{Images: 4, Known: 2, Changed: 2, Corrected: 2,
		Changes: map[annotator.Difference]int{annotator.DiffersLabel: 2, annotator.DiffersCorrected: 2}})
	is("a, corrected", 0, 1, false)
	w.brings("with one", ImportOptions{Update: true}, annotator.ImportReport{Images: 4, Known: 2, Changed: 2, Updated: 2, Corrected: 1, Overruled: 1,
		Changes: map[annotator.Difference]int{annotator.DiffersLabel: 2, annotator.DiffersCorrected: 1}})
	is("a, overruled", 0, 2, false)
	is("c counts again", 2, 2, false)
	h, err := w.Service.LabelHistory(ctx, w.Ada, images[0].ID)
	if err != nil || len(h.Changes) != 2 || h.Changes[1].Was != "class-1" || h.Changes[1].Became != "class-2" || h.Changes[1].Cause != annotator.LabelByImport || h.Source != "class-2" {
		t.Errorf("the history of a: %+v, %v", h, err)
	}

	w.rows[1][1] = "class-1" // the source has found it too
	w.brings("a source that agrees", ImportOptions{Update: true}, annotator.ImportReport{Images: 4, Known: 4})
	is("b", 1, 1, false)

	// Gone and back again, the correction is still there.
	row := w.rows[1]
	row[1] = "class-0"
	w.rows = append(w.rows[:1:1], w.rows[2:]...)
	w.brings("b is gone", ImportOptions{Prune: true}, annotator.ImportReport{Images: 3, Known: 3, Gone: 1, Retired: 1, Changes: map[annotator.Difference]int{annotator.DiffersGone: 1}})
	w.rows = append(w.rows, row)
	w.brings("b is back", ImportOptions{}, annotator.ImportReport{Images: 4, Known: 3, Returned: 1, Corrected: 1,
		Changes: map[annotator.Difference]int{annotator.DiffersReturned: 1, annotator.DiffersCorrected: 1}})
	is("b", 1, 1, false)
}
