package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// roundColumns are the columns of rounds under the alias r. A round that is over is never "cancelling".
const roundColumns = `r.id, r.project_id, r.number, r.state, r.settings, r.parent_version, (SELECT v.id FROM versions v WHERE v.round_id = r.id) AS version,
	r.edits, r.images, r.started_by_name AS started_by, coalesce(r.started_by, 0) AS starter_id, r.created_at, r.started_at, r.finished_at, r.progress, r.attempt,
	r.cancel_requested_at IS NOT NULL AND r.finished_at IS NULL AS cancelling, r.unreadable, r.result, r.error`

var scanRound = pgx.RowToStructByName[annotator.Round]

// Round implements annotator.RoundStore.
func (s *Store) Round(ctx context.Context, id int64) (annotator.Round, error) {
	r, err := one(ctx, s, scanRound, `SELECT `+roundColumns+` FROM rounds r WHERE r.id = $1 AND r.`+inProject, id)
	return r, wrap(err, "round %d", id)
}

// Rounds implements annotator.RoundStore.
func (s *Store) Rounds(ctx context.Context, projectID int64) ([]annotator.Round, error) {
	all, err := list(ctx, s, scanRound, `SELECT `+roundColumns+` FROM rounds r WHERE r.project_id = $1 ORDER BY r.number DESC`, projectID)
	return all, wrap(err, "listing the rounds of project %d", projectID)
}

// RoundByKey implements annotator.RoundStore.
func (s *Store) RoundByKey(ctx context.Context, projectID int64, key string) (annotator.Round, error) {
	r, err := one(ctx, s, scanRound, `SELECT `+roundColumns+` FROM rounds r WHERE r.project_id = $1 AND r.idempotency_key = $2`, projectID, key)
	return r, wrap(err, "the round of key %q", key)
}

// usableEdits selects (image_id, edit_id) of the edits that a round of project $1 from version $2 learns from: for each labelled
// training or pool image, the edit on the version's own grid that was approved last. Of an image that several people painted that is what
// was adopted, or nothing (round_edits_check in migration 48).
var usableEdits = usableEditsOf(`$1`, `$2`)

// usableEditsOf is usableEdits of a project and a version that expressions give.
func usableEditsOf(project, version string) string {
	return `
	SELECT DISTINCT ON (i.id) i.id AS image_id, e.id AS edit_id
	FROM edits e JOIN tasks t ON t.id = e.task_id JOIN images i ON i.id = t.image_id JOIN versions v ON v.id = ` + version + `
	WHERE i.project_id = ` + project + ` AND e.state = 'approved' AND t.slot = 0 AND i.split IN ('train', 'pool') AND i.label IS NOT NULL AND i.broken = '' AND i.retired_at IS NULL AND ` + teaches + `
		AND e.map_height = v.grid_height AND e.map_width = v.grid_width
	ORDER BY i.id, e.judged_at DESC, e.id DESC`
}

// CountApproved implements annotator.RoundStore.
func (s *Store) CountApproved(ctx context.Context, projectID int64) (int, error) {
	v, err := s.ActiveVersion(ctx, projectID)
	if errors.Is(err, annotator.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := one(ctx, s, pgx.RowTo[int], `SELECT count(*) FROM (`+usableEdits+`) AS usable`, projectID, v.ID)
	return n, wrap(err, "counting the approved edits of project %d", projectID)
}

// A round's images are counted without reading them: image_tallies have those of each split that are in use and labelled, and of these few are broken
// or left out (index images_apart).
const (
	labelledIn = `(SELECT coalesce(sum(n), 0)::int FROM image_tallies WHERE project_id = $1 AND label >= 0 AND split = '%s')`
	apartIn    = `(SELECT count(*)::int FROM images i WHERE i.project_id = $1 AND (i.broken <> '' OR i.left_out <> '{}') AND i.split = '%s' AND i.label IS NOT NULL AND i.retired_at IS NULL AND %s)`
)

var (
	// trained counts the images that a round of project $1 trains on: those of training, and others that have a usable edit.
	trained = fmt.Sprintf(labelledIn+` - `+apartIn, annotator.SplitTrain, annotator.SplitTrain, `(i.broken <> '' OR NOT (`+teaches+`))`) +
		fmt.Sprintf(` + (SELECT count(*)::int FROM usable u JOIN images i ON i.id = u.image_id WHERE i.split <> '%s')`, annotator.SplitTrain)
	// lastImage is the newest image of project $1.
	lastImage = `(SELECT coalesce(max(id), 0) FROM (SELECT (SELECT max(i.id) FROM images i WHERE i.project_id = $1 AND i.split = one) AS id FROM unnest('{` + strings.Join(texts(annotator.Splits), ",") + `}'::text[]) one) newest)`
)

// measuredIn counts the images of a split that networks are measured on, and leftOutIn those that are left out of measures.
func measuredIn(split annotator.Split) string {
	return fmt.Sprintf(labelledIn+` - `+apartIn, split, split, `true`)
}

func leftOutIn(split annotator.Split) string {
	return fmt.Sprintf(apartIn, split, `i.broken = '' AND NOT (`+measured+`)`)
}

// comparedHeldout is how many of the held-out images are compared with those that a round was judged on: all, if they are no more. Of more these are the ones
// with the least heldoutPlace of an image i, which mixes ids, so that of either side the same images are among them (migration 66).
const (
	comparedHeldout = 1000
	heldoutPlace    = `(i.id % 4294967296 * 1103515245 % 4294967296)`
)

// RoundData implements annotator.RoundStore. Which finished rounds have judged at least half of the held-out images is estimated by comparedHeldout of them.
func (s *Store) RoundData(ctx context.Context, projectID int64) (annotator.RoundData, error) {
	var d annotator.RoundData
	v, err := s.ActiveVersion(ctx, projectID)
	if errors.Is(err, annotator.ErrNotFound) {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	var test, leftOutTest, leftOutValidation int
	_, err = one(ctx, s, func(row pgx.CollectableRow) (struct{}, error) {
		return struct{}{}, row.Scan(&d.Images, &d.Edits, &d.Validation, &test, &leftOutTest, &leftOutValidation)
	}, `
		WITH usable AS (`+usableEdits+`)
		SELECT `+trained+`, (SELECT count(*)::int FROM usable), `+measuredIn(annotator.SplitValidation)+`, `+measuredIn(annotator.SplitTest)+`,
			`+leftOutIn(annotator.SplitTest)+`, `+leftOutIn(annotator.SplitValidation), projectID, v.ID)
	d.Split, d.Heldout, d.LeftOut = annotator.MeasuredOn(test), test, leftOutTest
	if d.Split == annotator.SplitValidation {
		d.Heldout, d.LeftOut = d.Validation, leftOutValidation
	}
	if err != nil {
		return d, wrap(err, "counting what a round of project %d would work on", projectID)
	}
	d.Judged, err = one(ctx, s, pgx.RowTo[int], `
		WITH heldout AS MATERIALIZED (
			SELECT i.id, `+heldoutPlace+` AS place FROM images i
			WHERE i.project_id = $1 AND i.split = $2 AND i.split IN ('test', 'validation') AND i.label IS NOT NULL AND i.broken = '' AND i.retired_at IS NULL AND `+measured+`
			ORDER BY `+heldoutPlace+` LIMIT $3
		), judged AS (
			SELECT round_id, judged_some, CASE WHEN cardinality(judged_some) < $3 THEN 4294967296 ELSE (SELECT `+heldoutPlace+` FROM (SELECT judged_some[$3] AS id) i) END AS until FROM round_rows
		)
		SELECT count(*) FROM rounds r LEFT JOIN judged x ON x.round_id = r.id
		WHERE r.project_id = $1 AND r.state = 'finished' AND r.result->>'split' = $2 AND EXISTS (SELECT FROM heldout)
			AND (x.round_id IS NULL OR 2 * (SELECT count(*) FROM unnest(x.judged_some) j JOIN heldout h ON h.id = j WHERE h.place <= x.until) >= (SELECT count(*) FROM heldout h WHERE h.place <= x.until))`,
		projectID, d.Split, comparedHeldout)
	return d, wrap(err, "counting the rounds that the held-out images of project %d have judged", projectID)
}

// StartRound implements annotator.RoundStore.
func (s *Store) StartRound(ctx context.Context, start annotator.RoundStart) (annotator.Round, error) {
	var round annotator.Round
	err := s.inTx(ctx, func(tx *Store) error {
		if err := tx.lockProject(ctx, start.ProjectID); err != nil {
			return err
		}
		settings, err := json.Marshal(start.Settings)
		if err != nil {
			return err
		}
		id, err := one(ctx, tx, pgx.RowTo[int64], `
			WITH usable AS (`+usableEdits+`),
			round AS (
				INSERT INTO rounds (project_id, number, settings, parent_version, started_by, started_by_name, idempotency_key, last_image_id, edits, images, bytes)
				SELECT $1::bigint, 1 + coalesce((SELECT max(number) FROM rounds WHERE project_id = $1), 0), $3, $2, nullif($4::bigint, 0), $5, nullif($6, ''),
					`+lastImage+`, (SELECT count(*) FROM usable), `+trained+`, $7
				RETURNING id
			), kept AS (
				INSERT INTO round_edits (round_id, image_id, edit_id) SELECT round.id, image_id, edit_id FROM usable, round
			)
			SELECT id FROM round`,
			start.ProjectID, start.ParentVersion, settings, start.StartedBy.ID, start.StartedBy.Name, start.IdempotencyKey, start.Bytes)
		if err != nil {
			return err
		}
		job, err := tx.insertJob(ctx, start.ProjectID, annotator.JobRound, nil, &id)
		if err != nil {
			return err
		}
		if err := tx.enqueue(ctx, job.ID, RoundArgs{JobID: job.ID, RoundID: id}, HeavyWork); err != nil {
			return err
		}
		if err := tx.tellOfRound(ctx, id); err != nil {
			return err
		}
		round, err = tx.Round(ctx, id)
		return err
	})
	switch violated(err) {
	case "rounds_one_running":
		return round, fmt.Errorf("another round of the project runs: %w", annotator.ErrConflict)
	case "rounds_idempotency":
		return round, fmt.Errorf("the key has started a round already: %w", annotator.ErrConflict)
	}
	return round, wrap(err, "queueing a round of project %d", start.ProjectID)
}

// CancelRound implements annotator.RoundStore.
func (s *Store) CancelRound(ctx context.Context, id int64) (annotator.Round, error) {
	var round annotator.Round
	err := s.inTx(ctx, func(tx *Store) (err error) {
		if round, err = tx.ChangeRound(ctx, id, annotator.Round.Cancel); err != nil {
			return err
		}
		jobID, err := one(ctx, tx, pgx.RowTo[int64], `SELECT id FROM jobs WHERE round_id = $1`, id)
		if err != nil {
			return err
		}
		return tx.cancelRiver(ctx, jobID)
	})
	return round, wrap(err, "round %d", id)
}

// ChangeRound implements annotator.RoundStore.
func (s *Store) ChangeRound(ctx context.Context, id int64, rule func(annotator.Round) (annotator.Round, error)) (annotator.Round, error) {
	var round annotator.Round
	err := s.inTx(ctx, func(tx *Store) (err error) {
		if round, err = tx.lockRound(ctx, id); err != nil {
			return err
		}
		if round, err = rule(round); err != nil {
			return err
		}
		return tx.saveRound(ctx, &round)
	})
	return round, err
}

// LockProjectOf implements annotator.RoundStore.
func (s *Store) LockProjectOf(ctx context.Context, id int64) error {
	_, err := one(ctx, s, pgx.RowTo[int64], `SELECT p.id FROM projects p JOIN rounds r ON r.project_id = p.id WHERE r.id = $1 FOR NO KEY UPDATE OF p`, id)
	return wrap(err, "round %d", id)
}

// lockRound returns a round and keeps others from changing it until the transaction ends.
func (s *Store) lockRound(ctx context.Context, id int64) (annotator.Round, error) {
	return one(ctx, s, scanRound, `SELECT `+roundColumns+` FROM rounds r WHERE r.id = $1 FOR NO KEY UPDATE`, id)
}

// saveRound writes the changeable fields of a locked round and of its job, and notifies the round's watchers. Times are the database's;
// saveRound sets them in r.
func (s *Store) saveRound(ctx context.Context, r *annotator.Round) error {
	progress, err := json.Marshal(r.Progress)
	if err != nil {
		return err
	}
	unreadable, err := documentOf(r.Unreadable)
	if err != nil {
		return err
	}
	result, err := documentOf(r.Result)
	if err != nil {
		return err
	}
	_, err = one(ctx, s, func(row pgx.CollectableRow) (struct{}, error) {
		return struct{}{}, row.Scan(&r.StartedAt, &r.FinishedAt)
	}, `
		UPDATE rounds SET state = $2, attempt = $3, progress = $4, unreadable = $5, result = $6, error = $7,
			cancel_requested_at = CASE WHEN $8 OR $2 = 'cancelled' THEN coalesce(cancel_requested_at, now()) ELSE cancel_requested_at END,
			started_at = CASE WHEN $3 > 0 THEN coalesce(started_at, now()) END,
			finished_at = CASE WHEN $9 THEN now() END
		WHERE id = $1 RETURNING started_at, finished_at`,
		r.ID, r.State, r.Attempt, progress, unreadable, result, r.Error, r.Cancelling, r.State.Over())
	if err != nil {
		return err
	}
	remaining := r.Progress.RemainingSeconds
	if r.State.Over() {
		remaining = 0
	}
	// Done is percent of the whole round.
	if _, err := s.q.Exec(ctx, `
		UPDATE jobs SET state = $2, phase = $3, done = $4, fraction = $5, remaining_seconds = $6, message = $7, reported_at = now(),
			total = CASE WHEN $8 THEN 100 ELSE total END, started_at = CASE WHEN $2 <> 'queued' THEN coalesce(started_at, now()) END,
			finished_at = CASE WHEN $9 THEN now() END
		WHERE round_id = $1`,
		r.ID, r.State.JobState(), r.Progress.Phase, int(100*r.Progress.Fraction), r.Progress.Fraction, remaining, r.Error,
		r.Attempt > 0, r.State.Over()); err != nil {
		return err
	}
	return s.tellOfRound(ctx, r.ID)
}

// documentOf returns a value as JSON; nil if v is nil.
func documentOf[T any](v *T) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}
