package annotator_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// points returns the keys of what somebody can begin a task's map with.
func (w *world) points(who annotator.User, task int64) map[string]annotator.StartingPoint {
	w.t.Helper()
	all, err := w.Service.StartingPoints(w.t.Context(), who, task)
	if err != nil {
		w.t.Fatal(err)
	}
	by := map[string]annotator.StartingPoint{}
	for _, p := range all {
		if p.Map != nil {
			w.t.Errorf("%s is listed with its map", p.Key)
		}
		by[p.Key] = p
	}
	return by
}

// beside adds another version on a grid of its own, which has looked at every image where scanned is set.
func (w *world) beside(n, height int, scanned bool) annotator.Version {
	w.t.Helper()
	model := pgtest.NewVersion(n)
	model.GridHeight = height
	v, err := w.Store.AddVersion(w.t.Context(), w.Project.ID, model)
	w.must(err)
	if scanned {
		w.must(w.Scan(w.t.Context(), v.ID))
	}
	return v
}

// What a map can begin with: other versions where the grids agree, the mean of approved maps of the class where there are any, somebody
// else's map for reviewers alone.
func TestStartingPoints(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	seen, unseen, coarse := w.beside(1, 2, true), w.beside(2, 2, false), w.beside(3, 4, false)

	d := w.next(w.Ada)
	first := w.points(w.Ada, d.ID)
	if len(first) != 4 || first["model"].Problem != "" || first["version-2"].Problem != "" || first["version-2"].Origin.VersionID != seen.ID {
		t.Errorf("at first %+v", first)
	}
	if p := first["version-3"].Problem; p != "v3 has not looked at this image" {
		t.Errorf("v%d, which has not looked: %q", unseen.Number, p)
	}
	if p := first["version-4"].Problem; p != "it has 4 × 3 cells, where this map has 2 × 3" {
		t.Errorf("v%d, of another grid: %q", coarse.Number, p)
	}
	if _, err := w.Service.StartingPoint(ctx, w.Ada, d.ID, "version-4"); !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "4 × 3") {
		t.Errorf("the map of another grid: %v", err)
	}
	if p, err := w.Service.StartingPoint(ctx, w.Ada, d.ID, "version-2"); err != nil || p.Map == nil || !p.Map.Equal(pgtest.Map(0.5)) {
		t.Errorf("the map of v2: %+v, %v", p, err)
	}
	if _, err := w.Service.StartingPoint(ctx, w.Ada, d.ID, "version-9"); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("a point that is none: %v", err)
	}
	if _, err := w.Service.StartingPoints(ctx, annotator.User{}, d.ID); !errors.Is(err, annotator.ErrUnauthorized) && !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("nobody: %v", err)
	}

	// Ada's map of the image is approved: a mean for other images of the class, not for this one; and a colleague's for reviewers.
	e := w.save(w.Ada, d.ID, 0, 0.75)
	_, err := w.Service.Submit(ctx, w.Ada, d.ID, e.Revision)
	w.must(err)
	_, err = w.Service.Review(ctx, w.Reviewer, e.ID, annotator.VerdictApprove, "")
	w.must(err)
	var same annotator.TaskCard
	page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	w.must(err)
	for _, c := range page.Tasks {
		if c.ID != d.ID && *c.Image.Label == *d.Image.Label {
			same = c
		}
	}
	mean, err := w.Service.StartingPoint(ctx, w.Bob, same.ID, "class-mean")
	if err != nil || mean.Origin.Maps != 1 || mean.Map == nil || !mean.Map.Equal(pgtest.Map(0.75)) || !strings.Contains(mean.Name, "1 approved map") {
		t.Errorf("the class's mean: %+v, %v", mean, err)
	}
	if _, own := w.points(w.Bob, d.ID)["class-mean"]; own {
		t.Error("an image's own map is offered as its class's mean")
	}
	key := "colleague-" + itoa(e.ID)
	for _, who := range []annotator.User{w.Bob, w.Ada} {
		if _, ok := w.points(who, d.ID)[key]; ok {
			t.Errorf("%s is offered somebody's map", who.Name)
		}
		if _, err := w.Service.StartingPoint(ctx, who, d.ID, key); !errors.Is(err, annotator.ErrNotFound) {
			t.Errorf("%s gets a map by its key: %v", who.Name, err)
		}
	}
	for _, who := range []annotator.User{w.Reviewer, w.Admin} {
		if p, err := w.Service.StartingPoint(ctx, who, d.ID, key); err != nil || p.Map == nil || !p.Map.Equal(pgtest.Map(0.75)) || p.Name != "Ada's map (approved)" {
			t.Errorf("%s: %+v, %v", who.Name, p, err)
		}
	}

	_, err = w.Service.CloseProject(ctx, w.Admin, "birds")
	w.must(err)
	var closed *annotator.ClosedError
	if _, err := w.Service.StartingPoints(ctx, w.Ada, d.ID); !errors.As(err, &closed) {
		t.Errorf("in a closed project: %v", err)
	}
}

// An edit says what it began with: what its painter took, else what the revision before began with, and at first the model's map.
func TestOriginOfEdits(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	other := w.beside(1, 2, true)
	d := w.next(w.Ada)
	save := func(base int, o *annotator.Origin) (annotator.Edit, error) {
		dr := draft(base, 0.1*float32(base+1))
		dr.Origin = o
		return w.Service.SaveDraft(ctx, w.Ada, d.ID, dr)
	}
	e, err := save(0, nil)
	if err != nil || e.Origin == nil || *e.Origin != (annotator.Origin{Kind: annotator.OriginModel, VersionID: w.Version.ID, Version: 1}) {
		t.Fatalf("at first %+v, %v", e.Origin, err)
	}
	e, err = save(1, &annotator.Origin{Kind: annotator.OriginVersion, VersionID: other.ID, Version: 77, Maps: 3})
	want := annotator.Origin{Kind: annotator.OriginVersion, VersionID: other.ID, Version: 2}
	if err != nil || *e.Origin != want {
		t.Fatalf("another version's: %+v, %v", e.Origin, err)
	}
	if e, err = save(2, nil); err != nil || *e.Origin != want {
		t.Fatalf("gone on: %+v, %v", e.Origin, err)
	}
	all, err := w.Service.Revisions(ctx, w.Ada, d.ID)
	if err != nil || *all[2].Origin != want || !strings.Contains(string(all[2].Provenance), `"version_id":`+itoa(other.ID)) {
		t.Errorf("read again: %+v, %v", all[2], err)
	}
	if words := all[2].Origin.Words(); words != "the map of v2, another version" {
		t.Errorf("in words %q", words)
	}

	label := "class-" + itoa(int64(*d.Image.Label))
	for what, wrong := range map[string]struct {
		origin annotator.Origin
		field  string
	}{
		"clicks that are not there":      {annotator.Origin{Kind: annotator.OriginClicks, Method: attention.StartClicks, Radius: 1}, "kind"},
		"the mean of another class":      {annotator.Origin{Kind: annotator.OriginClassMean, Class: "class-" + itoa(int64(1-*d.Image.Label)), Maps: 1}, "class"},
		"the mean of maps there are not": {annotator.Origin{Kind: annotator.OriginClassMean, Class: label, Maps: 1}, "kind"},
	} {
		var invalid *annotator.ValidationError
		if _, err := save(3, &wrong.origin); !errors.As(err, &invalid) || invalid.Field != "origin."+wrong.field {
			t.Errorf("%s: %v", what, err)
		}
	}
	for why, o := range map[string]annotator.Origin{
		"kind":       {Kind: "dream"},
		"version_id": {Kind: annotator.OriginVersion, VersionID: w.Version.ID},
		"edit_id":    {Kind: annotator.OriginColleague, EditID: e.ID}, // a painter's
		"maps":       {Kind: annotator.OriginClassMean, Class: "class-1"},
		"class":      {Kind: annotator.OriginGradCAM, Class: "class-9", Branch: annotator.BranchAttention},
		"branch":     {Kind: annotator.OriginGradCAM, Class: "class-1"},
		"method":     {Kind: annotator.OriginMask, Method: attention.StartClicks, Radius: 1},
		"radius":     {Kind: annotator.OriginClicks, Method: attention.StartClicks, Radius: 99},
	} {
		var invalid *annotator.ValidationError
		if _, err := save(3, &o); !errors.As(err, &invalid) || invalid.Field != "origin."+why {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if e, err = save(3, &annotator.Origin{Kind: annotator.OriginGradCAM, Class: "class-1", Branch: annotator.BranchPerception}); err != nil || e.Origin.Words() != "Grad-CAM of the perception branch of v1 for One" {
		t.Errorf("Grad-CAM: %+v, %v", e.Origin, err)
	}

	// It is exported in words, and comes back to whom the map was returned.
	_, err = w.Service.Submit(ctx, w.Ada, d.ID, e.Revision)
	w.must(err)
	_, err = w.Service.Review(ctx, w.Reviewer, e.ID, annotator.VerdictReject, "Not the sky")
	w.must(err)
	d, err = w.Service.ClaimTask(ctx, w.Ada, d.ID)
	w.must(err)
	if p, err := w.Service.StartingPoint(ctx, w.Ada, d.ID, "returned-"+itoa(e.ID)); err != nil || p.Map == nil {
		t.Errorf("the returned map: %+v, %v", p, err)
	}
	if _, ok := w.points(w.Bob, d.ID)["returned-"+itoa(e.ID)]; ok {
		t.Error("somebody else is offered the returned map")
	}
	if e, err = save(e.Revision, &annotator.Origin{Kind: annotator.OriginReturned, EditID: e.ID}); err != nil || e.Origin.EditID != all[2].ID+1 {
		t.Errorf("from the returned map: %+v, %v", e.Origin, err)
	}
	var words []string
	for m, err := range w.Service.ExportMaps(ctx, w.Ada, "birds", annotator.ExportFilter{Revisions: true, States: []string{"draft", "rejected"}}) {
		w.must(err)
		words = append(words, m.Origin)
	}
	if !slices.Contains(words, "the map of v2, another version") || !slices.Contains(words, "the map that was returned (edit "+itoa(e.Origin.EditID)+")") {
		t.Errorf("exported %q", words)
	}
}

// Somebody who goes on from a reviewer's revision may come back, by undo, to what only the reviewer could begin with, and to nothing else of its kind.
func TestUndoLeadsBackToAnOrigin(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.next(w.Ada)
	returned := w.save(w.Ada, d.ID, 0, 0.75)
	w.submit(w.Ada, d.ID, returned.Revision)
	_, err := w.Service.Review(ctx, w.Reviewer, returned.ID, annotator.VerdictReject, "Not the sky")
	w.must(err)
	save := func(who annotator.User, base int, o *annotator.Origin) (annotator.Edit, error) {
		dr := draft(base, 0.1*float32(base+1))
		dr.Origin = o
		return w.Service.SaveDraft(ctx, who, d.ID, dr)
	}
	taken := annotator.Origin{Kind: annotator.OriginReturned, EditID: returned.ID}
	w.must(w.Service.Reopen(ctx, w.Reviewer, d.ID))
	w.claim(w.Bob, d.ID)
	var invalid *annotator.ValidationError
	if _, err := save(w.Bob, returned.Revision, &taken); !errors.As(err, &invalid) || invalid.Field != "origin.edit_id" {
		t.Fatalf("Bob begins with Ada's returned map: %v", err)
	}
	w.release(w.Bob, d.ID)
	w.claim(w.Reviewer, d.ID)
	e, err := save(w.Reviewer, returned.Revision, &taken)
	w.must(err)
	w.release(w.Reviewer, d.ID)

	w.claim(w.Bob, d.ID)
	model := annotator.Origin{Kind: annotator.OriginModel}
	if e, err = save(w.Bob, e.Revision, &model); err != nil || e.Origin.Kind != annotator.OriginModel {
		t.Fatalf("Bob begins again with the model's: %+v, %v", e.Origin, err)
	}
	if e, err = save(w.Bob, e.Revision, &taken); err != nil || *e.Origin != taken {
		t.Errorf("back by undo: %+v, %v", e.Origin, err)
	}
	if _, err := save(w.Bob, e.Revision, &annotator.Origin{Kind: annotator.OriginReturned, EditID: e.ID}); !errors.As(err, &invalid) {
		t.Errorf("to another map: %v", err)
	}
}

// The words for every kind differ, and one that is not known is read as none.
func TestOriginWords(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, kind := range annotator.OriginKinds {
		o := &annotator.Origin{Kind: kind, Version: 3, Maps: 2, EditID: 7, Class: "wren", Branch: annotator.BranchAttention, Method: attention.StartArea}
		if words := o.Words(); words == string(kind) || said[words] {
			t.Errorf("%s: %q", kind, words)
		} else {
			said[words] = true
		}
	}
	for _, p := range []string{``, `{}`, `[1]`, `{"origin":"model"}`, `{"origin":{"kind":"dream"}}`} {
		if o := annotator.OriginOf(json.RawMessage(p)); o != nil || o.Words() != "" {
			t.Errorf("%s: %+v", p, o)
		}
	}
}

func itoa(id int64) string { raw, _ := json.Marshal(id); return string(raw) }
