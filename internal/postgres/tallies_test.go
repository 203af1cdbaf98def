package postgres_test

import (
	"context"
	"math"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// The tallies are what counting says, whatever is done with tasks and images, before and after they are added up.
func TestTalliesAreTheCounts(t *testing.T) {
	t.Parallel()
	w := pgtest.NewStudio(t)
	counted := func(when string) {
		t.Helper()
		for name, sql := range map[string]string{
			"tasks": `SELECT count(*) FROM (
				SELECT project_id, state, label, predicted, least(9, greatest(0, floor(confidence * 10)::int)) AS tenth, slot = 0 AS sole, count(*)::bigint AS n FROM tasks GROUP BY 1, 2, 3, 4, 5, 6) x
				FULL JOIN (SELECT project_id, state, label, predicted, tenth::int, sole, sum(n)::bigint AS n FROM task_tallies GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(n) <> 0) y
					USING (project_id, state, label, predicted, tenth, sole, n) WHERE x IS NULL OR y IS NULL`,
			"images": `SELECT count(*) FROM (
				SELECT project_id, split, coalesce(label, -1) AS label, count(*)::bigint AS n FROM images WHERE retired_at IS NULL GROUP BY 1, 2, 3) x
				FULL JOIN (SELECT project_id, split, label, sum(n)::bigint AS n FROM image_tallies GROUP BY 1, 2, 3 HAVING sum(n) <> 0) y
					USING (project_id, split, label, n) WHERE x IS NULL OR y IS NULL`,
		} {
			var apart int
			if err := w.Store.Pool().QueryRow(t.Context(), sql).Scan(&apart); err != nil || apart != 0 {
				t.Errorf("%s: %d groups of %s are counted otherwise, %v", when, apart, name, err)
			}
		}
	}
	counted("as it is")
	group, ctx := errgroup.WithContext(t.Context())
	for range 4 { // two at once add up nothing twice
		group.Go(func() error { return w.Store.FoldTallies(ctx) })
	}
	group.Go(func() error { return paintSome(ctx, w) })
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	counted("added up by four, while somebody painted")
	if err := w.Store.FoldTallies(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted("added up again")
	var fresh, double int
	if err := w.Store.Pool().QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE fresh), count(*) - count(DISTINCT (project_id, state, label, predicted, tenth, sole)) FROM task_tallies`).Scan(&fresh, &double); err != nil || fresh != 0 || double != 0 {
		t.Errorf("%d rows are not added up, %d are double, %v", fresh, double, err)
	}
}

// paintSome takes tasks, and passes them over.
func paintSome(ctx context.Context, w *pgtest.Studio) error {
	for range 3 {
		d, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
		if err != nil {
			return err
		}
		if err := w.Service.Skip(ctx, w.Ada, d.ID, "blurred"); err != nil {
			return err
		}
	}
	return nil
}

// A range of whole tenths is counted by the tallies, with its end or up to it (a bar of the queue's histogram), and finds what counting the tasks finds: also
// tasks that are exactly at its ends, some of which are of the tenth beside it (0.9 as a real number is less than nine tenths).
func TestARangeOfTenthsIsCounted(t *testing.T) {
	t.Parallel()
	w := pgtest.NewStudio(t)
	ctx := t.Context()
	if _, err := w.Store.Pool().Exec(ctx, `
		WITH n AS (SELECT id, row_number() OVER (ORDER BY id) AS at, count(*) OVER () AS all_of FROM tasks)
		UPDATE tasks SET confidence = ((n.at - 1) * 10 / greatest(1, n.all_of - 1))::real / 10 FROM n WHERE n.id = tasks.id`); err != nil {
		t.Fatal(err)
	}
	var tasks, ends int
	if err := w.Store.Pool().QueryRow(ctx, `SELECT count(*), count(DISTINCT confidence) FROM tasks`).Scan(&tasks, &ends); err != nil || ends < 3 {
		t.Fatalf("%d tasks at %d ends, %v", tasks, ends, err)
	}
	for from := range 10 {
		for to := from + 1; to <= 10; to++ {
			low, end := float32(from)/10, float32(to)/10
			for _, high := range []float32{end, math.Nextafter32(end, 0)} {
				f := annotator.TaskFilter{MinConfidence: &low, MaxConfidence: &high, Limit: 1}
				var want int
				if err := w.Store.Pool().QueryRow(ctx, `SELECT count(*) FROM tasks WHERE project_id = $1 AND confidence BETWEEN $2::real AND $3::real`, w.Project.ID, low, high).Scan(&want); err != nil {
					t.Fatal(err)
				}
				page, err := w.Store.TaskCards(ctx, w.Project.ID, f)
				if err != nil || page.Total != want {
					t.Errorf("from %v to %v: %d tasks, %v; want %d", low, high, page.Total, err, want)
				}
				facets, err := w.Store.Facets(ctx, w.Project.ID, f)
				states, labels := 0, 0
				for _, n := range facets.States {
					states += n
				}
				for _, n := range facets.Labels {
					labels += n
				}
				if err != nil || states != want || labels != want {
					t.Errorf("from %v to %v: %d by state, %d by label, %v; want %d", low, high, states, labels, err, want)
				}
			}
		}
	}
	other := float32(0.25)
	if page, err := w.Store.TaskCards(ctx, w.Project.ID, annotator.TaskFilter{MinConfidence: &other, Limit: 1}); err != nil || page.Total == 0 || page.Total == tasks {
		t.Errorf("from 0.25: %d of %d tasks, %v", page.Total, tasks, err)
	}
	// What the tallies say is what is shown: no task is read for it.
	if _, err := w.Store.Pool().Exec(ctx, `INSERT INTO task_tallies (project_id, state, label, predicted, tenth, sole, n) VALUES ($1, 'open', 0, 1, 5, true, 1000)`, w.Project.ID); err != nil {
		t.Fatal(err)
	}
	low := float32(5) / 10
	for _, high := range []float32{float32(6) / 10, math.Nextafter32(float32(6)/10, 0)} {
		page, err := w.Store.TaskCards(ctx, w.Project.ID, annotator.TaskFilter{MinConfidence: &low, MaxConfidence: &high, Limit: 1})
		if err != nil || page.Total < 1000 {
			t.Errorf("from %v to %v: %d tasks, %v: counted without the tallies", low, high, page.Total, err)
		}
	}
}
