package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

// People read what a round waits for, until it goes on. Its progress stays.
func TestRoundTellsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := pgtest.NewWorld(t)
	w.Approve(t, 0.75)
	round, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	claim, _, err := w.Store.ClaimRound(ctx, round.ID)
	if err != nil {
		t.Fatal(err)
	}
	r := &roundRun{worker: &Worker{log: slog.New(slog.DiscardHandler)}, store: w.Store, claim: claim, round: round}
	at := annotator.RoundProgress{Phase: "candidate", Fraction: 0.5, Step: 30, Steps: 60}
	for _, step := range []struct {
		err  error
		want annotator.Wait
	}{
		{fmt.Errorf("keeping a checkpoint: %w", annotator.ErrFull), annotator.WaitRoom},
		{annotator.ErrBlobsAway, annotator.WaitFiles},
		{annotator.ErrDatabaseAway, ""},
	} {
		if err := w.Store.SetRoundProgress(ctx, claim, at); err != nil {
			t.Fatal(err)
		}
		r.tellWait(ctx, step.err)
		now, _, err := w.Service.Round(ctx, w.Ada, round.ID)
		if err != nil || now.Progress.Waits != step.want || now.Progress.Step != 30 || now.State != annotator.RoundTraining {
			t.Errorf("after %v: %+v, %v; want it to wait for %q", step.err, now.Progress, err, step.want)
		}
	}
}

// Work that finds no room on a disk is given back after a moment, without counting an attempt, however often it was tried. The worker keeps
// it until then, so that it takes nothing else that it has no room for.
func TestWorkWaitsForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &Worker{log: slog.New(slog.DiscardHandler), metrics: newMetrics(prometheus.NewRegistry())}
		part := &rivertype.JobRow{ID: 1, Attempt: 3, MaxAttempts: 3, Kind: "scan", EncodedArgs: []byte(`{}`), Metadata: []byte(`{}`)}
		begun := time.Now()
		err := w.attend(t.Context(), part, func(context.Context) error { return fmt.Errorf("scanning: %w", annotator.ErrFull) })
		var snoozed *rivertype.JobSnoozeError
		if !errors.As(err, &snoozed) || time.Since(begun) != roomAgain {
			t.Errorf("after %v: %v, want it given back after %v", time.Since(begun), err, roomAgain)
		}
	})
}
