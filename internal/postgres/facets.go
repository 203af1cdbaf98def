package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// Facets implements annotator.TaskStore: one query per facet, since each leaves out another filter.
func (s *Store) Facets(ctx context.Context, projectID int64, f annotator.TaskFilter) (annotator.Facets, error) {
	facets := annotator.Facets{States: map[annotator.TaskState]int{}, Labels: map[int]int{}}
	err := s.facets(ctx, projectID, f, &facets)
	return facets, wrap(err, "counting the tasks of project %d", projectID)
}

func (s *Store) facets(ctx context.Context, projectID int64, f annotator.TaskFilter, facets *annotator.Facets) error {
	where := conditions(projectID, f, "state")
	tables, n, _ := tasksCounted(f, "state")
	states, err := list(ctx, s, pgx.RowToStructByName[count[annotator.TaskState]], `
		SELECT t.state AS key, `+n+` AS n FROM `+tables+` WHERE `+where.sql()+` GROUP BY 1 HAVING `+n+` > 0`, where.args...)
	if err != nil {
		return err
	}
	for _, c := range states {
		facets.States[c.Key] = c.N
	}

	where = conditions(projectID, f, "label")
	tables, n, _ = tasksCounted(f, "label")
	labels, err := list(ctx, s, pgx.RowToStructByName[count[int]], `
		SELECT t.label AS key, `+n+` AS n FROM `+tables+` WHERE `+where.sql()+` GROUP BY 1 HAVING `+n+` > 0`, where.args...)
	if err != nil {
		return err
	}
	for _, c := range labels {
		facets.Labels[c.Key] = c.N
	}

	where = conditions(projectID, f, "confusion")
	tables, n, _ = tasksCounted(f, "confusion")
	facets.Confusion, err = list(ctx, s, pgx.RowToStructByName[annotator.ConfusionPair], `
		SELECT t.label, t.predicted, `+n+` AS count FROM `+tables+` WHERE t.label <> t.predicted AND `+where.sql()+`
		GROUP BY 1, 2 HAVING `+n+` > 0 ORDER BY 3 DESC, 1, 2 LIMIT 40`, where.args...)
	if err != nil {
		return err
	}

	where = conditions(projectID, f, "author")
	facets.Authors, err = list(ctx, s, pgx.RowToStructByName[annotator.AuthorCount], `
		SELECT u.id AS user_id, u.name, count(*) FROM tasks t JOIN users u ON u.id = t.author_id WHERE t.author_id IS NOT NULL AND `+where.sql()+`
		GROUP BY 1, 2 ORDER BY 3 DESC, 2, 1`, where.args...)
	if err != nil {
		return err
	}

	where = conditions(projectID, f, "assignee")
	facets.Assignees, err = list(ctx, s, pgx.RowToStructByName[annotator.AuthorCount], `
		SELECT u.id AS user_id, u.name, count(*) FROM tasks t JOIN users u ON u.id = t.assigned_to WHERE t.assigned_to IS NOT NULL AND `+where.sql()+`
		GROUP BY 1, 2 ORDER BY 3 DESC, 2, 1`, where.args...)
	if err != nil {
		return err
	}

	where = conditions(projectID, f, "confidence")
	tables, n, tenth := tasksCounted(f, "confidence")
	tenths, err := list(ctx, s, pgx.RowToStructByName[count[int]], `
		SELECT `+tenth+` AS key, `+n+` AS n FROM `+tables+` WHERE `+where.sql()+` GROUP BY 1 HAVING `+n+` > 0`, where.args...)
	for _, c := range tenths {
		facets.Histogram[c.Key] = c.N
	}
	return err
}

// count is one group of a GROUP BY.
type count[T any] struct {
	Key T
	N   int
}
