package postgres_test

import (
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A project grows to as many images as are asked for, each with a prediction, and a task where that is wrong; not further when it is asked
// again.
func TestProjectsGrow(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	told := 0
	for range 2 {
		if err := w.Store.GrowProject(ctx, w.Version, 1000, 80, 1, func(int) { told++ }); err != nil {
			t.Fatal(err)
		}
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
	var images, predictions, wrong, tasks int
	if err := w.Store.Pool().QueryRow(ctx, `SELECT count(*), count(p), count(*) FILTER (WHERE NOT p.correct AND i.split = 'pool'), (SELECT count(*) FROM tasks t JOIN images i ON i.id = t.image_id WHERE i.source = 'grown')
		FROM images i LEFT JOIN predictions p ON p.image_id = i.id WHERE i.source = 'grown' OR i.split = 'test'`).Scan(&images, &predictions, &wrong, &tasks); err != nil {
		t.Fatal(err)
	}
	if grown := 1000 - len(w.Images); images != grown+4 || predictions != images || wrong != tasks || wrong < grown*75/100 || wrong > grown*85/100 {
		t.Errorf("%d images, %d predictions, %d wrong, %d tasks", images, predictions, wrong, tasks)
	}
	var scanned, rows int
	if err := w.Store.Pool().QueryRow(ctx, `SELECT scanned, (SELECT count(*) FROM predictions WHERE version_id = v.id) FROM versions v WHERE id = $1`, w.Version.ID).Scan(&scanned, &rows); err != nil || scanned != rows {
		t.Errorf("the version counts %d predictions of %d, %v", scanned, rows, err)
	}
	if running, err := w.Store.Running(ctx); err != nil {
		t.Errorf("%v, %v", running, err)
	}
}

// A page of tasks reads the pictures, predictions and edits of what it shows, and of nothing else, however many tasks there are.
func TestAPageReadsWhatItShows(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	if err := w.Store.GrowProject(ctx, w.Version, 4000, 80, 1, func(int) {}); err != nil {
		t.Fatal(err)
	}
	label, predicted := 1, 2
	for name, filter := range map[string]annotator.TaskFilter{
		"all": {}, "open": {States: []annotator.TaskState{annotator.TaskOpen}}, "a class": {Label: &label}, "a confusion": {Label: &label, Predicted: &predicted},
	} {
		filter.Project, filter.Limit = "birds", 20
		var before, read map[string]int
		err := w.Store.InTx(ctx, func(tx annotator.Store) (err error) {
			if before, err = tx.(*postgres.Store).RowsRead(ctx); err != nil { // also by what came before on its connection
				return err
			}
			page, err := tx.TaskCards(ctx, w.Project.ID, filter)
			if err == nil && len(page.Tasks) != 20 {
				t.Errorf("%s: %d tasks", name, len(page.Tasks))
			}
			if err == nil {
				read, err = tx.(*postgres.Store).RowsRead(ctx)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"images", "predictions", "edits"} {
			if n := read[table] - before[table]; n > 400 { // of more than 3,000
				t.Errorf("%s: a page of 20 tasks read %d rows of %s", name, n, table)
			}
		}
	}
}

// The lists of images that are out of use read those, not the project's.
func TestDeletedImagesAreFoundWithoutTheOthers(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	if err := w.Store.GrowProject(ctx, w.Version, 4000, 80, 1, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.RetireImages(ctx, w.Project.ID, []int64{w.Images[0].ID}, annotator.RetiredDeleted, time.Now()); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[annotator.ImageState]int{annotator.ImageDeleted: 1, annotator.ImageReplaced: 0, annotator.ImageGone: 0} {
		err := w.Store.InTx(ctx, func(tx annotator.Store) error {
			before, err := tx.(*postgres.Store).RowsRead(ctx)
			if err != nil {
				return err
			}
			page, err := tx.ImagePage(ctx, w.Project.ID, annotator.ImageFilter{State: state, Limit: 20})
			if err != nil {
				return err
			}
			read, err := tx.(*postgres.Store).RowsRead(ctx)
			if n := read["images"] - before["images"]; len(page.Images) != want || page.Total != want || n > 100 {
				t.Errorf("%s: %d images of %d, %d rows read", state, len(page.Images), page.Total, n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
