package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// TasksOfEdits implements annotator.ManyReviewStore.
func (s *Store) TasksOfEdits(ctx context.Context, projectID int64, edits []int64) (map[int64]int64, error) {
	type pair struct{ edit, task int64 }
	pairs, err := list(ctx, s, func(row pgx.CollectableRow) (p pair, err error) {
		err = row.Scan(&p.edit, &p.task)
		return p, err
	}, `SELECT e.id, t.id FROM edits e JOIN tasks t ON t.id = e.task_id WHERE e.id = ANY ($1) AND t.project_id = $2`, edits, projectID)
	tasks := map[int64]int64{}
	for _, p := range pairs {
		tasks[p.edit] = p.task
	}
	return tasks, wrap(err, "finding the tasks of %d edits", len(edits))
}
