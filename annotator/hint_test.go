package annotator_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// What would help tells how the answer follows the map: it is had where the project tells the answer while a map is painted, and nowhere else. It is of
// the true class and of the branch that reads the map.
func TestWhoIsToldWhatWouldHelp(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.next(w.Ada)
	help := annotator.ActivationQuery{Method: annotator.ActivationHelp, Branch: annotator.BranchPerception}
	for _, at := range annotator.Feedbacks {
		if _, err := w.Service.ChangeProject(ctx, w.Admin, "birds", annotator.ProjectChange{Feedback: &at}); err != nil {
			t.Fatal(err)
		}
		want := annotator.ErrForbidden
		if at == annotator.FeedbackLive {
			want = annotator.ErrUnavailable // it comes to the network, which this process has not
		}
		for _, who := range []annotator.User{w.Ada, w.Reviewer} {
			if _, err := w.Service.ActivationMap(ctx, who, d.ID, help); !errors.Is(err, want) {
				t.Errorf("feedback %s, %s: %v, want %v", at, who.Name, err, want)
			}
		}
	}
	live := annotator.FeedbackLive
	if _, err := w.Service.ChangeProject(ctx, w.Admin, "birds", annotator.ProjectChange{Feedback: &live}); err != nil {
		t.Fatal(err)
	}
	refused := func(field, says string, q annotator.ActivationQuery) {
		t.Helper()
		var v *annotator.ValidationError
		if _, err := w.Service.ActivationMap(ctx, w.Ada, d.ID, q); !errors.As(err, &v) || v.Field != field || !strings.Contains(v.Message, says) {
			t.Errorf("%+v: %v, want %s: %s", q, err, field, says)
		}
	}
	truth, other := *d.Image.Label, (*d.Image.Label+1)%3
	with := func(change func(*annotator.ActivationQuery)) annotator.ActivationQuery {
		q := help
		change(&q)
		return q
	}
	refused("branch", "perception", with(func(q *annotator.ActivationQuery) { q.Branch = annotator.BranchAttention }))
	refused("value", "help is of the map", with(func(q *annotator.ActivationQuery) { q.Value = "relu" }))
	refused("class", "leave it out", with(func(q *annotator.ActivationQuery) { q.Class = &other }))
	if _, err := w.Service.ActivationMap(ctx, w.Ada, d.ID, with(func(q *annotator.ActivationQuery) { q.Class = &truth })); !errors.Is(err, annotator.ErrUnavailable) {
		t.Errorf("of the true class: %v", err)
	}
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE images SET label = NULL WHERE id = $1`, d.Image.ID); err != nil {
		t.Fatal(err)
	}
	refused("method", "no label", help)
}

// What would help is nobody's starting point, and no method by which reviewers compare maps.
func TestHelpIsAHintAndNothingElse(t *testing.T) {
	t.Parallel()
	if slices.Contains(annotator.LookingMethods, annotator.ActivationHelp) || slices.Contains(annotator.OriginKinds, annotator.OriginKind(annotator.ActivationHelp)) {
		t.Error("what would help is among the maps to compare by, or to begin with")
	}
}

// That a hint was shown goes on from revision to revision, whoever paints and whatever their program says, and reviewers and exports have it in words.
func TestHintsGoOn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.next(w.Ada)
	save := func(who annotator.User, base int, provenance string) annotator.Edit {
		t.Helper()
		dr := draft(base, float32(base+1)/10)
		dr.Provenance = json.RawMessage(provenance)
		e, err := w.Service.SaveDraft(ctx, who, d.ID, dr)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for i, c := range []struct {
		provenance string
		want       int
	}{
		{`{"hints":{"help":"often"}}`, 0}, {`{"hints":7}`, 0}, {`{"hints":{"help":-3}}`, 0}, {`{"hints":{"help":1}}`, 1}, {`{"seconds":4}`, 1}, {`{"hints":{"help":3}}`, 3}, {`{"hints":{"help":2}}`, 3},
	} {
		if e := save(w.Ada, i, c.provenance); e.Hints.Help != c.want || strings.Contains(string(e.Provenance), `"hints"`) != (c.want > 0) {
			t.Fatalf("revision %d: %+v, %s, want %d", i+1, e.Hints, e.Provenance, c.want)
		}
	}
	w.must(w.Service.GiveBack(ctx, w.Ada, d.ID))
	if _, err := w.Service.ClaimTask(ctx, w.Bob, d.ID); err != nil {
		t.Fatal(err)
	}
	save(w.Bob, 7, `{}`)
	done, err := w.Service.Submit(ctx, w.Bob, d.ID, 8)
	if err != nil {
		t.Fatal(err)
	}
	const words = "the painter was shown what would help, 3 times"
	if all := done.Edit.MadeWith(); !slices.Equal(all, []string{words}) {
		t.Errorf("a reviewer reads %q", all)
	}
	for m, err := range w.Service.ExportMaps(ctx, w.Admin, "birds", annotator.ExportFilter{}) {
		if err != nil || m.Hints != words {
			t.Errorf("exported: %q, %v", m.Hints, err)
		}
	}
	detail, err := w.Service.ImageDetail(ctx, w.Reviewer, d.Image.ID)
	if err != nil || len(detail.Edits) != 1 || !slices.Equal(detail.Edits[0].MadeWith(), []string{words}) {
		t.Errorf("on the image's page: %+v, %v", detail.Edits, err)
	}
	e := annotator.Edit{Hints: annotator.Hints{Help: 1}, Origin: &annotator.Origin{Kind: annotator.OriginVersion, Version: 2}}
	if all := e.MadeWith(); !slices.Equal(all, []string{"began with the map of v2, another version", "the painter was shown what would help, once"}) {
		t.Errorf("%q", all)
	}
}
