package annotator_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// waiting submits a map of one value, by somebody, a minute after what was done before.
func (w *world) waiting(who annotator.User, value float32) annotator.TaskDetail {
	w.t.Helper()
	w.Clock.Add(time.Minute)
	d := w.next(who)
	e := w.save(who, d.ID, 0, value)
	d, err := w.Service.Submit(w.t.Context(), who, d.ID, e.Revision)
	w.must(err)
	return d
}

// What waits for review is listed and given out by age, by author, by what the edit does to the true class, and by how far it is from the
// network's map; a page begins after a task wherever that stands now.
func TestReviewsComeInAnOrder(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	tasks := map[string]annotator.TaskDetail{
		"bob high": w.waiting(w.Bob, 0.9), "ada low": w.waiting(w.Ada, 0.3), "bob middle": w.waiting(w.Bob, 0.6), "ada high": w.waiting(w.Ada, 0.8),
	}
	name := func(id int64) string {
		for name, d := range tasks {
			if d.ID == id {
				return name
			}
		}
		return fmt.Sprint(id)
	}
	gain := map[string]float32{}
	for n, d := range tasks {
		gain[n] = d.Edit.After.Probabilities[*d.Image.Label] - d.Edit.Before.Probabilities[*d.Image.Label]
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for n := range tasks {
			if !yield(n) {
				return
			}
		}
	})
	slices.SortStableFunc(names, func(a, b string) int { return int(1e6 * (gain[a] - gain[b])) })
	// The network's map is 0.5 everywhere but in one corner (pgtest.Predict), so that the values say how near a map is.
	for order, want := range map[annotator.ReviewOrder][]string{
		annotator.ReviewOldest: {"bob high", "ada low", "bob middle", "ada high"},
		annotator.ReviewNewest: {"ada high", "bob middle", "ada low", "bob high"},
		annotator.ReviewAuthor: {"ada low", "ada high", "bob high", "bob middle"},
		annotator.ReviewLoss:   names,
	} {
		page, err := w.Service.Reviews(ctx, w.Reviewer, "birds", annotator.ReviewQuery{Order: order})
		if err != nil || page.Total != 4 || page.Next != 0 {
			t.Fatalf("%s: %+v, %v", order, page, err)
		}
		var got []string
		for _, c := range page.Reviews {
			got = append(got, name(c.ID))
			if c.EditID != tasks[name(c.ID)].Edit.ID {
				t.Errorf("%s: the edit of %s is %d", order, name(c.ID), c.EditID)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s gives %v, want %v", order, got, want)
		}
	}
	far, err := w.Service.Reviews(ctx, w.Reviewer, "birds", annotator.ReviewQuery{Order: annotator.ReviewFar})
	w.must(err)
	near, err := w.Service.Reviews(ctx, w.Reviewer, "birds", annotator.ReviewQuery{Order: annotator.ReviewNear})
	w.must(err)
	for i, c := range far.Reviews {
		own := c.Prediction.Map
		var low, high float64
		for j, v := range own.Values {
			low, high = low+float64(min(v, c.EditMap.Values[j])), high+float64(max(v, c.EditMap.Values[j]))
		}
		if c.Disagreement == nil || abs(float64(*c.Disagreement)-(1-low/high)) > 1e-5 {
			t.Errorf("%s is %v from the model's map, want %v", name(c.ID), c.Disagreement, 1-low/high)
		}
		if i > 0 && *c.Disagreement > *far.Reviews[i-1].Disagreement {
			t.Errorf("%s is farther than the one before", name(c.ID))
		}
		if back := near.Reviews[3-i]; *back.Disagreement != *c.Disagreement {
			t.Errorf("nearest first is not farthest last: %s, %s", name(back.ID), name(c.ID))
		}
	}

	// Pages, and a page after a map that was judged meanwhile.
	first, err := w.Service.Reviews(ctx, w.Reviewer, "birds", annotator.ReviewQuery{Order: annotator.ReviewAuthor, Limit: 2})
	if err != nil || len(first.Reviews) != 2 || first.Next != tasks["ada high"].ID {
		t.Fatalf("the first page: %+v, %v", first, err)
	}
	_, err = w.Service.Review(ctx, w.Reviewer, tasks["ada high"].Edit.ID, annotator.VerdictApprove, "")
	w.must(err)
	rest, err := w.Service.Reviews(ctx, w.Reviewer, "birds", annotator.ReviewQuery{Order: annotator.ReviewAuthor, After: first.Next, Limit: 2})
	if err != nil || len(rest.Reviews) != 2 || rest.Reviews[0].ID != tasks["bob high"].ID || rest.Next != 0 {
		t.Errorf("the second page: %+v, %v", rest, err)
	}

	// They are given out in the order, from the one that was judged last on.
	next, err := w.Service.NextReviewIn(ctx, w.Reviewer, "birds", annotator.ReviewNewest, tasks["ada high"].ID)
	if err != nil || next.ID != tasks["bob middle"].ID {
		t.Errorf("after the newest comes %s, %v", name(next.ID), err)
	}
	w.must(w.Service.ReleaseReview(ctx, w.Reviewer, next.ID))
	if next, err = w.Service.NextReviewIn(ctx, w.Reviewer, "birds", annotator.ReviewAuthor, tasks["bob middle"].ID); err != nil || next.ID != tasks["ada low"].ID {
		t.Errorf("after the last of an order comes %s, %v, want its first", name(next.ID), err)
	}
	var invalid *annotator.ValidationError
	if _, err := w.Service.Reviews(ctx, w.Reviewer, "birds", annotator.ReviewQuery{Order: "beauty"}); !errors.As(err, &invalid) || invalid.Field != "order" {
		t.Errorf("an order that is none: %v", err)
	}
	// Maps without figures come last: one of a network whose answer is not known.
	_, err = w.Store.Pool().Exec(ctx, `UPDATE edit_figures SET gain = NULL WHERE edit_id = $1`, tasks["bob high"].Edit.ID)
	w.must(err)
	for _, order := range []annotator.ReviewOrder{annotator.ReviewLoss, annotator.ReviewGain} {
		page, err := w.Service.Reviews(ctx, w.Reviewer, "birds", annotator.ReviewQuery{Order: order})
		if err != nil || page.Reviews[2].ID != tasks["bob high"].ID {
			t.Errorf("%s: what has no figure is not last: %+v, %v", order, page.Reviews, err)
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

// What a project says that there is to judge is what the rules let the person who asks judge: neither what they drew in, nor where they paint
// another map of the image, nor what they said of a label. For painters and the command line there is nothing.
func TestWhatWaitsIsWhatMayBeJudged(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	w.submitted(w.Ada)
	w.submitted(w.Reviewer)
	own := w.submitted(w.Admin)
	if _, err := w.Service.ClaimReview(ctx, w.Reviewer, own.ID); err != nil { // it waits all the same
		t.Fatal(err)
	}
	w.overlap(100, 2)
	for range 2 {
		w.submitted(w.Reviewer)
		w.submitted(w.Ada)
	}
	for who, says := range map[annotator.User]annotator.LabelAnswer{w.Reviewer: annotator.LabelIsAmbiguous, w.Bob: annotator.LabelIsNone} {
		d := w.next(who)
		if _, err := w.Service.ProposeLabel(ctx, who, d.ImageID, annotator.LabelProposal{Says: says}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := w.Service.Reviews(ctx, w.Reviewer, "birds", annotator.ReviewQuery{})
	w.must(err)
	labels, err := w.Service.LabelVerdicts(ctx, w.Reviewer, "birds", annotator.LabelFilter{})
	w.must(err)
	judgeable := map[int]int{}
	for _, who := range []annotator.User{w.Ada, w.Reviewer, w.Admin, annotator.System} {
		var maps, verdicts int
		for _, c := range page.Reviews {
			if c.MayJudge(who) == nil {
				maps++
			}
		}
		for _, l := range labels {
			if l.MayJudge(who) == nil {
				verdicts++
			}
		}
		p, err := w.Service.Project(ctx, who, "birds")
		if err != nil || p.ToReview != maps || p.LabelsToJudge != verdicts || p.InReview != page.Total || p.LabelsWaiting != 2 {
			t.Errorf("%s: %d of %d maps and %d of %d labels to judge, want %d and %d, %v", who.Name, p.ToReview, p.InReview, p.LabelsToJudge, p.LabelsWaiting, maps, verdicts, err)
		}
		judgeable[maps]++
	}
	if len(judgeable) < 3 || page.Total < 5 {
		t.Errorf("the test tells nobody apart: %v of %d", judgeable, page.Total)
	}
}
