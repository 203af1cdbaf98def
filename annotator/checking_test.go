package annotator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/agreement"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// leftChecks is a known mask of the left half of every picture: a map's share inside it is that of its left columns.
type leftChecks struct{}

func (leftChecks) CheckMap(_ context.Context, _ annotator.Version, _ annotator.Image, m attention.Map) (annotator.CheckScore, bool, error) {
	mask := attention.Map{Height: 2, Width: 3, Values: []float32{1, 0.5, 0, 1, 0.5, 0}}
	hit := m.Values[0] > m.Values[2]
	return annotator.CheckScore{Inside: m.InsideFraction(mask), Area: 0.5, Pointing: &hit}, true, nil
}

// checked is the world with images that have masks, and a service that scores checks.
func checked(t *testing.T, masks, without int) *world {
	t.Helper()
	w := setup(t)
	w.Service = annotator.NewService(annotator.ServiceConfig{Store: w.Store, Scorer: constantScorer{}, Agreement: agreement.Measures{}, Checking: leftChecks{}, Clock: w.Clock.Now})
	var images []annotator.NewImage
	for i := range masks + without {
		n := annotator.NewImage{Name: fmt.Sprintf("more/%03d.png", i), Split: annotator.SplitTrain, Class: "class-0", Hash: pgtest.Hash(3000 + i), Width: 64, Height: 48}
		if i < masks {
			n.MaskHash = pgtest.Hash(9000 + i)
		}
		images = append(images, n)
	}
	_, err := w.Store.AddImages(t.Context(), w.Project.ID, images)
	w.must(err)
	w.must(w.Scan(t.Context(), w.Version.ID))
	return w
}

func (w *world) checks(share int) {
	w.t.Helper()
	_, err := w.Service.ChangeProject(w.t.Context(), w.Admin, "birds", annotator.ProjectChange{CheckShare: &share})
	w.must(err)
}

// About the share of the tasks that somebody is given are checks, of images with masks; nothing that they are told says which.
func TestAShareOfTasksAreChecks(t *testing.T) {
	t.Parallel()
	w := checked(t, 60, 60)
	w.checks(25)
	given, checks := 0, 0
	told := map[bool]map[string]bool{true: {}, false: {}} // the fields that a painter is told of checks and of others
	for range 80 {
		d, err := w.Service.NextTask(t.Context(), w.Ada, annotator.TaskFilter{Project: "birds"})
		w.must(err)
		task, err := w.Store.Task(t.Context(), d.ID)
		w.must(err)
		given++
		if task.Check {
			checks++
			if d.Image.MaskHash == "" {
				t.Errorf("image %d is a check without a mask", d.ImageID)
			}
		}
		raw, err := json.Marshal(d)
		w.must(err)
		for _, field := range regexp.MustCompile(`"([a-z_]+)":`).FindAllSubmatch(raw, -1) {
			told[task.Check][string(field[1])] = true
		}
		told[task.Check]["handed by "+string(d.HandedBy)] = true
		w.must(w.Service.Skip(t.Context(), w.Ada, d.ID, "next"))
	}
	if !maps.Equal(told[true], told[false]) {
		t.Errorf("of checks a painter is told %v, of other tasks %v", slices.Sorted(maps.Keys(told[true])), slices.Sorted(maps.Keys(told[false])))
	}
	if checks < 10 || checks > 32 {
		t.Errorf("%d of %d tasks were checks, of 25 per cent", checks, given)
	}
	all, err := w.Store.Images(t.Context(), w.Project.ID)
	w.must(err)
	masked := all[slices.IndexFunc(all, func(i annotator.Image) bool { return i.MaskHash != "" })].ID
	bareImage := all[slices.IndexFunc(all, func(i annotator.Image) bool { return i.MaskHash == "" })].ID
	for _, image := range []int64{masked, bareImage} { // the same answer, or it would tell which images have masks: only these become checks
		if _, err := w.Service.Mask(t.Context(), w.Ada, image); !errors.Is(err, annotator.ErrForbidden) {
			t.Errorf("a painter asks for a mask of image %d: %v", image, err)
		}
		if d, err := w.Service.ImageDetail(t.Context(), w.Ada, image); err != nil || d.HasMask {
			t.Errorf("a painter is told that image %d has a mask: %v", image, err)
		}
	}
	if d, err := w.Service.ImageDetail(t.Context(), w.Reviewer, masked); err != nil || !d.HasMask {
		t.Errorf("a reviewer is not told that image %d has a mask: %v", masked, err)
	}
	if _, err := w.Service.Mask(t.Context(), w.Reviewer, masked); !errors.Is(err, annotator.ErrUnavailable) { // there is no blob store
		t.Errorf("a reviewer asks for a mask: %v", err)
	}
	share := 101
	var invalid *annotator.ValidationError
	if _, err := w.Service.ChangeProject(t.Context(), w.Admin, "birds", annotator.ProjectChange{CheckShare: &share}); !errors.As(err, &invalid) {
		t.Errorf("101 per cent: %v", err)
	}
	if _, err := w.Service.SetStart(t.Context(), w.Admin, "birds", attention.Start{Method: attention.StartArea}); !errors.As(err, &invalid) {
		t.Errorf("maps begin with what they are scored against: %v", err)
	}
	bare := setup(t)
	share = 5
	if _, err := bare.Service.ChangeProject(t.Context(), bare.Admin, "birds", annotator.ProjectChange{CheckShare: &share}); !errors.As(err, &invalid) {
		t.Errorf("checks without masks: %v", err)
	}
}

// What each person did, by hand: images, minutes a map, verdicts, agreement and checks. A person sees themself, a reviewer everybody.
func TestWorkOfEachPerson(t *testing.T) {
	t.Parallel()
	w := checked(t, 4, 0)
	ctx := t.Context()
	w.overlap(100, 2)
	w.checks(100)
	paint := func(who annotator.User, seconds float64, values ...float32) annotator.TaskDetail {
		t.Helper()
		d, err := w.Service.NextTask(ctx, who, annotator.TaskFilter{Project: "birds"})
		w.must(err)
		e, err := w.Service.SaveDraft(ctx, who, d.ID, annotator.Draft{Source: annotator.SourcePainted, Map: attention.Map{Height: 2, Width: 3, Values: values}, Provenance: fmt.Appendf(nil, `{"seconds": %v}`, seconds)})
		w.must(err)
		d, err = w.Service.Submit(ctx, who, d.ID, e.Revision)
		w.must(err)
		w.Clock.Add(time.Second)
		return d
	}
	first := paint(w.Ada, 60, 1, 0, 0, 1, 0, 0)   // all inside
	second := paint(w.Ada, 180, 0, 0, 1, 0, 0, 1) // nothing inside
	paint(w.Bob, 30, 1, 0, 0, 1, 0, 0)            // as Ada's first
	paint(w.Bob, 30, 1, 0, 0, 1, 0, 0)            // no cell of Ada's second
	_, err := w.Service.Review(ctx, w.Reviewer, first.Edit.ID, annotator.VerdictApprove, "")
	w.must(err)
	_, err = w.Service.Review(ctx, w.Reviewer, second.Edit.ID, annotator.VerdictReject, "not there")
	w.must(err)

	people, err := w.Service.Work(ctx, w.Reviewer, "birds")
	w.must(err)
	if len(people) != 2 || people[0].Name != "Ada" || people[1].Name != "Bob" {
		t.Fatalf("%+v", people)
	}
	ada, bob := people[0], people[1]
	if ada.Images != 2 || ada.Minutes == nil || *ada.Minutes != 2 || ada.Judged != 2 || *ada.Rate != 0.5 {
		t.Errorf("Ada: %+v, %v minutes", ada, *ada.Minutes)
	}
	if c := ada.Checks; c == nil || c.Images != 2 || math.Abs(c.Inside-0.5) > 1e-6 || c.Area != 0.5 || c.Pointed != 2 || c.Pointing != 1 {
		t.Errorf("Ada's checks: %+v", ada.Checks)
	}
	// Of Ada's two maps one was returned and is not in force: both agree on the first image alone.
	if l := ada.Agreement["soft_iou"]; l.Images != 1 || l.Value != 1 || bob.Agreement["soft_iou"] != l {
		t.Errorf("agreement: %+v and %+v", ada.Agreement, bob.Agreement)
	}
	if bob.Judged != 0 || bob.Rate != nil || bob.Checks.Inside != 1 || *bob.Minutes != 0.5 {
		t.Errorf("Bob: %+v", bob)
	}
	if own, err := w.Service.Work(ctx, w.Bob, "birds"); err != nil || len(own) != 1 || own[0].UserID != w.Bob.ID {
		t.Errorf("Bob sees %+v, %v", own, err)
	}
	// What Ada paints anew does not better her check: the map before anybody commented on it counts.
	again, err := w.Service.ClaimTask(ctx, w.Ada, second.ID)
	w.must(err)
	e, err := w.Service.SaveDraft(ctx, w.Ada, again.ID, annotator.Draft{BaseRevision: 1, Source: annotator.SourcePainted, Map: attention.Map{Height: 2, Width: 3, Values: []float32{1, 0, 0, 1, 0, 0}}})
	w.must(err)
	_, err = w.Service.Submit(ctx, w.Ada, again.ID, e.Revision)
	w.must(err)
	// Her own figures move the day after, and not with each check: she would see which of her tasks was one.
	if own, err := w.Service.Work(ctx, w.Ada, "birds"); err != nil || own[0].Checks != nil {
		t.Errorf("on the same day Ada is told %+v, %v", own[0].Checks, err)
	}
	w.Clock.Add(24 * time.Hour)
	if own, err := w.Service.Work(ctx, w.Ada, "birds"); err != nil || own[0].Checks == nil || math.Abs(own[0].Checks.Inside-0.5) > 1e-6 || own[0].Agreement["soft_iou"].Images != 2 {
		t.Errorf("after repainting: %+v, %v", own[0].Checks, err)
	}
}
