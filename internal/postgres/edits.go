package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// editColumns are the columns of edits under the alias e, joined with users u by author, and where it corrects another with that one's.
const editColumns = `e.id, e.task_id, e.revision, e.author_id, ` + editAuthor + ` AS author, e.state, coalesce(e.corrects, 0) AS corrects, coalesce(painter.name, '') AS painter, e.source, e.map_height, e.map_width, e.map AS cells, e.marks,
	e.version_id, e.created_at, e.provenance, e.before, e.after`

const editTables = `edits e JOIN users u ON u.id = e.author_id ` + correctedEdit

// correctedEdit joins the revision that e corrects, and who painted that.
const correctedEdit = `LEFT JOIN edits corrected ON corrected.task_id = e.task_id AND corrected.revision = e.corrects LEFT JOIN users painter ON painter.id = corrected.author_id`

// scanEdit reads an edit; its history where the query has it.
func scanEdit(row pgx.CollectableRow) (annotator.Edit, error) {
	type withMap struct {
		annotator.Edit
		MapHeight, MapWidth int
		Cells               []byte
		Marks               attention.Marks
	}
	e, err := pgx.RowToStructByNameLax[withMap](row)
	if err != nil {
		return e.Edit, err
	}
	e.Map, err = attention.FromBytes(e.MapHeight, e.MapWidth, e.Cells)
	e.Map.Marks, e.Origin, e.Hints = e.Marks, annotator.OriginOf(e.Provenance), annotator.HintsOf(e.Provenance)
	return e.Edit, err
}

// Edit implements annotator.EditStore.
func (s *Store) Edit(ctx context.Context, id int64) (annotator.Edit, error) {
	e, err := one(ctx, s, scanEdit, `SELECT `+editColumns+` FROM `+editTables+` WHERE e.id = $1`, id)
	return e, wrap(err, "edit %d", id)
}

// LatestEdit implements annotator.EditStore.
func (s *Store) LatestEdit(ctx context.Context, taskID int64) (annotator.Edit, error) {
	e, err := one(ctx, s, scanEdit, `
		SELECT `+editColumns+`, h.history FROM `+editTables+`
		LEFT JOIN edit_histories h ON h.task_id = e.task_id AND h.revision = e.revision
		WHERE e.task_id = $1 ORDER BY e.revision DESC LIMIT 1`, taskID)
	return e, wrap(err, "the latest edit of task %d", taskID)
}

// Revisions implements annotator.EditStore.
func (s *Store) Revisions(ctx context.Context, taskID int64) ([]annotator.Edit, error) {
	all, err := list(ctx, s, scanEdit, `SELECT `+editColumns+` FROM `+editTables+` WHERE e.task_id = $1 ORDER BY e.revision`, taskID)
	return all, wrap(err, "listing the edits of task %d", taskID)
}

// InsertEdit implements annotator.EditStore.
func (s *Store) InsertEdit(ctx context.Context, e annotator.Edit) (annotator.Edit, error) {
	added := e
	err := s.inTx(ctx, func(tx *Store) error {
		var err error
		added.ID, err = one(ctx, tx, pgx.RowTo[int64], `
			INSERT INTO edits (task_id, revision, author_id, version_id, source, map_height, map_width, map, marks, provenance, created_at, corrects)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::json, $11, nullif($12, 0)) RETURNING id`,
			e.TaskID, e.Revision, e.AuthorID, e.VersionID, e.Source, e.Map.Height, e.Map.Width, e.Map.Bytes(), e.Map.Marks.Plain(), document(e.Provenance), e.CreatedAt, e.Corrects)
		if err != nil {
			return err
		}
		if len(e.History) == 0 {
			_, err = tx.q.Exec(ctx, `DELETE FROM edit_histories WHERE task_id = $1`, e.TaskID)
			return err
		}
		_, err = tx.q.Exec(ctx, `
			INSERT INTO edit_histories (task_id, revision, history) VALUES ($1, $2, $3::json)
			ON CONFLICT (task_id) DO UPDATE SET revision = excluded.revision, history = excluded.history`,
			e.TaskID, e.Revision, document(e.History))
		return err
	})
	if violated(err) == "edits_revision_key" {
		return added, fmt.Errorf("adding revision %d to task %d: there is one: %w", e.Revision, e.TaskID, annotator.ErrConflict)
	}
	return added, wrap(err, "adding revision %d to task %d", e.Revision, e.TaskID)
}

// document returns JSON as a statement's parameter: text, or null if there is none.
func document(raw json.RawMessage) *string {
	if len(raw) == 0 {
		return nil
	}
	text := string(raw)
	return &text
}

// SubmitEdit implements annotator.EditStore.
func (s *Store) SubmitEdit(ctx context.Context, id int64, before, after *annotator.Scores, at time.Time) error {
	var documents [2]*string
	for i, scores := range []*annotator.Scores{before, after} {
		if scores == nil {
			continue
		}
		raw, err := json.Marshal(scores)
		if err != nil {
			return wrap(err, "submitting edit %d", id)
		}
		documents[i] = document(raw)
	}
	n, err := s.exec(ctx, `
		UPDATE edits SET state = $5, before = $2::json, after = $3::json, submitted_at = $4 WHERE id = $1 AND state = ANY($6)`,
		id, documents[0], documents[1], at,
		annotator.EditTransitions.To(annotator.EventSubmit), texts(annotator.EditTransitions.From(annotator.EventSubmit)))
	if err == nil && n == 0 {
		err = fmt.Errorf("it is no longer a draft: %w", annotator.ErrConflict)
	}
	return wrap(err, "submitting edit %d", id)
}

// JudgeEdit implements annotator.EditStore.
func (s *Store) JudgeEdit(ctx context.Context, r annotator.Review) (annotator.Review, error) {
	pins := r.Pins
	if pins == nil {
		pins = []annotator.Pin{}
	}
	err := s.inTx(ctx, func(tx *Store) (err error) {
		r.ID, err = one(ctx, tx, pgx.RowTo[int64], `
			INSERT INTO reviews (edit_id, reviewer_id, verdict, comment, reasons, created_at, rule, pins) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
			r.EditID, r.ReviewerID, r.Verdict, r.Comment, texts(r.Reasons), r.CreatedAt, r.Rule, pins)
		if err != nil {
			return err
		}
		if r.Verdict == annotator.VerdictCorrect { // it is not what was decided of the task
			return tx.leaveReview(ctx, r.EditID, annotator.EventCorrect)
		}
		_, err = tx.q.Exec(ctx, `
			UPDATE edits SET judged_at = $3, state = $2 WHERE id = $1`, r.EditID, annotator.EditTransitions.To(r.Verdict.Event()), r.CreatedAt)
		return err
	})
	switch violated(err) {
	case "reviews_not_by_author", "reviews_by_reviewer":
		err = errors.Join(annotator.ErrForbidden, err)
	case "reviews_of_submitted", "reviews_one_per_edit":
		err = errors.Join(annotator.ErrConflict, err)
	}
	return r, wrap(err, "judging edit %d", r.EditID)
}

// Reviews implements annotator.EditStore.
func (s *Store) Reviews(ctx context.Context, taskID int64) ([]annotator.Review, error) {
	all, err := list(ctx, s, pgx.RowToStructByName[annotator.Review], `
		SELECT r.id, r.edit_id, e.revision, r.reviewer_id, u.name AS reviewer, r.verdict, r.comment, r.reasons, r.pins, r.rule, r.created_at,
			r.taken_back_at, coalesce(b.name, '') AS taken_back_by
		FROM reviews r JOIN edits e ON e.id = r.edit_id JOIN users u ON u.id = r.reviewer_id LEFT JOIN users b ON b.id = r.taken_back_by
		WHERE e.task_id = $1 ORDER BY r.id`, taskID)
	if all == nil {
		all = []annotator.Review{}
	}
	return all, wrap(err, "listing the reviews of task %d", taskID)
}

// ReasonCounts implements annotator.EditStore.
func (s *Store) ReasonCounts(ctx context.Context, projectID int64) (map[annotator.Reason]int, error) {
	all, err := list(ctx, s, pgx.RowToStructByPos[annotator.ReasonCount], `
		SELECT reason, count(*) FROM reviews r JOIN edits e ON e.id = r.edit_id JOIN tasks t ON t.id = e.task_id, unnest(r.reasons) reason
		WHERE t.project_id = $1 AND r.taken_back_at IS NULL AND r.reasons <> '{}' GROUP BY reason`, projectID)
	counts := map[annotator.Reason]int{}
	for _, c := range all {
		counts[c.Reason] = c.Count
	}
	return counts, wrap(err, "counting the reasons of project %d", projectID)
}

// TakeBackEdit implements annotator.EditStore.
func (s *Store) TakeBackEdit(ctx context.Context, id int64) error {
	return wrap(s.leaveReview(ctx, id, annotator.EventTakeBack), "taking edit %d back", id)
}

// leaveReview takes an edit out of review, neither approved nor rejected.
func (s *Store) leaveReview(ctx context.Context, id int64, event annotator.Event) error {
	n, err := s.exec(ctx, `UPDATE edits SET state = $2 WHERE id = $1 AND state = ANY($3)`,
		id, annotator.EditTransitions.To(event), texts(annotator.EditTransitions.From(event)))
	if err == nil && n == 0 {
		err = fmt.Errorf("it does not wait for review: %w", annotator.ErrConflict)
	}
	return err
}

// LockVerdict implements annotator.EditStore. It locks the project before the task, as the start of a round does.
func (s *Store) LockVerdict(ctx context.Context, editID int64) (task annotator.Task, round int, err error) {
	taskID, err := one(ctx, s, pgx.RowTo[int64], `SELECT task_id FROM edits WHERE id = $1`, editID)
	if err != nil {
		return task, 0, wrap(err, "edit %d", editID)
	}
	if task, err = s.Task(ctx, taskID); err != nil {
		return task, 0, err
	}
	if err = s.lockProject(ctx, task.ProjectID); err != nil {
		return task, 0, wrap(err, "the project of edit %d", editID)
	}
	if task, err = s.LockTask(ctx, taskID); err != nil {
		return task, 0, err
	}
	round, err = one(ctx, s, pgx.RowTo[int], `
		SELECT coalesce(min(r.number), 0) FROM rounds r JOIN round_edits x ON x.round_id = r.id WHERE x.edit_id = $1 AND r.state <> ALL ($2)`,
		editID, texts([]annotator.RoundState{annotator.RoundCancelled, annotator.RoundFailed}))
	return task, round, wrap(err, "the rounds that use edit %d", editID)
}

// RetractReview implements annotator.EditStore.
func (s *Store) RetractReview(ctx context.Context, editID, by int64, at time.Time) error {
	err := s.inTx(ctx, func(tx *Store) error {
		n, err := tx.exec(ctx, `UPDATE reviews SET taken_back_at = $2, taken_back_by = $3 WHERE edit_id = $1 AND taken_back_at IS NULL`, editID, at, by)
		if err == nil && n == 0 {
			err = fmt.Errorf("it has no verdict: %w", annotator.ErrConflict)
		}
		if err != nil {
			return err
		}
		n, err = tx.exec(ctx, `UPDATE edits SET state = $2, judged_at = NULL WHERE id = $1 AND state = ANY($3)`,
			editID, annotator.EditTransitions.To(annotator.EventRetract), texts(annotator.EditTransitions.From(annotator.EventRetract)))
		if err == nil && n == 0 {
			err = fmt.Errorf("it is not judged: %w", annotator.ErrConflict)
		}
		return err
	})
	return wrap(err, "taking the verdict on edit %d back", editID)
}

// NextReview implements annotator.EditStore.
func (s *Store) NextReview(ctx context.Context, projectID, reviewerID int64, order annotator.ReviewOrder, after int64, except []int64, heldOnly bool, now time.Time) (annotator.Task, error) {
	tables, by, later := taskTables, `t.submitted_at, t.id`, `(t.submitted_at, t.id) > (SELECT a.submitted_at, a.id FROM tasks a WHERE a.id = $5)`
	if order != annotator.ReviewOldest {
		tables, by, later = taskTables+judgedTables, reviewPlace(order), afterReview(order, `$5`)
	}
	// By age each is one scan of an index, which ends at the first task that fits.
	const mine = `t.reviewer_id = $2 AND t.lease_expires_at > $3`
	const free = `(t.reviewer_id IS NULL OR t.lease_expires_at <= $3)`
	ways := []string{mine, free + ` AND ` + later, free}
	switch {
	case heldOnly:
		ways = ways[:1]
	case after == 0:
		ways = []string{mine, free}
	}
	for _, way := range ways {
		args := []any{projectID, reviewerID, now, except}
		if strings.Contains(way, "$5") {
			args = append(args, after)
		}
		t, err := one(ctx, s, scanTask, `
			SELECT `+taskColumns+` FROM `+tables+`
			WHERE t.project_id = $1 AND t.state = 'submitted' AND `+way+` AND t.id <> ALL ($4) AND $2 <> ALL (task_drawn_by(t.id))
			ORDER BY `+by+` LIMIT 1 FOR UPDATE OF t SKIP LOCKED`, args...)
		if !errors.Is(err, annotator.ErrNotFound) {
			return t, wrap(err, "the next review of project %d", projectID)
		}
	}
	return annotator.Task{}, annotator.ErrNoTask
}
