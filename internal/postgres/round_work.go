package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// RoundClaim is one worker's hold on a round. The next claim of the same round ends it: what is
// written under it after that is refused with ErrSuperseded.
type RoundClaim struct {
	RoundID int64
	Attempt int
}

// ClaimRound begins or, after a crash, resumes a round. ErrRoundOver if there is nothing to do any
// more, ErrRoundCancelled if it was cancelled while no worker had it (it is marked so then).
func (s *Store) ClaimRound(ctx context.Context, roundID int64) (RoundClaim, annotator.Round, error) {
	c := RoundClaim{RoundID: roundID}
	var round annotator.Round
	var failure error
	err := s.inTx(ctx, func(tx *Store) error {
		failure = nil
		var err error
		if round, err = one(ctx, tx, scanRound, `SELECT `+roundColumns+` FROM rounds r WHERE r.id = $1 FOR NO KEY UPDATE`, roundID); err != nil {
			return err
		}
		switch {
		case round.State.Over():
			failure = ErrRoundOver
			return nil
		case round.Cancelling:
			failure = ErrRoundCancelled
			return tx.endRound(ctx, roundID, annotator.RoundCancelled, "")
		}
		c.Attempt, err = one(ctx, tx, pgx.RowTo[int], `
			UPDATE rounds SET attempt = attempt + 1, state = 'training', unreadable = NULL, started_at = coalesce(started_at, now()) WHERE id = $1 RETURNING attempt`, roundID)
		if err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `
			UPDATE jobs SET state = 'running', started_at = coalesce(started_at, now()), total = 100 WHERE round_id = $1`, roundID); err != nil {
			return err
		}
		if err := tx.tellOfRound(ctx, roundID); err != nil {
			return err
		}
		round, err = tx.Round(ctx, roundID)
		return err
	})
	if err == nil {
		err = failure
	}
	return c, round, wrap(err, "claiming round %d", roundID)
}

// claimed runs fn with the round locked, if the claim still holds and nobody asked it to stop.
func (s *Store) claimed(ctx context.Context, c RoundClaim, fn func(tx *Store) error) error {
	return s.inTx(ctx, func(tx *Store) error {
		var attempt int
		var state annotator.RoundState
		var cancelled bool
		_, err := one(ctx, tx, func(row pgx.CollectableRow) (struct{}, error) {
			return struct{}{}, row.Scan(&attempt, &state, &cancelled)
		}, `SELECT attempt, state, cancel_requested_at IS NOT NULL FROM rounds WHERE id = $1 FOR NO KEY UPDATE`, c.RoundID)
		switch {
		case err != nil:
			return err
		case attempt != c.Attempt || state.Over():
			return ErrSuperseded
		case cancelled:
			return ErrRoundCancelled
		}
		return fn(tx)
	})
}

// HoldsRound returns ErrSuperseded once another attempt holds the round, or it is over.
func (s *Store) HoldsRound(ctx context.Context, c RoundClaim) error {
	err := s.claimed(ctx, c, func(*Store) error { return nil })
	return wrap(err, "asking who holds round %d", c.RoundID)
}

// SetRoundProgress says how far a round is. Its fraction does not fall where a worker takes over what another left.
func (s *Store) SetRoundProgress(ctx context.Context, c RoundClaim, p annotator.RoundProgress) error {
	err := s.claimed(ctx, c, func(tx *Store) error {
		was, err := one(ctx, tx, pgx.RowTo[float64], `SELECT coalesce((progress->>'fraction')::float8, 0) FROM rounds WHERE id = $1`, c.RoundID)
		if err != nil {
			return err
		}
		p.Fraction = max(p.Fraction, was)
		body, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `UPDATE rounds SET progress = $2 WHERE id = $1`, c.RoundID, body); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `
			UPDATE jobs SET done = $2, remaining_seconds = $3, phase = $4, fraction = $5, reported_at = now() WHERE round_id = $1`,
			c.RoundID, int(100*p.Fraction), p.RemainingSeconds, p.Phase, p.Fraction); err != nil {
			return err
		}
		return tx.tellOfRound(ctx, c.RoundID)
	})
	return wrap(err, "progress of round %d", c.RoundID)
}

// SetUnreadable says which images the round goes on without.
func (s *Store) SetUnreadable(ctx context.Context, c RoundClaim, u annotator.Unreadable) error {
	err := s.claimed(ctx, c, func(tx *Store) error {
		body, err := json.Marshal(u)
		if err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `UPDATE rounds SET unreadable = $2 WHERE id = $1`, c.RoundID, body); err != nil {
			return err
		}
		return tx.tellOfRound(ctx, c.RoundID)
	})
	return wrap(err, "unreadable images of round %d", c.RoundID)
}

// DropRoundPoints removes the loss curves of a training that diverged and begins again.
func (s *Store) DropRoundPoints(ctx context.Context, c RoundClaim) error {
	err := s.claimed(ctx, c, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `DELETE FROM round_events WHERE round_id = $1 AND kind = 'point'`, c.RoundID); err != nil {
			return err
		}
		return tx.tellOfRound(ctx, c.RoundID)
	})
	return wrap(err, "points of round %d", c.RoundID)
}

// AddRoundPoints appends to the loss curves. A point of a step that is there already, as after a
// resume from a checkpoint, is left out.
func (s *Store) AddRoundPoints(ctx context.Context, c RoundClaim, points []annotator.RoundPoint) error {
	err := s.claimed(ctx, c, func(tx *Store) error {
		arms, steps, bodies := make([]string, len(points)), make([]int, len(points)), make([]string, len(points))
		for i, p := range points {
			body, err := json.Marshal(p)
			if err != nil {
				return fmt.Errorf("step %d: %w", p.Step, err) // a NaN
			}
			arms[i], steps[i], bodies[i] = string(p.Arm), p.Step, string(body)
		}
		_, err := tx.q.Exec(ctx, `
			INSERT INTO round_events (round_id, kind, arm, step, body)
			SELECT $1, 'point', p.arm, p.step, p.body::json FROM unnest($2::text[], $3::int[], $4::text[]) WITH ORDINALITY AS p(arm, step, body, n) ORDER BY n
			ON CONFLICT (round_id, arm, step) WHERE kind = 'point' DO NOTHING`, c.RoundID, arms, steps, bodies)
		return err
	})
	return wrap(err, "points of round %d", c.RoundID)
}

// StartEvaluating moves a round from training to evaluating.
func (s *Store) StartEvaluating(ctx context.Context, c RoundClaim) error {
	err := s.claimed(ctx, c, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `UPDATE rounds SET state = 'evaluating' WHERE id = $1`, c.RoundID); err != nil {
			return err
		}
		return tx.tellOfRound(ctx, c.RoundID)
	})
	return wrap(err, "evaluating round %d", c.RoundID)
}

// FinishRound ends a round with its candidate and what was measured, in one transaction; parent and
// round of the version are filled in.
func (s *Store) FinishRound(ctx context.Context, c RoundClaim, v annotator.NewVersion, result annotator.RoundResult) (annotator.Version, error) {
	var version annotator.Version
	err := s.claimed(ctx, c, func(tx *Store) error {
		round, err := tx.Round(ctx, c.RoundID)
		if err != nil {
			return err
		}
		v.ParentID, v.RoundID, v.Classes = &round.ParentVersion, &round.ID, nil
		if version, err = tx.AddVersion(ctx, round.ProjectID, v); err != nil {
			return err
		}
		body, err := json.Marshal(result)
		if err != nil {
			return err
		}
		progress := round.Progress
		progress.Fraction, progress.RemainingSeconds = 1, 0
		last, err := json.Marshal(progress)
		if err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `
			UPDATE rounds SET state = 'finished', result = $2, progress = $3, finished_at = now() WHERE id = $1`, c.RoundID, body, last); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `
			UPDATE jobs SET state = 'finished', done = total, fraction = 1, remaining_seconds = 0, finished_at = now() WHERE round_id = $1`, c.RoundID); err != nil {
			return err
		}
		if err := tx.tellOfRound(ctx, c.RoundID); err != nil {
			return err
		}
		return tx.auditRound(ctx, round, "round.finish", fmt.Sprintf("v%d. %s", version.Number, result.Headline))
	})
	return version, wrap(err, "finishing round %d", c.RoundID)
}

// FailRound ends a round that could not be done.
func (s *Store) FailRound(ctx context.Context, c RoundClaim, message string) error {
	message = text.Clean(message)
	err := s.claimed(ctx, c, func(tx *Store) error {
		round, err := tx.Round(ctx, c.RoundID)
		if err != nil {
			return err
		}
		if err := tx.endRound(ctx, c.RoundID, annotator.RoundFailed, message); err != nil {
			return err
		}
		return tx.auditRound(ctx, round, "round.fail", message)
	})
	if errors.Is(err, ErrRoundCancelled) {
		return s.StopRound(ctx, c)
	}
	return wrap(err, "failing round %d", c.RoundID)
}

// StopRound marks a round as cancelled once its worker has stopped; ErrConflict if nobody asked for that.
func (s *Store) StopRound(ctx context.Context, c RoundClaim) error {
	err := s.claimed(ctx, c, func(*Store) error {
		return fmt.Errorf("nobody cancelled it: %w", annotator.ErrConflict)
	})
	if errors.Is(err, ErrRoundCancelled) {
		err = s.inTx(ctx, func(tx *Store) error {
			attempt, err := one(ctx, tx, pgx.RowTo[int], `
				SELECT attempt FROM rounds WHERE id = $1 AND finished_at IS NULL FOR NO KEY UPDATE`, c.RoundID)
			if errors.Is(err, annotator.ErrNotFound) || err == nil && attempt != c.Attempt {
				return ErrSuperseded
			}
			if err != nil {
				return err
			}
			return tx.endRound(ctx, c.RoundID, annotator.RoundCancelled, "")
		})
	}
	return wrap(err, "stopping round %d", c.RoundID)
}

// auditRound writes a line in the name of who started the round.
func (s *Store) auditRound(ctx context.Context, r annotator.Round, action, detail string) error {
	id, err := one(ctx, s, pgx.RowTo[int64], `SELECT coalesce(started_by, 0) FROM rounds WHERE id = $1`, r.ID)
	if err != nil {
		return err
	}
	return s.InsertAudit(ctx, &r.ProjectID, annotator.User{ID: id, Name: r.StartedBy}, annotator.AuditEntry{
		At: time.Now(), Action: action, Subject: fmt.Sprintf("round %d", r.ID), Detail: detail,
	})
}

// RoundInputs is all a round learns from and is measured on. It is the same at every attempt.
type RoundInputs struct {
	Round   annotator.Round
	Project annotator.Project // with classes
	Parent  annotator.Version
	Train   []TrainingImage   // training images, and pool images that carry an edit; by id
	Eval    []annotator.Image // labelled images of EvalSplit that carry no edit; by id
	// EvalSplit is test, or validation in a project without test images.
	EvalSplit annotator.Split
	// Validation is what early stopping looks at: where the round stops early and is measured on test, the labelled validation
	// images that carry no edit; by id.
	Validation []annotator.Image
}

// TrainingImage is an image and, where one was approved, the map people want on it.
type TrainingImage struct {
	Image annotator.Image
	Map   *attention.Map
}

// RoundInputs reads what a round works on.
func (s *Store) RoundInputs(ctx context.Context, roundID int64) (RoundInputs, error) {
	in, err := s.roundInputs(ctx, roundID)
	return in, wrap(err, "reading the inputs of round %d", roundID)
}

func (s *Store) roundInputs(ctx context.Context, roundID int64) (in RoundInputs, err error) {
	if in.Round, err = s.Round(ctx, roundID); err != nil {
		return in, err
	}
	if in.Project, err = s.ProjectByID(ctx, in.Round.ProjectID); err != nil {
		return in, err
	}
	if in.Parent, err = s.Version(ctx, in.Round.ParentVersion); err != nil {
		return in, err
	}
	in.Train, err = list(ctx, s, func(row pgx.CollectableRow) (t TrainingImage, err error) {
		var height, width *int
		var cells []byte
		if err = row.Scan(append(imageFields(&t.Image), &height, &width, &cells)...); err != nil || height == nil {
			return t, err
		}
		m, err := attention.FromBytes(*height, *width, cells)
		t.Map = &m
		return t, err
	}, `
		SELECT `+imageColumns+`, e.map_height, e.map_width, e.map
		FROM rounds r JOIN images i ON i.project_id = r.project_id AND i.id <= r.last_image_id
			LEFT JOIN round_edits x ON x.round_id = r.id AND x.image_id = i.id
			LEFT JOIN edits e ON e.id = x.edit_id
		WHERE r.id = $1 AND i.label IS NOT NULL AND i.broken = '' AND (i.split = 'train' OR e.id IS NOT NULL)
		ORDER BY i.id`, roundID)
	if err != nil {
		return in, err
	}
	for _, in.EvalSplit = range []annotator.Split{annotator.SplitTest, annotator.SplitValidation} {
		if in.Eval, err = s.unedited(ctx, roundID, in.EvalSplit); err != nil || len(in.Eval) > 0 {
			break
		}
	}
	if err == nil && in.Round.Settings.Patience > 0 && in.EvalSplit != annotator.SplitValidation {
		in.Validation, err = s.unedited(ctx, roundID, annotator.SplitValidation)
	}
	return in, err
}

// unedited are a round's labelled images of a split that it learns no edit of.
func (s *Store) unedited(ctx context.Context, roundID int64, split annotator.Split) ([]annotator.Image, error) {
	return list(ctx, s, scanImage, `
		SELECT `+imageColumns+` FROM rounds r JOIN images i ON i.project_id = r.project_id AND i.id <= r.last_image_id
		WHERE r.id = $1 AND i.split = $2 AND i.label IS NOT NULL AND i.broken = ''
			AND NOT EXISTS (SELECT FROM round_edits x WHERE x.round_id = r.id AND x.image_id = i.id)
		ORDER BY i.id`, roundID, split)
}
