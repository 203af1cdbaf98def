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
	states, err := list(ctx, s, scanCount[annotator.TaskState], `
		SELECT t.state, count(*) FROM tasks t WHERE `+where.sql()+` GROUP BY 1`, where.args...)
	if err != nil {
		return err
	}
	for _, c := range states {
		facets.States[c.key] = c.n
	}

	where = conditions(projectID, f, "label")
	labels, err := list(ctx, s, scanCount[int], `
		SELECT t.label, count(*) FROM tasks t WHERE `+where.sql()+` GROUP BY 1`, where.args...)
	if err != nil {
		return err
	}
	for _, c := range labels {
		facets.Labels[c.key] = c.n
	}

	where = conditions(projectID, f, "confusion")
	facets.Confusion, err = list(ctx, s, func(row pgx.CollectableRow) (p annotator.ConfusionPair, err error) {
		err = row.Scan(&p.Label, &p.Predicted, &p.Count)
		return p, err
	}, `
		SELECT t.label, t.predicted, count(*) FROM tasks t WHERE `+where.sql()+`
		GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 40`, where.args...)
	if err != nil {
		return err
	}

	where = conditions(projectID, f, "author")
	facets.Authors, err = list(ctx, s, func(row pgx.CollectableRow) (a annotator.AuthorCount, err error) {
		err = row.Scan(&a.UserID, &a.Name, &a.Count)
		return a, err
	}, `
		SELECT u.id, u.name, count(*) FROM tasks t JOIN users u ON u.id = t.author_id WHERE `+where.sql()+`
		GROUP BY 1, 2 ORDER BY 3 DESC, 2, 1`, where.args...)
	if err != nil {
		return err
	}

	where = conditions(projectID, f, "confidence")
	tenths, err := list(ctx, s, scanCount[int], `
		SELECT least(9, greatest(0, floor(t.confidence * 10)::int)), count(*) FROM tasks t WHERE `+where.sql()+` GROUP BY 1`, where.args...)
	for _, c := range tenths {
		facets.Histogram[c.key] = c.n
	}
	return err
}

// count is one group of a GROUP BY.
type count[T any] struct {
	key T
	n   int
}

func scanCount[T any](row pgx.CollectableRow) (c count[T], err error) {
	err = row.Scan(&c.key, &c.n)
	return c, err
}
