package postgres_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// Rounds count that have judged at least half of the present held-out images: of few exactly, of many by a thousand of them, of which no more are read.
func TestRoundsThatHeldoutImagesHaveJudged(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	pool := w.Store.Pool()
	number := 0
	// judge adds a finished round that has judged the test images of a condition; "": one without rows.
	judge := func(condition string) {
		t.Helper()
		number++
		var id int64
		if err := pool.QueryRow(ctx, `
			INSERT INTO rounds (project_id, number, settings, parent_version, started_by_name, last_image_id, edits, images, state, started_at, finished_at, attempt, result)
			SELECT project_id, $1, '{}', id, '', 0, 1, 1, 'finished', now(), now(), 1, '{"split": "test"}' FROM versions WHERE id = $2 RETURNING id`, number, w.Version.ID).Scan(&id); err != nil {
			t.Fatal(err)
		}
		if condition == "" {
			return
		}
		var judged []int64
		if err := pool.QueryRow(ctx, `SELECT coalesce(array_agg(id), '{}') FROM (SELECT id, row_number() OVER (ORDER BY id) AS n, count(*) OVER () AS all_of FROM images WHERE split = 'test') i WHERE `+condition).Scan(&judged); err != nil {
			t.Fatal(err)
		}
		if err := w.Store.KeepRoundRows(ctx, id, annotator.RoundRows{Judged: judged, Packed: []byte("rows")}); err != nil {
			t.Fatal(err)
		}
	}
	judged := func() int {
		t.Helper()
		d, err := w.Store.RoundData(ctx, w.Project.ID)
		if err != nil || d.Split != annotator.SplitTest {
			t.Fatalf("%+v, %v", d, err)
		}
		return d.Judged
	}
	for i, c := range []struct {
		condition string
		want      int
	}{{"true", 1}, {"2 * n >= all_of", 2}, {"2 * n < all_of - 2", 2}, {"false", 2}, {"", 3}} {
		if judge(c.condition); judged() != c.want {
			t.Errorf("round %d, of the images %q: %d rounds count, want %d", i, c.condition, judged(), c.want)
		}
	}
	images := make([]annotator.NewImage, 6000)
	for i := range images {
		images[i] = annotator.NewImage{Name: fmt.Sprintf("more/%05d.png", i), Split: annotator.SplitTest, Class: "class-1", Hash: pgtest.Hash(2000 + i), Width: 8, Height: 8}
	}
	if _, err := w.Store.AddImages(ctx, w.Project.ID, images); err != nil {
		t.Fatal(err)
	}
	if n := judged(); n != 1 {
		t.Errorf("of images that are mostly new %d rounds count, want the one that is not known", n)
	}
	for i, c := range []struct {
		condition string
		want      int
	}{{"true", 2}, {"n % 5 < 3", 3}, {"n % 5 < 2", 3}, {"n < 0.4 * all_of", 3}, {"n > 0.4 * all_of", 4}} {
		if judge(c.condition); judged() != c.want {
			t.Errorf("round %d of many, of the images %q: %d rounds count, want %d", i, c.condition, judged(), c.want)
		}
	}
	if _, err := pool.Exec(ctx, `ANALYZE images`); err != nil {
		t.Fatal(err)
	}
	done := errors.New("read")
	err := w.Store.InTx(ctx, func(tx annotator.Store) error {
		of := tx.(*postgres.Store)
		before, err := of.RowsRead(ctx)
		if err != nil {
			return err
		}
		if _, err := of.RoundData(ctx, w.Project.ID); err != nil {
			return err
		}
		after, err := of.RowsRead(ctx)
		if err != nil {
			return err
		}
		if n := after["images"] - before["images"]; n > 1500 {
			t.Errorf("%d images were read of %d", n, len(images))
		}
		return done
	})
	if !errors.Is(err, done) {
		t.Fatal(err)
	}
}
