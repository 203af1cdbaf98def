package annotator_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/agreement"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/orders"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

// overlap has several people paint a share of the project's images.
func (w *world) overlap(share, painters int) {
	w.t.Helper()
	_, err := w.Service.ChangeProject(w.t.Context(), w.Admin, "birds", annotator.ProjectChange{Overlap: &annotator.Overlap{Share: share, Painters: painters, Seed: 7}})
	w.must(err)
}

// draws saves and submits values as a map of a task that somebody holds.
func (w *world) draws(who annotator.User, task int64, values ...float32) annotator.TaskDetail {
	w.t.Helper()
	m := attention.Map{Height: 2, Width: 3, Values: values}
	e, err := w.Service.SaveDraft(w.t.Context(), who, task, annotator.Draft{Source: annotator.SourcePainted, Map: m})
	w.must(err)
	d, err := w.Service.Submit(w.t.Context(), who, task, e.Revision)
	w.must(err)
	return d
}

// slots are those of an image, by their numbers.
func (w *world) slots(image int64) []annotator.Slot {
	w.t.Helper()
	all, err := w.Store.Slots(w.t.Context(), w.Project.ID, image, 1)
	w.must(err)
	return all
}

// Two painters paint three images of one class; what they agree on, its floor and that no ceiling is known are the figures that follow by
// hand. The reviewer adopts the mean; a round learns from that alone.
func TestTwoPaintersAgreeAndTheirMeanIsAdopted(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	service := annotator.NewService(annotator.ServiceConfig{Store: w.Store, Scorer: constantScorer{}, Agreement: agreement.Measures{}, Clock: w.Clock.Now})
	w.Service = service
	w.overlap(100, 2)
	label := 0 // train/0, train/3, pool/0
	f := annotator.TaskFilter{Project: "birds", Label: &label}
	// The ranks 1 2 3 4 5 6 and 1 3 2 4 5 6: ρ = 1 − 6·2/(6·35) = 33/35; soft IoU 2.8/3.2.
	maps := map[string][][]float32{
		"train/0.png": {{0, 0.2, 0.4, 0.6, 0.8, 1}, {0, 0.4, 0.2, 0.6, 0.8, 1}},
		"train/3.png": {{0, 0.2, 0.4, 0.6, 0.8, 1}, {1, 0.8, 0.6, 0.4, 0.2, 0}}, // turned around: ρ −1, 1.2/4.8
		"pool/0.png":  {{0, 0, 0, 0, 1, 1}, {0, 0, 0, 0, 1, 1}},                 // the same: 1 and 1
	}
	byTask := map[int64]string{}
	for range 3 {
		for i, who := range []annotator.User{w.Ada, w.Bob} {
			d, err := service.NextTask(ctx, who, f)
			w.must(err)
			byTask[d.ID] = d.Image.Name
			w.draws(who, d.ID, maps[d.Image.Name][i]...)
		}
	}
	if _, err := service.NextTask(ctx, w.Ada, f); !errors.Is(err, annotator.ErrNoTask) {
		t.Errorf("Ada has painted all three: %v", err)
	}
	if _, err := service.NextTask(ctx, w.Admin, f); !errors.Is(err, annotator.ErrNoTask) {
		t.Errorf("a third painter gets one of two slots: %v", err)
	}
	shared, err := service.Shared(ctx, w.Reviewer, "birds")
	w.must(err)
	if shared.Counts[annotator.SharedReady] != 3 || len(shared.Images) != 3 || len(shared.Agreement) != 2 {
		t.Fatalf("%+v", shared)
	}
	for i, want := range []float64{(33.0/35 - 1 + 1) / 3, (2.8/3.2 + 1.2/4.8 + 1) / 3} {
		a := shared.Agreement[i]
		if a.Between == nil || math.Abs(a.Between.Value-want) > 1e-6 || a.Between.Images != 3 {
			t.Errorf("%s is %+v, want %v", a.Measure, a.Between, want)
		}
		if a.Ceiling != nil {
			t.Errorf("%s of two painters has a ceiling: %+v", a.Measure, a.Ceiling)
		}
		if a.Floor == nil || a.Floor.Images != 3 || a.Floor.Value >= 1 {
			t.Errorf("%s has the floor %+v", a.Measure, a.Floor)
		}
	}

	// Who painted may not adopt, and neither does a reviewer who has not seen the maps as they are.
	image := shared.Images[slices.IndexFunc(shared.Images, func(i annotator.SharedImage) bool { return i.Image.Name == "train/0.png" })].Image
	d, err := service.SharedImage(ctx, w.Reviewer, "birds", image.ID)
	w.must(err)
	if got := d.Mean.Values; math.Abs(float64(got[1])-0.3) > 1e-6 || math.Abs(float64(got[2])-0.3) > 1e-6 || got[5] != 1 {
		t.Errorf("the mean is %v", got)
	}
	if got := d.Deviation.Values; math.Abs(float64(got[1])-0.1) > 1e-6 || got[5] != 0 {
		t.Errorf("the deviation is %v", got)
	}
	if _, err := service.Adopt(ctx, w.Reviewer, "birds", image.ID, annotator.Adoption{Sources: d.Sources()[:1]}); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("adopting of other maps than those seen: %v", err)
	}
	if _, err := service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), ""); err == nil {
		t.Error("a round learns from maps that nobody judged")
	}
	adopted, err := service.Adopt(ctx, w.Reviewer, "birds", image.ID, annotator.Adoption{Sources: d.Sources(), Comment: "the beak"})
	w.must(err)
	if adopted.State != annotator.TaskApproved || adopted.Edit.State != annotator.EditApproved || adopted.Edit.Source != annotator.SourceAdopted ||
		adopted.Edit.Author != "Ada, Bob" || !adopted.Edit.Map.Equal(*d.Mean) || len(adopted.Reviews) != 1 || adopted.Reviews[0].Reviewer != "Rose" {
		t.Errorf("adopted %+v of %q by %+v", adopted.Edit, adopted.Edit.Author, adopted.Reviews)
	}
	for _, slot := range w.slots(image.ID) {
		if slot.State != annotator.TaskApproved || slot.AdoptedID != adopted.ID {
			t.Errorf("slot %d is %s", slot.Slot, slot.State)
		}
	}
	if _, err := service.Adopt(ctx, w.Reviewer, "birds", image.ID, annotator.Adoption{Sources: d.Sources()}); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("adopting twice: %v", err)
	}
	if _, err := service.Retract(ctx, w.Reviewer, d.Slots[0].EditID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("a verdict on a map that the adopted one is made of is taken back: %v", err)
	}

	// The second image: one of the two maps is adopted. The third waits, with both maps approved one by one.
	turned := shared.Images[slices.IndexFunc(shared.Images, func(i annotator.SharedImage) bool { return i.Image.Name == "train/3.png" })].Image
	second, err := service.SharedImage(ctx, w.Reviewer, "birds", turned.ID)
	w.must(err)
	one, err := service.Adopt(ctx, w.Reviewer, "birds", turned.ID, annotator.Adoption{Sources: second.Sources(), Edit: second.Slots[1].EditID})
	w.must(err)
	if one.Edit.Author != second.Slots[1].Painter || !one.Edit.Map.Equal(*second.Slots[1].Map) {
		t.Errorf("adopted %v by %s", one.Edit.Map, one.Edit.Author)
	}
	third := shared.Images[slices.IndexFunc(shared.Images, func(i annotator.SharedImage) bool { return i.Image.Name == "pool/0.png" })].Image
	for _, slot := range w.slots(third.ID) {
		_, err := service.Review(ctx, w.Reviewer, slot.EditID, annotator.VerdictApprove, "")
		w.must(err)
	}
	round, err := service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), "")
	w.must(err)
	learnt := map[int64]attention.Map{}
	for _, in := range pgtest.TrainingImages(t, w.Store, round.ID) {
		if in.Map != nil {
			learnt[in.Image.ID] = *in.Map
		}
	}
	if len(learnt) != 2 || !learnt[image.ID].Equal(*d.Mean) || !learnt[turned.ID].Equal(*second.Slots[1].Map) {
		t.Errorf("the round learns from %d maps: %v", len(learnt), learnt)
	}

	// The database holds to it, whatever program writes.
	if _, err := w.Store.Pool().Exec(ctx, `INSERT INTO round_edits (round_id, image_id, edit_id) VALUES ($1, $2, $3)`, round.ID, third.ID, w.slots(third.ID)[0].EditID); err == nil {
		t.Error("a round learns from a map that was not adopted")
	}
}

// constantScorer is a model that always gives the label a half.
type constantScorer struct{}

func (constantScorer) Score(context.Context, annotator.Version, annotator.Image, attention.Map) ([]float32, error) {
	return []float32{0.5, 0.25, 0.25}, nil
}

// Five people ask for tasks at once, again and again, with other ways to take one between: in the end no slot was two people's, and nobody
// has two slots of an image.
func TestSlotsAreGivenToDifferentPeopleAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	w.overlap(100, 3)
	people := []annotator.User{w.Admin, w.Reviewer, w.Ada, w.Bob, w.person("cy@example.org", annotator.RoleAnnotator)}
	var mutex sync.Mutex
	held := map[int64][]int64{} // task → everybody who ever got it
	var wait sync.WaitGroup
	for i := range 4 * len(people) {
		who := people[i%len(people)]
		wait.Go(func() {
			for n := range 6 {
				var d annotator.TaskDetail
				var err error
				if n%3 == 2 { // another slot of an image that they have: refused, whoever is first
					all, listing := w.Store.Slots(ctx, w.Project.ID, 0, 100)
					if listing != nil || len(all) == 0 {
						continue
					}
					d, err = w.Service.ClaimTask(ctx, who, all[(i+n)%len(all)].TaskID)
				} else {
					d, err = w.Service.NextTask(ctx, who, annotator.TaskFilter{Project: "birds"})
				}
				var lease *annotator.LeaseError
				var limit *annotator.LeaseLimitError
				switch {
				case errors.Is(err, annotator.ErrNoTask), errors.Is(err, annotator.ErrConflict), errors.As(err, &lease), errors.As(err, &limit):
					continue
				case err != nil:
					t.Error(err)
					return
				}
				mutex.Lock()
				if !slices.Contains(held[d.ID], who.ID) {
					held[d.ID] = append(held[d.ID], who.ID)
				}
				mutex.Unlock()
				if d.Edit == nil {
					_, err = w.Service.SaveDraft(ctx, who, d.ID, draft(0, 0.25))
					var stale *annotator.StaleError
					if err != nil && !errors.As(err, &stale) && !errors.As(err, &lease) {
						t.Error(err)
					}
				}
			}
		})
	}
	wait.Wait()
	// In turn, each slot finds somebody who has none of its image, whatever the rush left.
	left, err := w.Store.Slots(ctx, w.Project.ID, 0, 100)
	w.must(err)
	for _, slot := range left {
		for _, who := range people {
			if d, err := w.Service.ClaimTask(ctx, who, slot.TaskID); err == nil && !slices.Contains(held[d.ID], who.ID) {
				held[d.ID] = append(held[d.ID], who.ID)
			}
		}
	}
	of := map[[2]int64]int64{} // image and person → task
	slots, err := w.Store.Slots(ctx, w.Project.ID, 0, 100)
	w.must(err)
	begun := 0
	for _, slot := range slots {
		if len(held[slot.TaskID]) > 1 {
			t.Errorf("slot %d of image %d was given to %v", slot.Slot, slot.ImageID, held[slot.TaskID])
		}
		for _, who := range held[slot.TaskID] {
			begun++
			if other, twice := of[[2]int64{slot.ImageID, who}]; twice {
				t.Errorf("user %d got both %d and %d of image %d", who, other, slot.TaskID, slot.ImageID)
			}
			of[[2]int64{slot.ImageID, who}] = slot.TaskID
		}
	}
	if begun == 0 || begun != len(slots) {
		t.Errorf("%d of %d slots were given out", begun, len(slots))
	}
}

// Nobody sees what another paints of the image until all maps are approved: not in the queue, the task, its revisions, the image, an export
// or what a map can begin with.
func TestPaintersDoNotSeeEachOthersMaps(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	w.overlap(100, 2)
	mine := w.next(w.Ada)
	if mine.Slot != 1 || mine.Among.Painters != 2 {
		t.Fatalf("Ada got slot %d of %d", mine.Slot, mine.Among.Painters)
	}
	w.save(w.Ada, mine.ID, 0, 0.25)
	w.submit(w.Ada, mine.ID, 1)
	image := mine.ImageID
	sees := func(who annotator.User, task int64) (where []string) {
		t.Helper()
		d, err := w.Service.Task(ctx, who, task)
		w.must(err)
		if d.Edit != nil || d.EditMap != nil {
			where = append(where, "task")
		}
		page, err := w.Service.Tasks(ctx, who, annotator.TaskFilter{Project: "birds"})
		w.must(err)
		for _, card := range page.Tasks {
			if card.ID == task && card.EditMap != nil {
				where = append(where, "queue")
			}
		}
		if reviews, err := w.Service.Reviews(ctx, who, "birds", annotator.ReviewQuery{}); err == nil && slices.ContainsFunc(reviews.Reviews, func(c annotator.ReviewCard) bool {
			return c.ID == task && (c.EditMap != nil || c.Gain != nil || c.Disagreement != nil)
		}) {
			where = append(where, "reviews")
		}
		if all, err := w.Service.Revisions(ctx, who, task); err == nil && len(all) > 0 {
			where = append(where, "revisions")
		}
		one, err := w.Service.ImageDetail(ctx, who, image)
		w.must(err)
		if slices.ContainsFunc(one.Edits, func(e annotator.Edit) bool { return e.TaskID == task }) {
			where = append(where, "image")
		}
		for m, err := range w.Service.ExportMaps(ctx, who, "birds", annotator.ExportFilter{States: []string{"submitted"}, Revisions: true}) {
			w.must(err)
			if m.ImageID == image && m.Author != who.Name {
				where = append(where, "export")
			}
		}
		return where
	}
	if got := sees(w.Bob, mine.ID); len(got) > 0 {
		t.Errorf("Bob, who is to paint the image, sees Ada's map in %v", got)
	}
	if got := sees(w.Reviewer, mine.ID); len(got) != 6 {
		t.Errorf("a reviewer sees it in %v alone", got)
	}
	if d, err := w.Service.SharedImage(ctx, w.Admin, "birds", image); err != nil || !d.Withheld || d.Mean != nil || d.Slots[0].Map != nil {
		t.Errorf("an admin who could be given the other slot sees the maps: %+v, %v", d.Slots, err)
	}
	// A reviewer who paints a slot is as blind as any painter, and judges none of the maps.
	theirs, err := w.Service.ClaimTask(ctx, w.Reviewer, w.slots(image)[1].TaskID)
	w.must(err)
	if got := sees(w.Reviewer, mine.ID); len(got) > 0 {
		t.Errorf("a reviewer who paints the image sees Ada's map in %v", got)
	}
	if points := w.points(w.Reviewer, theirs.ID); len(points) != 1 {
		t.Errorf("a slot's map can begin with %v", points)
	}
	if _, err := w.Service.SharedImage(ctx, w.Reviewer, "birds", image); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("the page of all maps: %v", err)
	}
	w.save(w.Reviewer, theirs.ID, 0, 0.75)
	w.submit(w.Reviewer, theirs.ID, 1)
	w.judges(mine.ID, w.Admin)
	w.judges(theirs.ID, w.Admin)
	if _, err := w.Service.Correct(ctx, w.Admin, w.latest(mine.ID).ID, annotator.Draft{BaseRevision: 1, Source: annotator.SourcePainted, Map: draft(0, 0.5).Map}, annotator.Judgement{}); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("one of several maps is corrected: %v", err)
	}
	if _, err := w.Service.Adopt(ctx, w.Reviewer, "birds", image, annotator.Adoption{Sources: []int64{w.latest(mine.ID).ID, w.latest(theirs.ID).ID}}); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a painter adopts: %v", err)
	}
	detail, err := w.Service.SharedImage(ctx, w.Admin, "birds", image)
	if detail.Withheld {
		t.Error("the maps are withheld though nobody is to paint the image")
	}
	w.must(err)
	adopted, err := w.Service.Adopt(ctx, w.Admin, "birds", image, annotator.Adoption{Sources: detail.Sources()})
	w.must(err)
	if got := sees(w.Ada, theirs.ID); len(got) < 4 {
		t.Errorf("once all are approved Ada sees Rose's map in %v alone", got)
	}

	// What was adopted is taken back and another adopted; it is not returned to anybody.
	retracted, err := w.Service.Retract(ctx, w.Admin, adopted.Edit.ID)
	w.must(err)
	if _, err := w.Service.Review(ctx, w.Admin, retracted.Edit.ID, annotator.VerdictReject, "no"); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("what was adopted is returned to a program: %v", err)
	}
	again, err := w.Service.Adopt(ctx, w.Admin, "birds", image, annotator.Adoption{Sources: detail.Sources(), Edit: detail.Sources()[0]})
	w.must(err)
	if again.ID != adopted.ID || again.Edit.Revision != 2 || again.Edit.Author != "Ada" {
		t.Errorf("adopted again: task %d, revision %d by %s", again.ID, again.Edit.Revision, again.Edit.Author)
	}
	if all, err := w.Service.Revisions(ctx, w.Admin, again.ID); err != nil || len(all) != 2 || all[0].State != annotator.EditTakenBack || all[0].Author != "Ada, Rose" {
		t.Errorf("the history of what was adopted: %v, %v", all, err)
	}
}

// A slot in which somebody drew stays theirs when their lease is over; one that nobody began is anybody's. What nobody will paint is
// skipped, and the others' maps are adopted without it. Slots outlive another version's scan together.
func TestSlotsStayTogether(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	w.overlap(100, 2)
	drew := w.next(w.Ada)
	w.save(w.Ada, drew.ID, 0, 0.25)
	image := drew.ImageID
	looked, err := w.Service.ClaimTask(ctx, w.Bob, w.slots(image)[1].TaskID)
	w.must(err)
	w.Clock.Add(time.Hour)
	if d := w.next(w.Reviewer); d.ID != looked.ID {
		t.Errorf("Rose got task %d, want the slot that Bob did not begin", d.ID)
	} else {
		w.must(w.Service.GiveBack(ctx, w.Reviewer, d.ID))
	}
	if _, err := w.Service.ClaimTask(ctx, w.Reviewer, drew.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("Rose takes the slot that Ada began: %v", err)
	}
	w.Clock.Add(time.Hour)
	if err := w.Service.Skip(ctx, w.Bob, drew.ID, "not mine"); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("Bob puts the slot that Ada began aside: %v", err)
	}
	given, err := w.Service.ChangeTasks(ctx, w.Admin, "birds", annotator.BulkChange{Action: annotator.BulkAssign, Tasks: []int64{looked.ID}, User: w.Ada.ID})
	w.must(err)
	if why := given.Why; !strings.Contains(why, w.Ada.Name+" has another of them") {
		t.Errorf("whoever assigns it is told %s", why)
	}
	for _, slot := range w.slots(image) {
		task, err := w.Store.Task(ctx, slot.TaskID)
		w.must(err)
		if task.AssignedTo != nil {
			t.Errorf("Ada, who paints slot 1, is assigned slot %d too", slot.Slot)
		}
	}

	version, err := w.Store.AddVersion(ctx, w.Project.ID, pgtest.NewVersion(5))
	w.must(err)
	_, err = w.Service.ActivateVersion(ctx, w.Admin, version.ID, "")
	w.must(err)
	w.must(w.Scan(ctx, version.ID))
	if slots := w.slots(image); len(slots) != 2 || slots[0].TaskID != drew.ID || slots[1].TaskID != looked.ID {
		t.Errorf("after another version's scan: %+v", slots)
	}
	again, err := w.Service.ClaimTask(ctx, w.Ada, drew.ID)
	w.must(err)
	w.submit(w.Ada, again.ID, 1)
	if _, err := w.Service.Adopt(ctx, w.Reviewer, "birds", image, annotator.Adoption{Sources: []int64{w.latest(drew.ID).ID}}); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("adopted before the other slot is painted: %v", err)
	}
	w.must(w.Service.Skip(ctx, w.Reviewer, looked.ID, "nobody else is there"))
	d, err := w.Service.SharedImage(ctx, w.Reviewer, "birds", image)
	w.must(err)
	if d.State != annotator.SharedReady || len(d.Sources()) != 1 {
		t.Errorf("with one map of two: %s, %v", d.State, d.Sources())
	}
	_, err = w.Service.Adopt(ctx, w.Reviewer, "birds", image, annotator.Adoption{Sources: d.Sources()})
	w.must(err)
}

// Which images are painted by several is the hash's choice: about the share, the same again, and more of them with a larger share.
func TestOverlapCoversItsShare(t *testing.T) {
	t.Parallel()
	covered := func(o annotator.Overlap) (all []int64) {
		for image := range int64(10_000) {
			if o.Covers(image) {
				all = append(all, image)
			}
		}
		return all
	}
	few, many := covered(annotator.Overlap{Share: 10, Painters: 2, Seed: 3}), covered(annotator.Overlap{Share: 20, Painters: 2, Seed: 3})
	if len(few) < 900 || len(few) > 1100 || len(many) < 1850 || len(many) > 2150 {
		t.Errorf("10 and 20 per cent of 10,000 images are %d and %d", len(few), len(many))
	}
	for _, image := range few {
		if !slices.Contains(many, image) {
			t.Fatalf("image %d is covered at 10 per cent and not at 20", image)
		}
	}
	if slices.Equal(few, covered(annotator.Overlap{Share: 10, Painters: 2, Seed: 4})) {
		t.Error("another seed chooses the same images")
	}
	if len(covered(annotator.NoOverlap())) != 0 || len(covered(annotator.Overlap{Share: 100})) != 10_000 {
		t.Error("0 and 100 per cent are not none and all")
	}

	w := setup(t)
	w.mix(orders.Mix{orders.Random: 100})
	w.overlap(50, 2)
	o := annotator.Overlap{Share: 50, Painters: 2, Seed: 7}
	for _, d := range w.drawn(w.Ada, annotator.TaskFilter{}, 20) {
		if (d.Slot == 1) != o.Covers(d.ImageID) {
			t.Errorf("image %d was given out with slot %d", d.ImageID, d.Slot)
		}
	}
	for _, o := range []annotator.Overlap{{Share: 101, Painters: 2}, {Share: -1, Painters: 2}, {Share: 5, Painters: 1}, {Share: 5, Painters: 6}} {
		var invalid *annotator.ValidationError
		if _, err := w.Service.ChangeProject(t.Context(), w.Admin, "birds", annotator.ProjectChange{Overlap: &o}); !errors.As(err, &invalid) {
			t.Errorf("%+v is accepted: %v", o, err)
		}
	}
}
