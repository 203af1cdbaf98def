package postgres_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/orders"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// crowd fills the world's project with wrong images, which are open tasks, and right ones, which are in the reserve; all have places in
// every order.
func crowd(b *testing.B, w *pgtest.World, wrong, right int) {
	b.Helper()
	for _, sql := range []string{
		`INSERT INTO images (project_id, name, source, hash, split, label, source_label, width, height)
			SELECT $1, 'crowd/' || n, 'main', md5(n::text) || md5('x' || n), 'train', n % 3, n % 3, 64, 48 FROM generate_series(1, $3::int + $4::int) n WHERE $2::bigint > 0`,
		`INSERT INTO predictions (version_id, image_id, class, confidence, correct, att_class, top_classes, top_values, probabilities, map_height, map_width, map)
			SELECT $2, i.id, CASE WHEN x.n <= $3 THEN (i.label + 1 + x.n % 2) % 3 ELSE i.label END, 0.4 + 0.59 * random(), x.n > $3, 0, '{0,1}', '{0.6,0.4}', '\x0000000000000000', 2, 3, decode(repeat('00', 24), 'hex')
			FROM images i, LATERAL (SELECT substring(i.name FROM 7)::int AS n) x WHERE i.project_id = $1 AND i.name LIKE 'crowd/%' AND $4::int >= 0`,
		`INSERT INTO tasks (project_id, image_id, version_id, label, predicted, confidence, confusion_place, diverse_place)
			SELECT $1, i.id, $2, i.label, p.class, p.confidence, row_number() OVER (ORDER BY random()), CASE WHEN i.id % 50 = 0 THEN i.id END
			FROM predictions p JOIN images i ON i.id = p.image_id WHERE p.version_id = $2 AND NOT p.correct AND i.name LIKE 'crowd/%' AND $3::int + $4::int > 0`,
		`INSERT INTO reserve (version_id, image_id, project_id, label, confidence, inside, reason_place)
			SELECT $2, i.id, $1, i.label, p.confidence, random(), row_number() OVER (ORDER BY random())
			FROM predictions p JOIN images i ON i.id = p.image_id WHERE p.version_id = $2 AND p.correct AND i.name LIKE 'crowd/%' AND $3::int + $4::int > 0`,
	} {
		if _, err := w.Store.Pool().Exec(b.Context(), sql, w.Project.ID, w.Version.ID, wrong, right); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Store.Pool().Exec(b.Context(), `ANALYZE`); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkNextTask is what a painter waits for with 100,000 tasks and as many images in the reserve: by each order alone, and by all of
// them mixed while eight people draw at once. A task that was got is skipped.
func BenchmarkNextTask(b *testing.B) {
	w := pgtest.NewWorld(b)
	crowd(b, w, 100_000, 100_000)
	mixed := orders.Mix{orders.ConfidentlyWrong: 30, orders.Uncertain: 15, orders.Confusion: 15, orders.Diverse: 10, orders.WrongReason: 10, orders.Random: 20}
	var people []annotator.User
	for i := range 8 {
		u, err := w.Store.InsertUser(b.Context(), annotator.User{Email: fmt.Sprintf("p%d@x.org", i), Name: "P", Role: annotator.RoleAnnotator, CreatedAt: w.Clock.Now()}, "-")
		if err != nil {
			b.Fatal(err)
		}
		people = append(people, u)
	}
	measure := func(name string, mix orders.Mix, people []annotator.User) {
		b.Run(name, func(b *testing.B) {
			if _, err := w.Service.ChangeProject(b.Context(), w.Admin, "birds", annotator.ProjectChange{Mix: mix}); err != nil {
				b.Fatal(err)
			}
			var mu sync.Mutex
			var waits []time.Duration
			work := make(chan struct{})
			var all sync.WaitGroup
			for _, who := range people {
				all.Go(func() {
					for range work {
						start := time.Now()
						d, err := w.Service.NextTask(b.Context(), who, annotator.TaskFilter{Project: "birds"})
						wait := time.Since(start)
						if err == nil {
							err = w.Service.Skip(b.Context(), who, d.ID, "enough")
						}
						if err != nil {
							b.Error(err)
						}
						mu.Lock()
						waits = append(waits, wait)
						mu.Unlock()
					}
				})
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			all.Wait()
			slices.Sort(waits)
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(waits[len(waits)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
	for _, order := range orders.All() {
		measure(string(order), orders.Mix{order: 100}, people[:1])
	}
	measure("confident, eight at once", orders.Usual(), people)
	measure("mixed", mixed, people[:1])
	measure("mixed, eight at once", mixed, people)
}

// BenchmarkAssign assigns and unassigns a selection of 10,000 tasks among 100,000, each in one request.
func BenchmarkAssign(b *testing.B) {
	w := pgtest.NewWorld(b)
	crowd(b, w, 100_000, 0)
	change := annotator.BulkChange{Action: annotator.BulkAssign, All: true, User: w.Bob.ID, Filter: annotator.TaskFilter{Search: "crowd/5"}}
	for b.Loop() {
		if done, err := w.Service.ChangeTasks(b.Context(), w.Reviewer, "birds", change); err != nil || done.Changed < 10_000 {
			b.Fatal(done, err)
		}
	}
}
