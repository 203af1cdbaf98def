package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A part of a name is found by an index, whatever else it may mean in a pattern. A search that finds more than are counted says so, and finds all the same.
func TestSearchesAreBounded(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, annotator.MaxCounted+50)
	if err := w.Scan(ctx, w.Version.ID); err != nil {
		t.Fatal(err)
	}
	images := func(prefix string) annotator.ImagePage {
		t.Helper()
		page, err := w.Store.ImagePage(ctx, w.Project.ID, annotator.ImageFilter{State: annotator.ImageInUse, Prefix: prefix, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	for prefix, want := range map[string]int{"more/00012": 1, "more/0001": 10, "MORE/": 0, "more%": 0, "m_re/": 0, `more\`: 0} {
		if page := images(prefix); page.Total != want || page.More || len(page.Images) != want {
			t.Errorf("%q begins %d names, more %v; want %d", prefix, page.Total, page.More, want)
		}
	}
	if page := images("more/"); page.Total != annotator.MaxCounted || !page.More || page.Next == "" {
		t.Errorf("many begin alike: %d, more %v", page.Total, page.More)
	}
	// Tasks: the pool's images have no label and make none, so they are given one.
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE images SET label = 1 WHERE label IS NULL`); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE predictions p SET correct = false, class = 0 FROM images i WHERE i.id = p.image_id AND i.name LIKE 'more/%'`); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.CreateTasks(ctx, w.Version.ID); err != nil {
		t.Fatal(err)
	}
	tasks := func(part string) (annotator.TaskPage, annotator.Facets) {
		t.Helper()
		f := annotator.TaskFilter{Search: part, Limit: 10}
		page, err := w.Store.TaskCards(ctx, w.Project.ID, f)
		if err != nil {
			t.Fatal(err)
		}
		facets, err := w.Store.Facets(ctx, w.Project.ID, f)
		if err != nil {
			t.Fatal(err)
		}
		return page, facets
	}
	if page, facets := tasks("E/00012"); page.Total != 1 || page.More || facets.States[annotator.TaskOpen] != 1 || facets.Labels[1] != 1 {
		t.Errorf("a rare part: %d, more %v, %v", page.Total, page.More, facets)
	}
	// One or two letters are those that a word begins with. The names are more/00012.png and the world's.
	for part, want := range map[string]int{"mo": annotator.MaxCounted, "m": annotator.MaxCounted, "pn": annotator.MaxCounted, "MO": annotator.MaxCounted, "or": 0, "o": 0, "ng": 0, "r/": 0, "/0": annotator.MaxCounted} {
		if page, facets := tasks(part); page.Total < want || want == 0 && page.Total > 0 || facets.States[annotator.TaskOpen] < want {
			t.Errorf("%q finds %d, %v; want %d", part, page.Total, facets.States, want)
		}
	}
	page, facets := tasks("more")
	if page.Total != annotator.MaxCounted || !page.More || page.Next == "" || facets.States[annotator.TaskOpen] != annotator.MaxCounted+1 {
		t.Errorf("a common part: %d, more %v, %v", page.Total, page.More, facets.States)
	}

	tx, err := w.Store.Pool().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil { // which is cheaper with so few
		t.Fatal(err)
	}
	// What the index finds is what is there, or nearly: with groups of three letters that a search lacks it would find all names.
	for _, part := range []string{"00012", "qz", "q"} {
		var plan []map[string]any
		if err := tx.QueryRow(ctx, `EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM images WHERE name ILIKE ANY ($1)`, postgres.NamesLike(part)).Scan(&plan); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(plan)
		if !strings.Contains(text, "images_name_parts") || !strings.Contains(text, "Rows Removed by Index Recheck:0") {
			t.Errorf("%q is not found by the index of names alone:\n%s", part, text)
		}
	}
}
