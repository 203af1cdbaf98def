package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// ClaimRound begins a round or, after a crash, resumes it, by annotator.Round.Claim. annotator.ErrRoundCancelled if its cancellation
// was asked for while no worker had it; the round is cancelled then.
func (s *Store) ClaimRound(ctx context.Context, roundID int64) (annotator.RoundClaim, annotator.Round, error) {
	round, err := s.ChangeRound(ctx, roundID, annotator.Round.Claim)
	if err == nil && round.State.Over() {
		err = annotator.ErrRoundCancelled
	}
	return annotator.RoundClaim{RoundID: roundID, Attempt: round.Attempt}, round, wrap(err, "claiming round %d", roundID)
}

// claimed runs fn with the round locked, if the claim still holds and no cancellation was asked for.
func (s *Store) claimed(ctx context.Context, c annotator.RoundClaim, fn func(tx *Store) error) error {
	return s.inTx(ctx, func(tx *Store) error {
		round, err := tx.lockRound(ctx, c.RoundID)
		if err != nil {
			return err
		}
		if err := round.Check(c); err != nil {
			return err
		}
		return fn(tx)
	})
}

// HoldsRound returns annotator.ErrSuperseded if another attempt holds the round or the round is over.
func (s *Store) HoldsRound(ctx context.Context, c annotator.RoundClaim) error {
	err := s.claimed(ctx, c, func(*Store) error { return nil })
	return wrap(err, "asking who holds round %d", c.RoundID)
}

// SetRoundProgress stores how far a round is.
func (s *Store) SetRoundProgress(ctx context.Context, c annotator.RoundClaim, p annotator.RoundProgress) error {
	_, err := s.ChangeRound(ctx, c.RoundID, func(r annotator.Round) (annotator.Round, error) { return r.Report(c, p) })
	return wrap(err, "progress of round %d", c.RoundID)
}

// SetRoundWait stores what the round waits for, until its next progress.
func (s *Store) SetRoundWait(ctx context.Context, c annotator.RoundClaim, wait annotator.Wait) error {
	_, err := s.ChangeRound(ctx, c.RoundID, func(r annotator.Round) (annotator.Round, error) { return r.Wait(c, wait) })
	return wrap(err, "what round %d waits for", c.RoundID)
}

// SetUnreadable stores which images the round does without.
func (s *Store) SetUnreadable(ctx context.Context, c annotator.RoundClaim, u annotator.Unreadable) error {
	_, err := s.ChangeRound(ctx, c.RoundID, func(r annotator.Round) (annotator.Round, error) { return r.LeaveOut(c, u) })
	return wrap(err, "unreadable images of round %d", c.RoundID)
}

// DropRoundPoints removes the loss curves of a training that diverged and begins again.
func (s *Store) DropRoundPoints(ctx context.Context, c annotator.RoundClaim) error {
	err := s.claimed(ctx, c, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `DELETE FROM round_events WHERE round_id = $1 AND kind = 'point'`, c.RoundID); err != nil {
			return err
		}
		return tx.tellOfRound(ctx, c.RoundID)
	})
	return wrap(err, "points of round %d", c.RoundID)
}

// AddRoundPoints appends to the loss curves. Points of steps that are stored already, as after resuming from a checkpoint, are left out.
func (s *Store) AddRoundPoints(ctx context.Context, c annotator.RoundClaim, points []annotator.RoundPoint) error {
	err := s.claimed(ctx, c, func(tx *Store) error {
		arms, seeds, steps, bodies := make([]string, len(points)), make([]int64, len(points)), make([]int, len(points)), make([]string, len(points))
		for i, p := range points {
			body, err := json.Marshal(p)
			if err != nil {
				return fmt.Errorf("step %d: %w", p.Step, err) // a NaN
			}
			arms[i], seeds[i], steps[i], bodies[i] = string(p.Arm), p.Seed, p.Step, string(body)
		}
		_, err := tx.q.Exec(ctx, `
			INSERT INTO round_events (round_id, kind, arm, seed, step, body)
			SELECT $1, 'point', p.arm, p.seed, p.step, p.body::json FROM unnest($2::text[], $3::bigint[], $4::int[], $5::text[]) WITH ORDINALITY AS p(arm, seed, step, body, n) ORDER BY n
			ON CONFLICT (round_id, arm, seed, step) WHERE kind = 'point' DO NOTHING`, c.RoundID, arms, seeds, steps, bodies)
		return err
	})
	return wrap(err, "points of round %d", c.RoundID)
}

// StartEvaluating moves a round whose training is done to evaluating.
func (s *Store) StartEvaluating(ctx context.Context, c annotator.RoundClaim) error {
	_, err := s.ChangeRound(ctx, c.RoundID, func(r annotator.Round) (annotator.Round, error) { return r.Evaluate(c) })
	return wrap(err, "evaluating round %d", c.RoundID)
}

// StopRound marks a round as cancelled once its worker has stopped; annotator.ErrConflict if no cancellation was asked for.
func (s *Store) StopRound(ctx context.Context, c annotator.RoundClaim) error {
	_, err := s.ChangeRound(ctx, c.RoundID, func(r annotator.Round) (annotator.Round, error) { return r.Stop(c) })
	return wrap(err, "stopping round %d", c.RoundID)
}

// RoundInputs is what a round is measured on, and whose. What it learns from, which may be a million images, is read one by one
// (EachTrainingImage). Both are the same at every attempt.
type RoundInputs struct {
	Round   annotator.Round
	Project annotator.Project // with classes
	Parent  annotator.Version
	Eval    []RoundImage // labelled images of EvalSplit that carry no edit; by id
	// EvalSplit is test, or validation in a project without test images.
	EvalSplit annotator.Split
	// Validation are the images that early stopping measures on: the labelled validation images that carry no edit, by id. It is empty
	// if the round does not stop early, or is itself measured on validation images.
	Validation []RoundImage
	// LeftOut counts the labelled images of EvalSplit that somebody left out of measures: Eval has them not.
	LeftOut int
}

// RoundImage is what a round needs of an image. A round holds one for each image that it trains on or is measured on, and no more than this.
type RoundImage struct {
	ID                          int64
	Name, Hash, MaskHash, Group string
	Split                       annotator.Split
	Label, Width, Height        int32
}

// Image is the image, with what is known of it here.
func (i RoundImage) Image() annotator.Image {
	label := int(i.Label)
	return annotator.Image{ID: i.ID, Name: i.Name, Split: i.Split, Label: &label, Group: i.Group, Hash: i.Hash, MaskHash: i.MaskHash, Width: int(i.Width), Height: int(i.Height)}
}

const roundImageColumns = `i.id, i.name, i.hash, i.mask_hash, i.group_name, i.split, i.label, i.width, i.height`

// roundImageScan reads roundImageColumns. Texts that many images have in common are kept once.
type roundImageScan map[string]string

// scan reads an image, and what the query has after it.
func (r roundImageScan) scan(row pgx.CollectableRow, i *RoundImage, more ...any) error {
	err := row.Scan(append([]any{&i.ID, &i.Name, &i.Hash, &i.MaskHash, &i.Group, &i.Split, &i.Label, &i.Width, &i.Height}, more...)...)
	for _, text := range []*string{&i.Group, (*string)(&i.Split)} {
		if kept, ok := r[*text]; ok {
			*text = kept
		} else {
			r[*text] = *text
		}
	}
	return err
}

// TrainingImage is an image and, if it has one, the map of its approved edit.
type TrainingImage struct {
	Image   RoundImage
	Map     *attention.Map
	Seconds float64 // that painting the map took; 0: not known
}

// ImageByID finds one of the images that are measured on; false if it is none of them.
func (in RoundInputs) ImageByID(id int64) (annotator.Image, bool) {
	for _, images := range [][]RoundImage{in.Eval, in.Validation} {
		if n, ok := slices.BinarySearchFunc(images, id, func(i RoundImage, id int64) int { return cmp.Compare(i.ID, id) }); ok {
			return images[n].Image(), true
		}
	}
	return annotator.Image{}, false
}

// RoundInputs reads what a round is measured on.
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
	test, err := s.unedited(ctx, roundID, annotator.SplitTest)
	if err != nil {
		return in, err
	}
	in.EvalSplit, in.Eval = annotator.MeasuredOn(len(test)), test
	looks := in.Round.LooksAtValidation(in.EvalSplit)
	if in.EvalSplit == annotator.SplitValidation || looks {
		validation, err := s.unedited(ctx, roundID, annotator.SplitValidation)
		if err != nil {
			return in, err
		}
		if in.EvalSplit == annotator.SplitValidation {
			in.Eval = validation
		}
		if looks {
			in.Validation = validation
		}
	}
	in.LeftOut, err = one(ctx, s, pgx.RowTo[int], `
		SELECT count(*) FROM rounds r JOIN images i ON i.project_id = r.project_id AND i.id <= r.last_image_id
		WHERE r.id = $1 AND i.split = $2 AND i.label IS NOT NULL AND i.broken = '' AND i.retired_at IS NULL AND NOT `+measured, roundID, in.EvalSplit)
	return in, err
}

// EachTrainingImage calls each with what a round learns from, training images and pool images that carry an edit, by id, until it fails. It reads row
// by row: of a million images nothing is kept here.
func (s *Store) EachTrainingImage(ctx context.Context, roundID int64, each func(TrainingImage) error) error {
	rows, err := s.q.Query(ctx, `
		SELECT `+roundImageColumns+`, e.map_height, e.map_width, e.map, e.marks,
			CASE WHEN json_typeof(e.provenance->'seconds') = 'number' THEN (e.provenance->>'seconds')::double precision ELSE 0 END
		FROM rounds r JOIN images i ON i.project_id = r.project_id AND i.id <= r.last_image_id
			LEFT JOIN round_edits x ON x.round_id = r.id AND x.image_id = i.id
			LEFT JOIN edits e ON e.id = x.edit_id
		WHERE r.id = $1 AND i.label IS NOT NULL AND i.broken = '' AND i.retired_at IS NULL AND `+teaches+` AND (i.split = 'train' OR e.id IS NOT NULL)
		ORDER BY i.id`, roundID) // not repeated where the connection is lost: each has been told of rows
	if err != nil {
		return wrap(err, "reading what round %d learns from", roundID)
	}
	defer rows.Close()
	images := roundImageScan{}
	for rows.Next() {
		var t TrainingImage
		var height, width *int
		var cells []byte
		var marks *attention.Marks
		if err := images.scan(rows, &t.Image, &height, &width, &cells, &marks, &t.Seconds); err != nil {
			return wrap(err, "reading what round %d learns from", roundID)
		}
		if height != nil {
			m, err := attention.FromBytes(*height, *width, cells)
			if err != nil {
				return wrap(err, "the map of image %d", t.Image.ID)
			}
			m.Marks = *marks
			t.Map = &m
		}
		if err := each(t); err != nil {
			return err
		}
	}
	return wrap(rows.Err(), "reading what round %d learns from", roundID)
}

// unedited returns the labelled images of a split without those whose edits the round learns from.
func (s *Store) unedited(ctx context.Context, roundID int64, split annotator.Split) ([]RoundImage, error) {
	images := roundImageScan{}
	return list(ctx, s, func(row pgx.CollectableRow) (i RoundImage, err error) {
		err = images.scan(row, &i)
		return i, err
	}, `
		SELECT `+roundImageColumns+` FROM rounds r JOIN images i ON i.project_id = r.project_id AND i.id <= r.last_image_id
		WHERE r.id = $1 AND i.split = $2 AND i.label IS NOT NULL AND i.broken = '' AND i.retired_at IS NULL AND `+measured+`
			AND NOT EXISTS (SELECT FROM round_edits x WHERE x.round_id = r.id AND x.image_id = i.id)
		ORDER BY i.id`, roundID, split)
}
