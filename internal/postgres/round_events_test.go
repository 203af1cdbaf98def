package postgres_test

import (
	"context"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// However many follow a round, each gets every event once and in order, and the database is asked for all of them together.
func TestManyFollowARound(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.75)
	round := startRound(t, w)
	claim, _, err := w.Store.ClaimRound(ctx, round.ID)
	if err != nil {
		t.Fatal(err)
	}
	const followers, points = 200, 20
	group, following := errgroup.WithContext(ctx)
	reached := make(chan struct{}, followers*points)
	before := w.Store.Pool().Stat().AcquireCount()
	for range followers {
		group.Go(func() error {
			after, next := int64(0), 1
			for next <= points {
				events, err := w.Store.WaitRoundEvents(following, round.ID, after)
				if err != nil {
					return err
				}
				for _, e := range events {
					if e.ID <= after {
						t.Errorf("event %d after %d", e.ID, after)
					}
					after = e.ID
					if e.Point == nil {
						continue
					}
					if e.Point.Step != next {
						t.Errorf("step %d, want %d", e.Point.Step, next)
					}
					next++
					reached <- struct{}{}
				}
			}
			return nil
		})
	}
	for step := range points {
		if err := w.Store.AddRoundPoints(ctx, claim, []annotator.RoundPoint{{Arm: arms.Candidate, Step: step + 1}}); err != nil {
			t.Fatal(err)
		}
		all(following, reached, followers)
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	// Each of them alone would ask twice for each point.
	if asked := w.Store.Pool().Stat().AcquireCount() - before; asked > followers*points/4 {
		t.Errorf("the database was asked %d times for %d followers of %d points", asked, followers, points)
	} else {
		t.Logf("the database was asked %d times", asked)
	}
}

// all waits until so many have reached something, or the context ends.
func all(ctx context.Context, reached <-chan struct{}, n int) {
	for range n {
		select {
		case <-reached:
		case <-ctx.Done():
			return
		}
	}
}
