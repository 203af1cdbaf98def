package annotator_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

func TestStartRound(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	var invalid *annotator.ValidationError
	if _, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), ""); !errors.As(err, &invalid) || invalid.Field != "edits" {
		t.Errorf("without an approved edit: %v", err)
	}
	w.approved()
	for field, change := range map[string]func(*recipe.Settings){
		"gamma": func(s *recipe.Settings) { s.Gamma = -1 }, "epochs": func(s *recipe.Settings) { s.Epochs = 0 },
		"learning_rate": func(s *recipe.Settings) { s.LearningRate = 0 }, "batch_size": func(s *recipe.Settings) { s.BatchSize = 1 },
	} {
		wrong := recipe.Defaults()
		change(&wrong)
		if _, err := w.Service.StartRound(ctx, w.Admin, "birds", wrong, ""); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%+v: %v, want an error of %s", wrong, err, field)
		}
	}
	defaults, edits, err := w.Service.RoundDefaults(ctx, w.Ada, "birds")
	if err != nil || edits != 1 || defaults.Validate(recipe.Round) != nil {
		t.Errorf("RoundDefaults = %+v, %d, %v", defaults, edits, err)
	}
	// The same request three times at once is one round.
	var all sync.WaitGroup
	var mu sync.Mutex
	ids := map[int64]bool{}
	for range 3 {
		all.Go(func() {
			r, err := w.Service.StartRound(ctx, w.Admin, "birds", defaults, "key-1")
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			ids[r.ID] = true
		})
	}
	all.Wait()
	if len(ids) != 1 {
		t.Fatalf("one key started %d rounds", len(ids))
	}
	if _, err := w.Service.StartRound(ctx, w.Admin, "birds", defaults, "key-2"); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("a second round meanwhile: %v, want ErrConflict", err)
	}
	rounds, err := w.Service.Rounds(ctx, w.Ada, "birds")
	if err != nil || len(rounds) != 1 || rounds[0].State != annotator.RoundQueued || rounds[0].Edits != 1 || rounds[0].Images != 6 || rounds[0].StartedBy != "Grace" {
		t.Errorf("Rounds = %+v, %v; want one queued with 1 edit of 6 images", rounds, err)
	}
	p, err := w.Service.Project(ctx, w.Ada, "birds")
	if err != nil || p.RunningRound == nil || p.ApprovedEdits != 1 || p.OpenTasks != 7 || p.ActiveVersion == nil {
		t.Errorf("Project = %+v, %v", p, err)
	}
}

// A version whose manifest has a mean of pixels from 0 to 255, instead of 0 to 1, is neither trained nor activated.
func TestVersionThatCannotAnswer(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	w.approved()
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE versions SET manifest = '{"mean": [123.675, 116.28, 103.53], "std": [1, 1, 1]}' WHERE id = $1`, w.Version.ID); err != nil {
		t.Fatal(err)
	}
	var invalid *annotator.ValidationError
	if _, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), ""); !errors.As(err, &invalid) || invalid.Field != "version" || !strings.Contains(invalid.Message, "divide by 255") {
		t.Errorf("StartRound: %v", err)
	}
	if _, err := w.Service.ActivateVersion(ctx, w.Admin, w.Version.ID, ""); !errors.As(err, &invalid) || invalid.Field != "version" {
		t.Errorf("ActivateVersion: %v", err)
	}
}

func TestCancelQueuedRound(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	w.approved()
	r, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = w.Service.CancelRound(ctx, w.Admin, r.ID); err != nil || r.State != annotator.RoundCancelled {
		t.Fatalf("CancelRound = %s, %v", r.State, err)
	}
	if _, err = w.Service.CancelRound(ctx, w.Admin, r.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("cancelling it again: %v, want ErrConflict", err)
	}
	if _, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), ""); err != nil {
		t.Errorf("the next round: %v", err)
	}
	jobs, err := w.Service.Jobs(ctx, w.Ada, "birds")
	if err != nil || len(jobs) < 2 || jobs[0].State != "queued" || jobs[1].State != "cancelled" {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
}

func TestRoundEventsWaitForNews(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	w.approved()
	r, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	follow, err := w.Service.FollowRound(ctx, w.Ada, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	events, err := follow(ctx, 0)
	if err != nil || len(events) != 1 || events[0].Round == nil || events[0].Round.State != annotator.RoundQueued {
		t.Fatalf("the first events: %+v, %v", events, err)
	}
	last := events[0].ID

	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := follow(short, last); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for nothing: %v, want the context's end", err)
	}

	type answer struct {
		events []annotator.RoundEvent
		err    error
	}
	answers := make(chan answer)
	go func() {
		events, err := follow(ctx, last)
		answers <- answer{events, err}
	}()
	claim, _, err := w.Store.ClaimRound(ctx, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := <-answers
	if got.err != nil || len(got.events) != 1 || got.events[0].Round.State != annotator.RoundTraining {
		t.Fatalf("after the claim: %+v, %v", got.events, got.err)
	}
	last = got.events[0].ID
	if err := w.Store.AddRoundPoints(ctx, claim, []annotator.RoundPoint{{Arm: arms.Candidate, Step: 10, LossMap: 0.5}, {Arm: arms.Control, Step: 10}}); err != nil {
		t.Fatal(err)
	}
	events, err = follow(ctx, last)
	if err != nil || len(events) != 2 || events[0].Point == nil || events[0].Point.LossMap != 0.5 {
		t.Fatalf("the points: %+v, %v", events, err)
	}
	if err := w.Service.FailRound(ctx, claim, "the disk is full"); err != nil {
		t.Fatal(err)
	}
	events, err = follow(ctx, events[1].ID)
	if err != nil || len(events) != 1 || events[0].Round.Error != "the disk is full" {
		t.Fatalf("the end: %+v, %v", events, err)
	}
	if events, err = follow(ctx, events[0].ID); err != nil || len(events) != 0 {
		t.Errorf("after the end: %+v, %v; want none", events, err)
	}
	if _, err := w.Service.FollowRound(ctx, w.Ada, 4711); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("events of no round: %v", err)
	}
}

// The settings a form starts with are those of the active version's mechanism.
func TestRoundDefaultsSuitTheMechanism(t *testing.T) {
	t.Parallel()
	w := setup(t)
	folded := recipe.Defaults().LearningRate / recipe.HeldBack
	for n, of := range []struct {
		gain         attention.Gain
		rate         float64
		epochs       int
		gamma, wants float64
	}{{attention.GainOnePlusM, 0, 6, 1, 0.02}, {attention.GainM, 0.02, 12, 1, 0.02}, {attention.GainM, folded, 12, 2, 0.005}, {attention.GainOnePlusM, folded, 6, 1, 0.005}, {attention.GainOther, 0, 6, 1, 0.02}} {
		added := pgtest.NewVersion(n + 1)
		added.Gain, added.LearningRate = of.gain, of.rate
		v, err := w.Store.AddVersion(t.Context(), w.Project.ID, added)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Service.ActivateVersion(t.Context(), w.Admin, v.ID, ""); err != nil {
			t.Fatal(err)
		}
		plan, err := w.Service.RoundPlan(t.Context(), w.Admin, "birds")
		if s := plan.Settings; err != nil || s.Epochs != of.epochs || s.Gamma != of.gamma || s.LearningRate != of.wants {
			t.Errorf("%s with a rate of %v: %d epochs, γ %v, a rate of %v, %v; want %+v", of.gain, of.rate, s.Epochs, s.Gamma, s.LearningRate, err, of)
		}
	}
}

func TestActivateAndRollBack(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	untouched := w.next(w.Bob)
	if err := w.Service.GiveBack(ctx, w.Bob, untouched.ID); err != nil {
		t.Fatal(err)
	}
	painted := w.submitted(w.Ada)
	second, err := w.Store.AddVersion(ctx, w.Project.ID, pgtest.NewVersion(1))
	if err != nil || second.State != annotator.VersionCandidate || second.Number != 2 {
		t.Fatalf("the second version: %+v, %v", second, err)
	}
	v, err := w.Service.ActivateVersion(ctx, w.Admin, second.ID, "")
	if err != nil || v.State != annotator.VersionActive || v.ActivatedAt == nil {
		t.Fatalf("ActivateVersion = %+v, %v", v, err)
	}
	jobs, err := w.Service.Jobs(ctx, w.Ada, "birds")
	if err != nil || jobs[0].Kind != annotator.JobScan || jobs[0].State != "queued" || jobs[0].Total != 12 {
		t.Errorf("the scan: %+v, %v", jobs[0], err)
	}
	if err := w.Scan(ctx, second.ID); err != nil {
		t.Fatal(err)
	}
	page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	if err != nil || page.Total != 8 {
		t.Fatalf("%d tasks after the scan, %v; want 8", page.Total, err)
	}
	for _, c := range page.Tasks {
		if want := second.ID; c.ID == painted.ID {
			if c.VersionID != w.Version.ID || c.State != annotator.TaskSubmitted {
				t.Errorf("the painted task became %+v", c.Task)
			}
		} else if c.VersionID != want {
			t.Errorf("task %d is of version %d, want %d", c.ID, c.VersionID, want)
		}
	}
	if v, err = w.Service.ActivateVersion(ctx, w.Admin, w.Version.ID, ""); err != nil || v.State != annotator.VersionActive {
		t.Fatalf("rolling back: %+v, %v", v, err)
	}
	versions, err := w.Service.Versions(ctx, w.Ada, "birds")
	if err != nil || len(versions) != 2 || versions[1].State != annotator.VersionArchived || versions[0].Scanned != 12 {
		t.Errorf("versions %+v, %v", versions, err)
	}
}
