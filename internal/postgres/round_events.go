package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// tellOfRound makes an event of a locked round's change. A round has one such event, which moves to the end.
func (s *Store) tellOfRound(ctx context.Context, id int64) error {
	if _, err := s.q.Exec(ctx, `DELETE FROM round_events WHERE round_id = $1 AND kind = 'round'`, id); err != nil {
		return err
	}
	_, err := s.q.Exec(ctx, `INSERT INTO round_events (round_id, kind) VALUES ($1, 'round')`, id)
	return err
}

// eventPage bounds the events that one call returns; the next call continues after them.
const eventPage = 1000

// lookAgain is how often a waiting call reads the events without a notification, in case that was lost.
const lookAgain = 5 * time.Second

// read names a reading of a round's events: those after an id, since there was news so often.
type read struct {
	round, after int64
	told         int
}

// roundNews is what was read of a round. over says that nothing will follow.
type roundNews struct {
	events []annotator.RoundEvent
	over   bool
}

// WaitRoundEvents implements annotator.RoundStore. However many follow a round, news is read once for all of them: nobody may change what they get.
func (s *Store) WaitRoundEvents(ctx context.Context, id, after int64) ([]annotator.RoundEvent, error) {
	for {
		news, told := s.wake.wait(id)
		found, err := s.wake.reading.Do(ctx, read{id, after, told}, func(ctx context.Context) (roundNews, error) { return s.roundEvents(ctx, id, after) })
		if err != nil || len(found.events) > 0 || found.over {
			s.wake.leave(id, news)
			return found.events, wrap(err, "events of round %d", id)
		}
		again := time.NewTimer(lookAgain)
		select {
		case <-news:
		case <-again.C:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		again.Stop()
		s.wake.leave(id, news)
		if err != nil {
			return nil, wrap(err, "waiting for events of round %d", id)
		}
	}
}

// roundEvents reads the events after an id.
func (s *Store) roundEvents(ctx context.Context, id, after int64) (n roundNews, err error) {
	// The round is read first. If it is over then, its last event is already in the table.
	round, err := s.Round(ctx, id)
	if err != nil {
		return n, err
	}
	n.over = round.State.Over()
	n.events, err = list(ctx, s, pgx.RowToStructByNameLax[annotator.RoundEvent], `
		SELECT id, body AS point FROM round_events WHERE round_id = $1 AND id > $2 ORDER BY id LIMIT $3`, id, after, eventPage)
	if err != nil {
		return n, err
	}
	for i := range n.events {
		if n.events[i].Point == nil {
			// Read after the event, so that it is at least as new.
			if round, err = s.Round(ctx, id); err != nil {
				return n, err
			}
			n.events[i].Round, n.over = &round, round.State.Over()
		}
	}
	return n, nil
}
