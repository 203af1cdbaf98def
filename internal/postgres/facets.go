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
	c := tasksCounted(projectID, without(f, "state"))
	states, err := list(ctx, s, pgx.RowToStructByName[count[annotator.TaskState]], `
		SELECT t.state AS key, `+c.n+` AS n FROM `+c.tables+` WHERE `+c.where.sql()+` GROUP BY 1 HAVING `+c.n+` > 0`, c.where.args...)
	if err != nil {
		return err
	}
	for _, of := range states {
		facets.States[of.Key] = of.N
	}

	c = tasksCounted(projectID, without(f, "label"))
	labels, err := list(ctx, s, pgx.RowToStructByName[count[int]], `
		SELECT t.label AS key, `+c.n+` AS n FROM `+c.tables+` WHERE `+c.where.sql()+` GROUP BY 1 HAVING `+c.n+` > 0`, c.where.args...)
	if err != nil {
		return err
	}
	for _, of := range labels {
		facets.Labels[of.Key] = of.N
	}

	c = tasksCounted(projectID, without(f, "confusion"))
	facets.Confusion, err = list(ctx, s, pgx.RowToStructByName[annotator.ConfusionPair], `
		SELECT t.label, t.predicted, `+c.n+` AS count FROM `+c.tables+` WHERE t.label <> t.predicted AND `+c.where.sql()+`
		GROUP BY 1, 2 HAVING `+c.n+` > 0 ORDER BY 3 DESC, 1, 2 LIMIT 40`, c.where.args...)
	if err != nil {
		return err
	}

	where := conditions(projectID, without(f, "author"))
	facets.Authors, err = list(ctx, s, pgx.RowToStructByName[annotator.AuthorCount], `
		SELECT u.id AS user_id, u.name, count(*) FROM tasks t JOIN users u ON u.id = t.author_id WHERE t.author_id IS NOT NULL AND `+where.sql()+`
		GROUP BY 1, 2 ORDER BY 3 DESC, 2, 1`, where.args...)
	if err != nil {
		return err
	}

	where = conditions(projectID, without(f, "assignee"))
	facets.Assignees, err = list(ctx, s, pgx.RowToStructByName[annotator.AuthorCount], `
		SELECT u.id AS user_id, u.name, count(*) FROM tasks t JOIN users u ON u.id = t.assigned_to WHERE t.assigned_to IS NOT NULL AND `+where.sql()+`
		GROUP BY 1, 2 ORDER BY 3 DESC, 2, 1`, where.args...)
	if err != nil {
		return err
	}

	c = tasksCounted(projectID, without(f, "confidence"))
	tenths, err := list(ctx, s, pgx.RowToStructByName[count[int]], `
		SELECT `+c.tenth+` AS key, `+c.n+` AS n FROM `+c.tables+` WHERE `+c.where.sql()+` GROUP BY 1 HAVING `+c.n+` > 0`, c.where.args...)
	for _, of := range tenths {
		facets.Histogram[of.Key] = of.N
	}
	return err
}

// without is a filter without one of its conditions: beside a choice stands what each other choice in its place would find.
func without(f annotator.TaskFilter, condition string) annotator.TaskFilter {
	switch condition {
	case "state":
		f.States = nil
	case "label":
		f.Label = nil
	case "confusion":
		f.Label, f.Predicted = nil, nil
	case "confidence":
		f.MinConfidence, f.MaxConfidence = nil, nil
	case "author":
		f.Author = nil
	case "assignee":
		f.Assignee = nil
	}
	return f
}

// count is one group of a GROUP BY.
type count[T any] struct {
	Key T
	N   int
}
