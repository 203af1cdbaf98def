package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"

	"github.com/google/go-cmp/cmp"
)

func startRound(t *testing.T, w *pgtest.World) annotator.Round {
	t.Helper()
	r, err := w.Service.StartRound(t.Context(), w.Admin, "birds", recipe.Defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A worker dies in a round and another one takes the round over. When the first comes back, it can change nothing.
func TestRoundIsFencedByItsAttempt(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.75)
	round := startRound(t, w)
	dead, r, err := w.Store.ClaimRound(ctx, round.ID)
	if err != nil || r.State != annotator.RoundTraining || r.StartedAt == nil {
		t.Fatalf("ClaimRound = %+v, %v", r, err)
	}
	points := []annotator.RoundPoint{{Arm: arms.Candidate, Step: 10, LossMap: 1}, {Arm: arms.Candidate, Step: 20, LossMap: 0.5}}
	if err := w.Store.AddRoundPoints(ctx, dead, points); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.StartEvaluating(ctx, dead); err != nil {
		t.Fatal(err)
	}
	claim, _, err := w.Store.ClaimRound(ctx, round.ID)
	if err != nil || claim.Attempt != 2 {
		t.Fatalf("the second claim: %+v, %v", claim, err)
	}
	for name, err := range map[string]error{
		"SetRoundProgress": w.Store.SetRoundProgress(ctx, dead, annotator.RoundProgress{}),
		"SetRoundWait":     w.Store.SetRoundWait(ctx, dead, annotator.WaitRoom),
		"SetUnreadable":    w.Store.SetUnreadable(ctx, dead, annotator.Unreadable{}),
		"AddRoundPoints":   w.Store.AddRoundPoints(ctx, dead, points),
		"DropRoundPoints":  w.Store.DropRoundPoints(ctx, dead),
		"FailRound":        w.Service.FailRound(ctx, dead, "x"),
		"StopRound":        w.Store.StopRound(ctx, dead),
	} {
		if !errors.Is(err, annotator.ErrSuperseded) {
			t.Errorf("%s of the dead worker: %v, want ErrSuperseded", name, err)
		}
	}
	if _, err := w.Service.FinishRound(ctx, dead, pgtest.NewVersion(1), annotator.RoundResult{}, annotator.RoundRows{}); !errors.Is(err, annotator.ErrSuperseded) {
		t.Errorf("FinishRound of the dead worker: %v, want ErrSuperseded", err)
	}
	// It resumes at step 10 and reports step 20 again.
	if err := w.Store.AddRoundPoints(ctx, claim, append(points[1:], annotator.RoundPoint{Arm: arms.Candidate, Step: 30})); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.SetRoundProgress(ctx, claim, annotator.RoundProgress{Phase: "candidate", Fraction: 0.5, Step: 30, Steps: 60}); err != nil {
		t.Fatal(err)
	}
	v, err := w.Service.FinishRound(ctx, claim, pgtest.NewVersion(1), annotator.RoundResult{Headline: "Maps helped.", Images: 4}, annotator.RoundRows{})
	if err != nil || v.State != annotator.VersionCandidate || v.Number != 2 || *v.ParentID != w.Version.ID || *v.RoundID != round.ID {
		t.Fatalf("FinishRound = %+v, %v", v, err)
	}
	if _, _, err := w.Store.ClaimRound(ctx, round.ID); !errors.Is(err, annotator.ErrRoundOver) {
		t.Errorf("claiming it again: %v, want ErrRoundOver", err)
	}
	done, err := w.Store.Round(ctx, round.ID)
	if err != nil || done.State != annotator.RoundFinished || done.Version == nil || *done.Version != v.ID || done.Result.Headline != "Maps helped." || done.Progress.Fraction != 1 {
		t.Errorf("the round: %+v, %v", done, err)
	}
	events, err := w.Store.WaitRoundEvents(ctx, round.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for _, e := range events {
		if e.Point != nil {
			steps++
		}
	}
	if steps != 3 || events[len(events)-1].Round == nil || events[len(events)-1].Round.State != annotator.RoundFinished {
		t.Errorf("%d points and the last event %+v; want steps 10, 20, 30 and then the end", steps, events[len(events)-1])
	}
	if versions, err := w.Store.Versions(ctx, w.Project.ID); err != nil || len(versions) != 2 {
		t.Errorf("%d versions, %v; want 2", len(versions), err)
	}
}

func TestCancelRunningRound(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.75)
	round := startRound(t, w)
	claim, _, err := w.Store.ClaimRound(ctx, round.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.StopRound(ctx, claim); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("stopping a round nobody cancelled: %v, want ErrConflict", err)
	}
	r, err := w.Service.CancelRound(ctx, w.Admin, round.ID)
	if err != nil || r.State != annotator.RoundTraining || !r.Cancelling {
		t.Fatalf("CancelRound = %+v, %v; want it cancelling", r, err)
	}
	if _, err := w.Service.FinishRound(ctx, claim, pgtest.NewVersion(1), annotator.RoundResult{}, annotator.RoundRows{}); !errors.Is(err, annotator.ErrRoundCancelled) {
		t.Errorf("finishing a cancelled round: %v, want ErrRoundCancelled", err)
	}
	if err := w.Store.SetRoundProgress(ctx, claim, annotator.RoundProgress{}); !errors.Is(err, annotator.ErrRoundCancelled) {
		t.Errorf("its progress: %v, want ErrRoundCancelled", err)
	}
	if err := w.Store.StopRound(ctx, claim); err != nil {
		t.Fatal(err)
	}
	if r, err = w.Store.Round(ctx, round.ID); err != nil || r.State != annotator.RoundCancelled || r.Cancelling {
		t.Errorf("the round: %+v, %v", r, err)
	}
	if versions, err := w.Store.Versions(ctx, w.Project.ID); err != nil || len(versions) != 1 {
		t.Errorf("it left %d versions, %v; want 1", len(versions), err)
	}
}

// A round that is cancelled while its worker is dead ends when the next worker claims it.
func TestCancelOfARoundWithoutAWorker(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.75)
	round := startRound(t, w)
	if _, _, err := w.Store.ClaimRound(ctx, round.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.CancelRound(ctx, w.Admin, round.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Store.ClaimRound(ctx, round.ID); !errors.Is(err, annotator.ErrRoundCancelled) {
		t.Errorf("ClaimRound = %v, want ErrRoundCancelled", err)
	}
	if r, err := w.Store.Round(ctx, round.ID); err != nil || r.State != annotator.RoundCancelled {
		t.Errorf("the round: %s, %v", r.State, err)
	}
}

// The edits that a round learns from are fixed when it starts.
func TestRoundInputs(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	first := w.Approve(t, 0.75)
	pool := w.Images[6]
	author, err := w.Store.GeneratorUser(ctx, "Mask generator")
	if err != nil {
		t.Fatal(err)
	}
	reviewer, err := w.Store.GeneratorUser(ctx, "Mask reviewer")
	if err != nil || reviewer.ID == author.ID {
		t.Fatalf("two generators: %+v, %+v, %v", author, reviewer, err)
	}
	seed := func() (int, error) {
		return w.Service.SeedEdits(ctx, annotator.System, w.Version.ID, "Mask generator", "Mask reviewer", []annotator.SeedEdit{
			{ImageID: pool.ID, Map: pgtest.Map(1)}, {ImageID: w.Images[0].ID, Map: pgtest.Map(1)}, // the second has Ada's
		})
	}
	if n, err := seed(); err != nil || n != 1 {
		t.Fatalf("SeedEdits = %d, %v; want 1", n, err)
	}
	if n, err := seed(); err != nil || n != 0 {
		t.Errorf("SeedEdits again = %d, %v; want 0", n, err)
	}
	round := startRound(t, w)
	w.Approve(t, 0.25) // too late for the round
	more(t, w, 5)
	in, err := w.Store.RoundInputs(ctx, round.ID)
	if err != nil {
		t.Fatal(err)
	}
	train := pgtest.TrainingImages(t, w.Store, round.ID)
	if in.Round.Edits != 2 || in.Round.Images != 7 || len(train) != 7 || in.Parent.ID != w.Version.ID || len(in.Project.Classes) != 3 {
		t.Errorf("the round has %d edits, %d images, %d to train on", in.Round.Edits, in.Round.Images, len(train))
	}
	maps := map[int64]bool{}
	for _, image := range train {
		if image.Map != nil {
			maps[image.Image.ID] = true
		}
		if image.Image.ID == w.Images[0].ID && (image.Map == nil || !image.Map.Equal(first.Map)) {
			t.Errorf("Ada's edit came back as %v", image.Map)
		}
	}
	if len(maps) != 2 || !maps[pool.ID] {
		t.Errorf("maps on images %v, want on %d and %d", maps, w.Images[0].ID, pool.ID)
	}
	if in.EvalSplit != annotator.SplitTest || len(in.Eval) != 4 {
		t.Errorf("measured on %d images of %s, want 4 of test", len(in.Eval), in.EvalSplit)
	}
}

// Early stopping measures on the validation images, unless the round itself is measured on them.
func TestRoundInputsForEarlyStopping(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.75)
	images := make([]annotator.NewImage, 3)
	for i := range images {
		images[i] = annotator.NewImage{Name: fmt.Sprintf("validation/%d.png", i), Split: annotator.SplitValidation, Class: "class-1", Hash: pgtest.Hash(3000 + i), Width: 8, Height: 8}
	}
	if added, err := w.Store.AddImages(ctx, w.Project.ID, images); err != nil || added != len(images) {
		t.Fatalf("AddImages = %d, %v", added, err)
	}
	for patience, want := range map[int]int{0: 0, 2: 3} {
		settings := recipe.Defaults()
		settings.Patience = patience
		round, err := w.Service.StartRound(ctx, w.Admin, "birds", settings, "")
		if err != nil {
			t.Fatal(err)
		}
		in, err := w.Store.RoundInputs(ctx, round.ID)
		if err != nil || in.EvalSplit != annotator.SplitTest || len(in.Eval) != 4 || len(in.Validation) != want {
			t.Errorf("patience %d: %d validation images beside %d of %s, %v; want %d", patience, len(in.Validation), len(in.Eval), in.EvalSplit, err, want)
		}
		if _, err := w.Service.CancelRound(ctx, w.Admin, round.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// A round keeps its list of unreadable images until another worker reads them again. Its fraction does not fall when one takes over.
func TestRoundKeepsWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.75)
	round := startRound(t, w)
	claim, _, err := w.Store.ClaimRound(ctx, round.ID)
	if err != nil {
		t.Fatal(err)
	}
	var u annotator.Unreadable
	for i := range annotator.MaxUnreadable + 3 {
		image := w.Images[i%len(w.Images)]
		u.Add(image, fmt.Sprintf("%d: a byte of \x00 and one of \xff, %s", i, strings.Repeat("long ", 200)))
	}
	if err := w.Store.SetUnreadable(ctx, claim, u); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.SetRoundProgress(ctx, claim, annotator.RoundProgress{Phase: "candidate", Fraction: 0.5}); err != nil {
		t.Fatal(err)
	}
	got, err := w.Store.Round(ctx, round.ID)
	if err != nil || got.Unreadable == nil {
		t.Fatalf("the round: %+v, %v", got, err)
	}
	if diff := cmp.Diff(u, *got.Unreadable); diff != "" {
		t.Errorf("what it could not read (-told +kept):\n%s", diff)
	}
	if n := len(got.Unreadable.Images); got.Unreadable.Count != n+3 || n != annotator.MaxUnreadable || len(got.Unreadable.Images[0].Reason) > 400 {
		t.Errorf("%d are counted and %d listed, the first with a reason of %d bytes", got.Unreadable.Count, n, len(got.Unreadable.Images[0].Reason))
	}
	second, taken, err := w.Store.ClaimRound(ctx, round.ID)
	if err != nil || taken.Unreadable != nil {
		t.Errorf("the second worker begins with %+v, %v", taken.Unreadable, err)
	}
	if err := w.Store.SetRoundProgress(ctx, second, annotator.RoundProgress{Phase: "features", Fraction: 0.1}); err != nil {
		t.Fatal(err)
	}
	if got, err = w.Store.Round(ctx, round.ID); err != nil || got.Progress.Fraction != 0.5 || got.Progress.Phase != "features" {
		t.Errorf("the second worker's progress: %+v, %v; want half, as before", got.Progress, err)
	}
}

// A round that begins again loses its curves, and accepts points of the same steps again.
func TestCurvesOfARestartedRound(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.75)
	round := startRound(t, w)
	claim, _, err := w.Store.ClaimRound(ctx, round.ID)
	if err != nil {
		t.Fatal(err)
	}
	point := func(loss float64) []annotator.RoundPoint {
		return []annotator.RoundPoint{{Arm: arms.Candidate, Step: 10, LossMap: loss}}
	}
	if err := errors.Join(w.Store.AddRoundPoints(ctx, claim, point(9)), w.Store.DropRoundPoints(ctx, claim), w.Store.AddRoundPoints(ctx, claim, point(1))); err != nil {
		t.Fatal(err)
	}
	var losses []float64
	rows, err := w.Store.Pool().Query(ctx, `SELECT (body->>'loss_map')::float8 FROM round_events WHERE round_id = $1 AND kind = 'point'`, round.ID)
	if err == nil {
		losses, err = pgx.CollectRows(rows, pgx.RowTo[float64])
	}
	if err != nil || len(losses) != 1 || losses[0] != 1 {
		t.Errorf("L_map at step 10: %v, %v, want the new training's alone", losses, err)
	}
}

// A round that ends waits for its project before it holds anything that whoever starts the next one waits for, or each would wait for the other.
func TestARoundEndsInTheOrderInWhichTheNextBegins(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.75)
	round, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	claim, _, err := w.Store.ClaimRound(ctx, round.ID)
	if err != nil {
		t.Fatal(err)
	}
	pool, ended := w.Store.Pool(), make(chan error, 1)
	starting, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = starting.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := starting.Exec(ctx, `SELECT FROM projects FOR NO KEY UPDATE`); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := w.Service.FinishRound(ctx, claim, pgtest.NewVersion(1), annotator.RoundResult{Headline: "Maps helped.", Images: 4}, annotator.RoundRows{})
		ended <- err
	}()
	for waits := 0; waits == 0; {
		if err := pool.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := starting.Exec(ctx, `SELECT FROM rounds FOR NO KEY UPDATE NOWAIT`); err != nil {
		t.Errorf("a round that waits for its project holds itself: %v", err)
	}
	if err := starting.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
