package jobs

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

// A round whose work panicked each time it was tried ends as failed, or as cancelled if that was asked for; then another can start.
func TestWorkThatWasGivenUpEnds(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := pgtest.NewWorld(t)
	w.Approve(t, 0.75)
	blobs, err := blob.Open(ctx, t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := NewWorker(Config{Store: w.Store, Blobs: blobs, Data: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, cancelled := range []bool{false, true} {
		round, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Store.ClaimRound(ctx, round.ID); err != nil {
			t.Fatal(err)
		}
		if err := worker.beat(ctx); err != nil {
			t.Fatal(err)
		}
		if now, err := w.Store.Round(ctx, round.ID); err != nil || now.State.Over() {
			t.Fatalf("ended while it is worked on: %+v, %v", now, err)
		}
		if cancelled {
			if _, err := w.Service.CancelRound(ctx, w.Admin, round.ID); err != nil {
				t.Fatal(err)
			}
		}
		giveUp(ctx, t, w)
		if err := worker.beat(ctx); err != nil {
			t.Fatal(err)
		}
		now, err := w.Store.Round(ctx, round.ID)
		want := annotator.RoundFailed
		if cancelled {
			want = annotator.RoundCancelled
		}
		if err != nil || now.State != want || !cancelled && !strings.Contains(now.Error, "slice bounds out of range") {
			t.Errorf("the round is %s, want %s: %q, %v", now.State, want, now.Error, err)
		}
	}
}

// giveUp has River give up all work.
func giveUp(ctx context.Context, t *testing.T, w *pgtest.World) {
	t.Helper()
	if _, err := w.Store.Pool().Exec(ctx, `
		UPDATE river_job SET state = 'discarded', finalized_at = now(), attempt = 3, errors = array_append(errors, '{"error": "runtime error: slice bounds out of range"}'::jsonb)
		WHERE finalized_at IS NULL`); err != nil {
		t.Fatal(err)
	}
}
