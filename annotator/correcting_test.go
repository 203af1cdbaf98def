package annotator_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// correction is a change of a map to one value, made from a revision.
func correction(base int, value float32) annotator.Draft {
	return annotator.Draft{BaseRevision: base, Source: annotator.SourcePainted, Map: pgtest.Map(value)}
}

// A reviewer corrects a map and approves it in one step: both names are kept, and the painter's revision stays in the history.
func TestAReviewerCorrectsAndApproves(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Ada)
	var invalid *annotator.ValidationError
	if _, err := w.Service.Correct(ctx, w.Reviewer, d.Edit.ID, correction(1, 0.75), annotator.Judgement{}); !errors.As(err, &invalid) || invalid.Field != "map" {
		t.Errorf("without a change: %v, want a *ValidationError", err)
	}
	var stale *annotator.StaleError
	if _, err := w.Service.Correct(ctx, w.Reviewer, d.Edit.ID, correction(0, 0.5), annotator.Judgement{}); !errors.As(err, &stale) {
		t.Errorf("of another revision: %v, want a *StaleError", err)
	}
	changes := annotator.Draft{BaseRevision: 1, Source: annotator.SourcePainted, Changes: &annotator.Changes{Cells: []int{0}, Values: []float32{0.25}}}
	got, err := w.Service.Correct(ctx, w.Reviewer, d.Edit.ID, changes, annotator.Judgement{
		Comment: "the branch was in it", Reasons: []annotator.Reason{annotator.ReasonTooWide}, Pins: []annotator.Pin{{Row: 1, Column: 1, Words: "here"}}})
	if err != nil {
		t.Fatal(err)
	}
	e := got.Edit
	if got.State != annotator.TaskApproved || e.State != annotator.EditApproved || e.Author != "Rose" || e.Corrects != 1 || e.Painter != "Ada" || e.Revision != 2 ||
		got.AuthorName != "Ada" || e.Map.Values[0] != 0.25 || e.Map.Values[1] != 0.75 || e.Before == nil || e.After == nil || got.Lease != nil {
		t.Errorf("corrected: %s, %+v by %s for %s, lease %+v", got.State, e, e.Author, e.Painter, got.Lease)
	}
	// What was wrong is said of the painter's revision.
	if r := got.Reviews; len(r) != 2 || r[0].EditID != d.Edit.ID || r[0].Reviewer != "Rose" || r[0].Verdict != annotator.VerdictCorrect || r[0].Comment != "the branch was in it" ||
		len(r[0].Reasons) != 1 || len(r[0].Pins) != 1 || r[1].EditID != e.ID || r[1].Reviewer != "Rose" || r[1].Verdict != annotator.VerdictApprove {
		t.Errorf("the verdicts: %+v", r)
	}
	if counts, err := w.Service.ReasonCounts(ctx, w.Ada, "birds"); err != nil || !slices.Contains(counts, annotator.ReasonCount{Reason: annotator.ReasonTooWide, Count: 1}) {
		t.Errorf("the reasons: %+v, %v", counts, err)
	}
	if work, err := w.Store.Work(ctx, w.Project.ID, nil, time.Now()); err != nil || len(work) != 1 || work[0].Rate == nil || *work[0].Rate != 0 {
		t.Errorf("what was approved as it was painted: %+v, %v", work, err)
	}
	pinned := annotator.Judgement{Pins: []annotator.Pin{{Row: 99, Column: 1, Words: "here"}}}
	if _, err := w.Service.Correct(ctx, w.Reviewer, w.submitted(w.Ada).Edit.ID, correction(1, 0.5), pinned); !errors.As(err, &invalid) || invalid.Field != "pins" {
		t.Errorf("a pin beside the map: %v, want a *ValidationError", err)
	}
	all, err := w.Service.Revisions(ctx, w.Ada, d.ID)
	if err != nil || len(all) != 2 || all[0].State != annotator.EditCorrected || all[0].Author != "Ada" || !all[0].Map.Equal(d.Edit.Map) {
		t.Errorf("the history: %+v, %v", all, err)
	}
	// A round learns from the corrected map, and it counts once.
	if n, err := w.Store.CountApproved(ctx, w.Project.ID); err != nil || n != 1 {
		t.Errorf("%d approved maps, %v", n, err)
	}
	maps, err := w.Store.ExportMaps(ctx, w.Project.ID, annotator.ExportFilter{States: []string{"approved"}}, 0, 10)
	if err != nil || len(maps) != 1 || maps[0].Author != "Ada" || maps[0].CorrectedBy != "Rose" || maps[0].Reviewer != "Rose" {
		t.Errorf("exported: %+v, %v", maps, err)
	}
	for _, author := range []string{"Ada", "Rose"} {
		if reviews, err := w.Store.ExportReviews(ctx, w.Project.ID, annotator.ExportFilter{Author: author}, 0, 10); err != nil || len(reviews) == 0 || reviews[len(reviews)-1].Author != "Ada" || reviews[len(reviews)-1].CorrectedBy != "Rose" {
			t.Errorf("exported verdicts of maps by %s: %+v, %v", author, reviews, err)
		}
	}

	// The verdict is taken back: the corrected map waits for somebody else, or for another correction by the same reviewer.
	back, err := w.Service.Retract(ctx, w.Reviewer, e.ID)
	if err != nil || back.State != annotator.TaskSubmitted || back.Lease != nil {
		t.Fatalf("taken back: %s, %+v, %v", back.State, back.Lease, err)
	}
	if _, err := w.Service.Review(ctx, w.Reviewer, e.ID, annotator.VerdictApprove, ""); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("who corrected it approving it: %v, want ErrForbidden", err)
	}
	if err := back.MayCorrect(w.Reviewer); err != nil {
		t.Errorf("correcting it again: %v", err)
	}
	if _, err := w.Service.TakeBack(ctx, w.Ada, d.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("its painter taking it back: %v, want ErrConflict", err)
	}
	again, err := w.Service.Correct(ctx, w.Reviewer, e.ID, correction(2, 0.5), annotator.Judgement{})
	if err != nil || again.Edit.Corrects != 1 || again.Edit.Painter != "Ada" || again.State != annotator.TaskApproved {
		t.Errorf("corrected again: %+v, %v", again.Edit, err)
	}
	if _, err := w.Service.Correct(ctx, w.Admin, again.Edit.ID, correction(3, 0.25), annotator.Judgement{}); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("correcting what is approved: %v, want ErrConflict", err)
	}
}

// Nobody approves what they painted by correcting it, and nobody corrects what another reviewer has.
func TestWhoMayCorrect(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	mine := w.submitted(w.Reviewer)
	if _, err := w.Service.Correct(ctx, w.Reviewer, mine.Edit.ID, correction(1, 0.5), annotator.Judgement{}); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("its painter: %v, want ErrForbidden", err)
	}
	d := w.submitted(w.Ada)
	if _, err := w.Service.Correct(ctx, w.Bob, d.Edit.ID, correction(1, 0.5), annotator.Judgement{}); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("an annotator: %v, want ErrForbidden", err)
	}
	if _, err := w.Service.ClaimReview(ctx, w.Admin, d.ID); err != nil {
		t.Fatal(err)
	}
	var held *annotator.LeaseError
	if _, err := w.Service.Correct(ctx, w.Reviewer, d.Edit.ID, correction(1, 0.5), annotator.Judgement{}); !errors.As(err, &held) || held.Holder != "Grace" {
		t.Errorf("while the admin has it: %v, want a *LeaseError", err)
	}
	// Who painted a part of it, and gave it to another person, does not correct it either.
	part := w.next(w.Reviewer)
	w.save(w.Reviewer, part.ID, 0, 0.5)
	w.release(w.Reviewer, part.ID)
	w.claim(w.Ada, part.ID)
	w.save(w.Ada, part.ID, 1, 0.25)
	w.submit(w.Ada, part.ID, 2)
	if _, err := w.Service.Correct(ctx, w.Reviewer, w.latest(part.ID).ID, correction(2, 0.75), annotator.Judgement{}); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("who painted a part of it: %v, want ErrForbidden", err)
	}
	// The database asks the same of whatever program writes.
	_, err := w.Store.Pool().Exec(ctx, `
		WITH made AS (INSERT INTO edits (task_id, revision, author_id, version_id, source, map_height, map_width, map, state, submitted_at, corrects)
			SELECT task_id, 3, $1, version_id, source, map_height, map_width, map, 'draft', NULL, 2 FROM edits WHERE task_id = $2 AND revision = 2 RETURNING id)
		SELECT FROM made`, w.Reviewer.ID, part.ID)
	w.must(err)
	_, err = w.Store.Pool().Exec(ctx, `UPDATE edits SET state = 'corrected' WHERE task_id = $1 AND state = 'submitted'`, part.ID)
	w.must(err)
	_, err = w.Store.Pool().Exec(ctx, `UPDATE edits SET state = 'submitted', submitted_at = now() WHERE task_id = $1 AND revision = 3`, part.ID)
	w.must(err)
	if _, err := w.Store.Pool().Exec(ctx, `INSERT INTO reviews (edit_id, reviewer_id, verdict) VALUES ($1, $2, 'approve')`, w.latest(part.ID).ID, w.Reviewer.ID); err == nil {
		t.Error("the database lets a painter approve their own by a correction")
	}
}

// A project may ask for a second reviewer of what a reviewer corrected.
func TestASecondReviewerOfACorrection(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	second := true
	project, err := w.Service.ChangeProject(ctx, w.Admin, "birds", annotator.ProjectChange{SecondReviewer: &second})
	if err != nil || !project.SecondReviewer {
		t.Fatalf("asking for one: %+v, %v", project, err)
	}
	d := w.submitted(w.Ada)
	if _, err := w.Service.ClaimReview(ctx, w.Reviewer, d.ID); err != nil {
		t.Fatal(err)
	}
	got, err := w.Service.Correct(ctx, w.Reviewer, d.Edit.ID, correction(1, 0.5), annotator.Judgement{Comment: "the beak"})
	if err != nil || got.State != annotator.TaskSubmitted || got.Edit.State != annotator.EditSubmitted || got.Edit.Author != "Rose" || len(got.Reviews) != 1 || got.Reviews[0].Comment != "the beak" || got.Lease != nil {
		t.Fatalf("corrected: %s, %+v, %v", got.State, got.Edit, err)
	}
	w.judges(d.ID, w.Admin) // neither who painted nor who corrected it
	// Returned, it goes back to who painted it, who goes on from the corrected map.
	back, err := w.Service.Review(ctx, w.Admin, got.Edit.ID, annotator.VerdictReject, "now the beak is missing")
	if err != nil || back.State != annotator.TaskChangesRequested || back.AuthorName != "Ada" {
		t.Fatalf("returned: %+v, %v", back.Task, err)
	}
	mend := w.next(w.Ada)
	if mend.ID != d.ID || mend.Edit.Revision != 2 {
		t.Errorf("Ada goes on with task %d, revision %d", mend.ID, mend.Edit.Revision)
	}
	w.save(w.Ada, d.ID, 2, 0.9)
	w.submit(w.Ada, d.ID, 3)
	w.judges(d.ID, w.Admin, w.Reviewer)
}
