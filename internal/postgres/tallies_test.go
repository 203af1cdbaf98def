package postgres_test

import (
	"context"
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
