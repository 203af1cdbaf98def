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
