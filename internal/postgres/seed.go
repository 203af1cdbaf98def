package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// LockUntouched implements annotator.SeedStore. It may make a task for an image that the version gets right.
func (s *Store) LockUntouched(ctx context.Context, v annotator.Version, imageID int64) (annotator.Task, error) {
	var task annotator.Task
	err := s.inTx(ctx, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `
			INSERT INTO tasks (project_id, image_id, version_id, label, predicted, confidence)
			SELECT i.project_id, i.id, p.version_id, i.label, p.class, p.confidence
			FROM images i JOIN predictions p ON p.image_id = i.id AND p.version_id = $2
			WHERE i.id = $1 AND i.project_id = $3 AND i.label IS NOT NULL AND i.retired_at IS NULL AND `+teaches+` AND NOT EXISTS (SELECT FROM tasks t WHERE t.image_id = i.id)`,
			imageID, v.ID, v.ProjectID); err != nil {
			return err
		}
		id, err := one(ctx, tx, pgx.RowTo[int64], `
			SELECT id FROM tasks t WHERE image_id = $1 AND version_id = $2 AND project_id = $3 AND state = 'open'
				AND NOT EXISTS (SELECT FROM edits WHERE task_id = t.id) FOR UPDATE`, imageID, v.ID, v.ProjectID)
		if err != nil {
			return err
		}
		task, err = tx.Task(ctx, id)
		return err
	})
	return task, wrap(err, "the task of image %d", imageID)
}

// MapTargets implements annotator.BringStore.
func (s *Store) MapTargets(ctx context.Context, v annotator.Version) ([]annotator.MapTarget, error) {
	all, err := list(ctx, s, pgx.RowToStructByName[annotator.MapTarget], `
		SELECT i.id AS image_id, i.source, i.name,
			CASE WHEN i.broken <> '' THEN 'the picture cannot be read'
				WHEN i.label IS NULL THEN 'the image has no class, and a map says where to look for it: label it first'
				WHEN p.image_id IS NULL THEN 'the active version has not scanned the image yet: wait for its scan'
				ELSE '' END AS why,
			EXISTS (SELECT FROM tasks t WHERE t.image_id = i.id AND (t.version_id <> $2 OR t.state <> $3 OR EXISTS (SELECT FROM edits e WHERE e.task_id = t.id))) AS worked
		FROM images i LEFT JOIN predictions p ON p.image_id = i.id AND p.version_id = $2
		WHERE i.project_id = $1 AND i.retired_at IS NULL ORDER BY i.id`, v.ProjectID, v.ID, annotator.TaskTransitions.To(annotator.EventMake))
	return all, wrap(err, "listing the images of project %d", v.ProjectID)
}

// LatestMap implements annotator.BringStore.
func (s *Store) LatestMap(ctx context.Context, imageID int64) (annotator.Edit, error) {
	e, err := one(ctx, s, scanEdit, `SELECT `+editColumns+` FROM `+editTables+` JOIN tasks t ON t.id = e.task_id WHERE t.image_id = $1 ORDER BY e.created_at DESC, e.id DESC LIMIT 1`, imageID)
	return e, wrap(err, "the latest map of image %d", imageID)
}
