package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// reportEvery is how often a round that is followed has news, as a worker's has.
const reportEvery = 400 * time.Millisecond

// FollowedRound is a round that many follow while people paint.
type FollowedRound struct {
	Streams int // how many follow it
	// Claim takes the round in a worker's place.
	Claim func(ctx context.Context, round int64) (ClaimedRound, error)
}

// ClaimedRound is a round that is being worked on.
type ClaimedRound interface {
	Report(ctx context.Context, step int) error // writes that a step is done
	Stop(ctx context.Context) error             // ends it, once it was cancelled
}

// startRound starts a round, which is timed, and takes it. end cancels it. A round needs an approved map: one is painted and approved.
func (b Serve) startRound(ctx context.Context, v, painter *visitor) (id int64, claimed ClaimedRound, end func() error, err error) {
	edit, err := b.paintOne(ctx, painter, rand.New(rand.NewPCG(b.Seed, 0)), func() bool { return true })
	if err != nil {
		return 0, nil, nil, err
	}
	if _, err := v.call(ctx, "approve", http.MethodPost, fmt.Sprintf("/api/v1/edits/%d/review", edit), map[string]any{"verdict": "approve"}, nil); err != nil {
		return 0, nil, nil, err
	}
	var made struct {
		Round struct {
			ID int64 `json:"id"`
		} `json:"round"`
	}
	status, err := v.call(ctx, "start of a round", http.MethodPost, "/api/v1/projects/"+b.Project+"/rounds", map[string]any{}, &made)
	if err != nil {
		return 0, nil, nil, err
	}
	if status >= http.StatusBadRequest {
		return 0, nil, nil, fmt.Errorf("starting a round: status %d, %s", status, v.ledger.failed["start of a round"].Answer)
	}
	if claimed, err = b.Round.Claim(ctx, made.Round.ID); err != nil {
		return 0, nil, nil, err
	}
	return made.Round.ID, claimed, func() error {
		ended := context.WithoutCancel(ctx)
		_, err := v.call(ended, "cancel of a round", http.MethodPost, fmt.Sprintf("/api/v1/rounds/%d/cancel", made.Round.ID), nil, nil)
		return errors.Join(err, claimed.Stop(ended))
	}, nil
}

// beFollowed reports steps of a round, and has it followed by many. What is timed is how long an event takes from before it is written until a follower
// has read it.
func (b Serve) beFollowed(ctx context.Context, admin *visitor, round int64, claimed ClaimedRound) error {
	var mu sync.Mutex
	written := map[int]time.Time{} // by step
	work, ctx := errgroup.WithContext(ctx)
	for range b.Round.Streams {
		work.Go(func() error {
			return admin.follow(ctx, round, func(step int) {
				mu.Lock()
				at := written[step]
				mu.Unlock()
				if !at.IsZero() {
					admin.ledger.add("event", time.Since(at))
				}
			})
		})
	}
	work.Go(func() error {
		tick := time.NewTicker(reportEvery)
		defer tick.Stop()
		for step := 1; ; step++ {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			mu.Lock()
			written[step] = time.Now()
			mu.Unlock()
			if err := claimed.Report(ctx, step); err != nil {
				return err
			}
		}
	})
	return work.Wait()
}

// follow reads a round's events until ctx ends.
func (v *visitor) follow(ctx context.Context, round int64, reached func(step int)) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/api/v1/rounds/%d/events", v.address, round), nil)
	if err != nil {
		return err
	}
	unbounded := *v.client
	unbounded.Timeout = 0
	answer, err := unbounded.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("following round %d: %s", round, answer.Status)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for kind := ""; lines.Scan(); {
		if is, found := strings.CutPrefix(lines.Text(), "event: "); found {
			kind = is
		}
		if data, found := strings.CutPrefix(lines.Text(), "data: "); found && kind == "point" {
			var point struct {
				Step int `json:"step"`
			}
			if err := json.Unmarshal([]byte(data), &point); err != nil {
				return fmt.Errorf("an event of round %d: %w", round, err)
			}
			reached(point.Step)
		}
	}
	return errors.Join(lines.Err(), fmt.Errorf("the events of round %d ended", round))
}
