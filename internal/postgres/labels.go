package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

const labelColumns = `l.id, l.project_id, l.image_id, i.name AS image_name, l.state, l.says, l.class, l.was, l.author_id, a.name AS author, l.comment, l.created_at,
	l.reviewer_id, coalesce(r.name, '') AS reviewer, l.review_comment, l.judged_at`

const labelTables = `label_verdicts l JOIN images i ON i.id = l.image_id JOIN users a ON a.id = l.author_id LEFT JOIN users r ON r.id = l.reviewer_id`

func scanLabel(row pgx.CollectableRow) (v annotator.LabelVerdict, err error) {
	err = row.Scan(&v.ID, &v.ProjectID, &v.ImageID, &v.ImageName, &v.State, &v.Says, &v.Class, &v.Was, &v.AuthorID, &v.Author, &v.Comment, &v.CreatedAt,
		&v.ReviewerID, &v.Reviewer, &v.ReviewComment, &v.JudgedAt)
	return v, err
}

// LabelVerdict implements annotator.LabelStore.
func (s *Store) LabelVerdict(ctx context.Context, id int64) (annotator.LabelVerdict, error) {
	v, err := one(ctx, s, scanLabel, `SELECT `+labelColumns+` FROM `+labelTables+` WHERE l.id = $1 AND l.`+inProject, id)
	return v, wrap(err, "verdict %d on a label", id)
}

// LabelVerdicts implements annotator.LabelStore.
func (s *Store) LabelVerdicts(ctx context.Context, projectID int64, f annotator.LabelFilter) ([]annotator.LabelVerdict, error) {
	all, err := list(ctx, s, scanLabel, `
		SELECT `+labelColumns+` FROM `+labelTables+`
		WHERE l.project_id = $1 AND ($2 = '' OR l.state = $2) AND ($3::bigint = 0 OR l.id < $3) ORDER BY l.id DESC LIMIT $4`, projectID, string(f.State), f.Before, f.Limit)
	return all, wrap(err, "listing the verdicts on labels of project %d", projectID)
}

// InsertLabelVerdict implements annotator.LabelStore.
func (s *Store) InsertLabelVerdict(ctx context.Context, v annotator.LabelVerdict) (annotator.LabelVerdict, error) {
	err := s.inTx(ctx, func(tx *Store) (err error) {
		waiting, err := list(ctx, tx, scanLabel, `SELECT `+labelColumns+` FROM `+labelTables+` WHERE l.image_id = $1 AND l.state = ANY($2)`,
			v.ImageID, texts(annotator.LabelTransitions.From(annotator.EventConfirm)))
		if err == nil && len(waiting) > 0 {
			err = fmt.Errorf("%s has said of its label already what a reviewer is to decide: %w", waiting[0].Author, annotator.ErrConflict)
		}
		if err != nil {
			return err
		}
		v.ID, err = one(ctx, tx, pgx.RowTo[int64], `
			INSERT INTO label_verdicts (project_id, image_id, state, says, class, was, author_id, comment, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
			v.ProjectID, v.ImageID, v.State, v.Says, v.Class, v.Was, v.AuthorID, v.Comment, v.CreatedAt)
		return err
	})
	return v, wrap(err, "saying something of the label of image %d", v.ImageID)
}

// UpdateLabelVerdict implements annotator.LabelStore.
func (s *Store) UpdateLabelVerdict(ctx context.Context, v annotator.LabelVerdict) error {
	n, err := s.exec(ctx, `
		UPDATE label_verdicts SET state = $2, reviewer_id = $3, review_comment = $4, judged_at = $5 WHERE id = $1`,
		v.ID, v.State, v.ReviewerID, v.ReviewComment, v.JudgedAt)
	switch violated(err) {
	case "label_verdicts_not_by_author", "label_verdicts_by_reviewer":
		err = errors.Join(annotator.ErrForbidden, err)
	case "label_verdicts_append_only":
		err = errors.Join(annotator.ErrConflict, err)
	}
	return changed(n, err, "verdict %d on a label", v.ID)
}

// NextLabelVerdict implements annotator.LabelStore.
func (s *Store) NextLabelVerdict(ctx context.Context, projectID, reviewerID, after int64) (int64, error) {
	id, err := one(ctx, s, pgx.RowTo[int64], `
		SELECT id FROM label_verdicts WHERE project_id = $1 AND state = ANY($4) AND author_id <> $2 AND id > $3 ORDER BY id LIMIT 1`,
		projectID, reviewerID, after, texts(annotator.LabelTransitions.From(annotator.EventConfirm)))
	if errors.Is(err, annotator.ErrNotFound) {
		return 0, annotator.ErrNoTask
	}
	return id, wrap(err, "the next verdict on a label of project %d", projectID)
}

// LabelHistory implements annotator.LabelStore.
func (s *Store) LabelHistory(ctx context.Context, image annotator.Image) (h annotator.LabelHistory, err error) {
	h.Verdicts, err = list(ctx, s, scanLabel, `SELECT `+labelColumns+` FROM `+labelTables+` WHERE l.image_id = $1 ORDER BY l.id`, image.ID)
	if err == nil {
		h.Changes, err = list(ctx, s, pgx.RowToStructByName[annotator.LabelChange], `
			SELECT at, was, became, left_out, cause, verdict_id FROM label_changes WHERE image_id = $1 ORDER BY id`, image.ID)
	}
	return h, wrap(err, "the history of the label of image %d", image.ID)
}

// SetLabel implements annotator.LabelStore.
func (s *Store) SetLabel(ctx context.Context, image annotator.Image, verdictID int64, at time.Time) error {
	left := ""
	for _, why := range annotator.LeftOutByLabel {
		if image.Is(why) {
			left = string(why)
		}
	}
	err := s.inTx(ctx, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `
			INSERT INTO label_changes (image_id, at, was, became, left_out, cause, verdict_id)
			SELECT i.id, $3, coalesce(o.key, ''), coalesce(n.key, ''), $4, $5, $6 FROM images i
				LEFT JOIN classes o ON o.project_id = i.project_id AND o.index = i.label LEFT JOIN classes n ON n.project_id = i.project_id AND n.index = $2
			WHERE i.id = $1`, image.ID, image.Label, at, left, annotator.LabelByVerdict, verdictID); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `UPDATE images SET label = $2, left_out = $3 WHERE id = $1`, image.ID, image.Label, texts(image.LeftOut)); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `UPDATE predictions SET correct = coalesce(class = $2, false) WHERE image_id = $1`, image.ID, image.Label); err != nil {
			return err
		}
		_, err := tx.q.Exec(ctx, `UPDATE tasks SET label = $2 WHERE image_id = $1 AND $2::int IS NOT NULL`, image.ID, image.Label)
		return err
	})
	return wrap(err, "changing the label of image %d", image.ID)
}

// TasksOf implements annotator.LabelStore.
func (s *Store) TasksOf(ctx context.Context, imageID int64) ([]annotator.Task, error) {
	all, err := list(ctx, s, scanTask, `SELECT `+taskColumns+` FROM `+taskTables+` WHERE t.image_id = $1 ORDER BY t.id FOR UPDATE OF t`, imageID)
	return all, wrap(err, "the tasks of image %d", imageID)
}

// FollowTasks implements annotator.LabelStore.
func (s *Store) FollowTasks(ctx context.Context, projectID int64, images []int64, at time.Time) error {
	err := s.inTx(ctx, func(tx *Store) error {
		if err := tx.followTasks(ctx, images, at); err != nil {
			return err
		}
		v, err := tx.ActiveVersion(ctx, projectID)
		if errors.Is(err, annotator.ErrNotFound) {
			return nil
		}
		if err == nil {
			_, err = tx.createTasks(ctx, v, images)
		}
		return err
	})
	return wrap(err, "letting the tasks of %d images follow", len(images))
}

// questioned is the condition of an image i whose label is said to be wrong, which nobody has decided.
const questioned = `EXISTS (SELECT FROM label_verdicts l WHERE l.image_id = i.id AND l.state = 'proposed')`

// followTasks locks the tasks of images that are not approved, and withdraws or restores them as their images are now.
func (s *Store) followTasks(ctx context.Context, images []int64, at time.Time) error {
	type following struct {
		task  annotator.Task
		image annotator.Painting
	}
	all, err := list(ctx, s, func(row pgx.CollectableRow) (f following, err error) {
		err = row.Scan(append(append(taskFields(&f.task), imageFields(&f.image.Image)...), &f.image.Right, &f.image.Questioned, &f.image.InReview)...)
		return f, err
	}, `
		SELECT `+taskColumns+`, `+imageColumns+`, p.correct AND NOT t.made_right, `+questioned+`, EXISTS (SELECT FROM edits e WHERE e.task_id = t.id AND e.state = 'submitted')
		FROM `+taskTables+` JOIN images i ON i.id = t.image_id JOIN predictions p ON p.version_id = t.version_id AND p.image_id = t.image_id
		WHERE t.image_id = ANY($1) AND t.state <> 'approved' ORDER BY t.id FOR UPDATE OF t`, images)
	if err != nil {
		return err
	}
	for _, f := range all {
		now := f.task.Follow(f.image, at)
		if now.State == f.task.State && now.SkipReason == f.task.SkipReason {
			continue
		}
		if err := s.UpdateTask(ctx, now); err != nil {
			return err
		}
	}
	return nil
}

// EnqueueEvaluations implements annotator.LabelStore. A version whose figures a worker is to take anew, and has not begun to, is not
// asked for twice: its job is locked, so that no worker begins before the change that the caller makes is stored.
func (s *Store) EnqueueEvaluations(ctx context.Context, projectID int64) error {
	err := s.inTx(ctx, func(tx *Store) error {
		versions, err := list(ctx, tx, pgx.RowTo[int64], `
			SELECT v.id FROM versions v WHERE v.project_id = $1 AND v.figures <> '{}' AND v.scanned > 0 ORDER BY v.id`, projectID)
		if err != nil {
			return err
		}
		for _, id := range versions {
			waiting, err := list(ctx, tx, pgx.RowTo[int64], `
				SELECT id FROM jobs WHERE version_id = $1 AND kind = $2 AND state = ANY($3) FOR NO KEY UPDATE`,
				id, annotator.JobEvaluate, []string{string(annotator.JobQueued)})
			if err == nil && len(waiting) == 0 {
				_, err = tx.EnqueueEvaluate(ctx, id)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "asking for the figures of project %d", projectID)
}
