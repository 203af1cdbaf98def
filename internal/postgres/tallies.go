package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/abn-studio/studio/annotator"
)

// counting is how tasks t are counted that a filter selects.
type counting struct {
	tables string
	where  *clause
	n      string // how many they are, of a group
	tenth  string // of their confidence
}

// tenthOf is the tenth of a confidence, as task_tallies has it (migration 63).
const tenthOf = `least(9, greatest(0, floor(confidence * 10)::int))`

// tasksCounted counts by task_tallies where these know the filter's conditions: state, label, answer, and a confidence of whole tenths, with its end or up to
// it. A filter by anything else counts the tasks themselves; of a search at most MaxCounted and one more.
func tasksCounted(projectID int64, f annotator.TaskFilter) counting {
	if f.Search != "" {
		c := counting{where: conditions(projectID, f), n: `count(*)::int`, tenth: tenthOf}
		c.tables = fmt.Sprintf(`(SELECT t.state, t.label, t.predicted, t.confidence FROM tasks t WHERE %s LIMIT %d) t`, c.where.sql(), annotator.MaxCounted+1)
		c.where.parts = []string{`true`}
		return c
	}
	from, to, tenths := tenthsOf(f.MinConfidence, f.MaxConfidence)
	if !tenths || f.Author != nil || f.Assignee != nil || f.Masked || f.For != 0 {
		return counting{`tasks t`, conditions(projectID, f), `count(*)::int`, tenthOf}
	}
	c := counting{`task_tallies t`, conditions(projectID, without(f, "confidence")), `coalesce(sum(t.n), 0)::int`, `t.tenth::int`}
	first, last := float32(from)/10, float32(to)/10
	most := last
	if f.MaxConfidence != nil {
		most = *f.MaxConfidence
	}
	if from == 0 && most == 1 {
		return c
	}
	// Tasks at the very ends are in the range or not whichever tenth they are of: those that are in it alone are added, those of its tenths alone subtracted.
	c.tables = fmt.Sprintf(`(
		SELECT project_id, state, label, predicted, tenth, n FROM task_tallies WHERE tenth >= %[1]d AND tenth < %[2]d
		UNION ALL SELECT project_id, state, label, predicted, tenth, CASE WHEN inside THEN 1 ELSE -1 END FROM (
			SELECT project_id, state, label, predicted, %[3]s AS tenth, confidence >= '%[5]v'::real AND confidence <= '%[6]v'::real AS inside
			FROM tasks WHERE project_id = %[4]d AND confidence = ANY('{%[5]v,%[7]v}'::real[])
		) ends WHERE inside <> (tenth >= %[1]d AND tenth < %[2]d)
	) t`, from, to, tenthOf, projectID, first, most, last)
	return c
}

// counted returns how many things a search ("": all things) is said to find of those that were counted, and whether there are more.
func counted(found int, search string) (total int, more bool) {
	if search == "" || found <= annotator.MaxCounted {
		return found, false
	}
	return annotator.MaxCounted, true
}

// tenthsOf returns a range of confidence as tenths, from the first to the one after the last; false where its ends are no tenths. It may end with what is next
// below a tenth, as a bar of the queue's histogram does.
func tenthsOf(least, most *float32) (from, to int, are bool) {
	end := func(at *float32, otherwise int) (tenth int, is float32, given float32) {
		if at == nil {
			return otherwise, 0, 0
		}
		tenth = int(math.Round(float64(*at) * 10))
		return tenth, float32(tenth) / 10, *at
	}
	from, low, given := end(least, 0)
	are = given == low
	to, high, given := end(most, 10)
	return from, to, are && (given == high || given == math.Nextafter32(high, 0))
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
