package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

func (s *Store) classes(ctx context.Context, projectID int64) ([]annotator.Class, error) {
	return list(ctx, s, pgx.RowToStructByName[annotator.Class], `SELECT index, key, name FROM classes WHERE project_id = $1 ORDER BY index`, projectID)
}

// SetClasses implements annotator.ImportStore: annotator.ChangeClasses decides, on a locked project.
func (s *Store) SetClasses(ctx context.Context, projectID int64, classes []annotator.Class) error {
	err := s.inTx(ctx, func(tx *Store) error {
		now, hasModel, err := tx.lockClasses(ctx, projectID)
		if err != nil {
			return err
		}
		change, err := annotator.ChangeClasses(now, classes, hasModel)
		if err != nil || change.Classes == nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `DELETE FROM classes WHERE project_id = $1`, projectID); err != nil {
			return err
		}
		if err := tx.insertClasses(ctx, projectID, change.Classes); err != nil {
			return err
		}
		var from, to []int
		for old, label := range change.Labels {
			from, to = append(from, old), append(to, label)
		}
		_, err = tx.q.Exec(ctx, `
			WITH m AS (SELECT old, new FROM unnest($2::int[], $3::int[]) AS m(old, new))
			UPDATE images SET label = coalesce((SELECT new FROM m WHERE old = label), label), source_label = coalesce((SELECT new FROM m WHERE old = source_label), source_label)
			WHERE project_id = $1 AND (label IN (SELECT old FROM m) OR source_label IN (SELECT old FROM m))`, projectID, from, to)
		return err
	})
	return wrap(err, "setting the classes of project %d", projectID)
}

// AddClasses implements annotator.ImportStore.
func (s *Store) AddClasses(ctx context.Context, projectID int64, classes []annotator.Class) error {
	err := s.inTx(ctx, func(tx *Store) error { return tx.insertClasses(ctx, projectID, classes) })
	return wrap(err, "adding %d classes to project %d", len(classes), projectID)
}

func (s *Store) insertClasses(ctx context.Context, projectID int64, classes []annotator.Class) error {
	if len(classes) == 0 {
		return nil
	}
	_, err := s.q.CopyFrom(ctx, pgx.Identifier{"classes"}, []string{"project_id", "index", "key", "name"},
		pgx.CopyFromSlice(len(classes), func(i int) ([]any, error) {
			return []any{projectID, classes[i].Index, classes[i].Key, classes[i].Name}, nil
		}))
	return err
}

// lockClasses locks a project, and returns its classes and whether it has a model.
func (s *Store) lockClasses(ctx context.Context, projectID int64) (classes []annotator.Class, hasModel bool, err error) {
	if err = s.lockProject(ctx, projectID); err != nil {
		return nil, false, err
	}
	if classes, err = s.classes(ctx, projectID); err != nil {
		return nil, false, err
	}
	hasModel, err = one(ctx, s, pgx.RowTo[bool], `SELECT EXISTS (SELECT FROM versions WHERE project_id = $1)`, projectID)
	return classes, hasModel, err
}

// lockProject keeps other imports and versions of a project out until the transaction ends.
func (s *Store) lockProject(ctx context.Context, projectID int64) error {
	_, err := one(ctx, s, pgx.RowTo[int64], `SELECT id FROM projects WHERE id = $1 FOR NO KEY UPDATE`, projectID)
	return err
}
