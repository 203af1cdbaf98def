package postgres

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/annotator"
)

// tallied reports whether the tasks that a filter selects, but for the condition named except, can be counted by task_tallies: by state,
// label and answer. Whoever asks for more counts the tasks themselves.
func tallied(f annotator.TaskFilter, except string) bool {
	return (except == "confidence" || f.MinConfidence == nil && f.MaxConfidence == nil) && (except == "author" || f.Author == nil) &&
		(except == "assignee" || f.Assignee == nil) && !f.Masked && f.For == 0 && f.Search == ""
}

// tasksCounted is from where tasks t are counted, and by what: their tallies where these know the filter's conditions.
func tasksCounted(f annotator.TaskFilter, except string) (tables, n, tenth string) {
	if tallied(f, except) {
		return `task_tallies t`, `coalesce(sum(t.n), 0)::int`, `t.tenth::int`
	}
	return `tasks t`, `count(*)::int`, `least(9, greatest(0, floor(t.confidence * 10)::int))`
}

// FoldTallies adds up what was written down of the counts of tasks and images since it was called last. Whoever counts meanwhile finds the
// same sums; two at once each add up what they found.
func (s *Store) FoldTallies(ctx context.Context) error {
	for _, t := range []struct{ table, keys string }{
		{"task_tallies", "project_id, state, label, predicted, tenth, sole"},
		{"image_tallies", "project_id, split, label"},
	} {
		// Rows that are there before and those that are fresh become one, for each key that has fresh ones.
		if _, err := s.exec(ctx, fmt.Sprintf(`
			WITH gone AS (DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE fresh) RETURNING *)
			INSERT INTO %[1]s (%[2]s, n, fresh) SELECT %[2]s, sum(n), false FROM gone GROUP BY %[2]s HAVING sum(n) <> 0`,
			t.table, t.keys)); err != nil {
			return wrap(err, "adding up %s", t.table)
		}
	}
	return nil
}
