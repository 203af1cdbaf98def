package takeout

import (
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// benchMaps is how many maps in review the project of the benchmark has; each has 14×14 cells.
const benchMaps = 100_000

// BenchmarkExport writes 100,000 maps in each format, and reports the largest resident memory of the process meanwhile.
// PostgreSQL is another process.
func BenchmarkExport(b *testing.B) {
	w := pgtest.NewWorld(b)
	ctx, slug := b.Context(), "many"
	project, err := w.Service.CreateProject(ctx, w.Admin, slug, "Many", "")
	must(b, err)
	version := pgtest.NewVersion(1)
	version.GridHeight, version.GridWidth = 14, 14
	v, err := w.Store.AddVersion(ctx, project.ID, version)
	must(b, err)
	exec := func(sql string, args ...any) {
		b.Helper()
		_, err := w.Store.Pool().Exec(ctx, sql, args...)
		must(b, err)
	}
	exec(`INSERT INTO images (project_id, source, name, split, label, hash, width, height)
		SELECT $1, 'main', 'train/class-' || n % 3 || '/' || lpad(n::text, 6, '0') || '.jpg', 'train', n % 3, lpad(to_hex(n), 64, '0'), 640, 480 FROM generate_series(1, $2) n`, project.ID, benchMaps)
	exec(`INSERT INTO predictions (version_id, image_id, class, confidence, correct, att_class, top_classes, top_values, probabilities, map_height, map_width, map)
		SELECT $2, id, (label + 1) % 3, 0.9, false, 0, '{0}', '{0.9}', decode(repeat('00', 12), 'hex'), 14, 14, decode(repeat('0000003f', 196), 'hex') FROM images WHERE project_id = $1`, project.ID, v.ID)
	exec(`INSERT INTO tasks (project_id, image_id, version_id, state, author_id, label, predicted, confidence, submitted_at)
		SELECT $1, id, $2, 'approved', $3, label, (label + 1) % 3, 0.9, now() FROM images WHERE project_id = $1`, project.ID, v.ID, w.Ada.ID)
	exec(`INSERT INTO edits (task_id, revision, author_id, version_id, state, source, map_height, map_width, map, submitted_at)
		SELECT t.id, 1, $2, $3, 'submitted', 'painted', 14, 14,
			(SELECT decode(string_agg(lpad(to_hex(hashint4((t.id * 196 + k)::int) & x'ffffff'::int), 6, '0') || '3e', ''), 'hex') FROM generate_series(1, 196) k), now()
		FROM tasks t WHERE t.project_id = $1`, project.ID, w.Ada.ID, v.ID)
	exec(`ANALYZE`)
	service := serviceOf(w)
	for _, format := range Formats {
		b.Run(format.Key, func(b *testing.B) {
			for b.Loop() {
				debug.FreeOSMemory()
				if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200); err != nil { // forgets the peak
					b.Skip(err)
				}
				n, err := Write(ctx, service, w.Ada, Request{Project: slug, What: annotator.ExportMaps, Format: format.Key, Filter: annotator.ExportFilter{States: []string{"submitted"}}}, io.Discard)
				must(b, err)
				if n != benchMaps {
					b.Fatalf("%d maps", n)
				}
			}
			status, err := os.ReadFile("/proc/self/status")
			must(b, err)
			if peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status); peak != nil {
				kib, _ := strconv.ParseFloat(string(peak[1]), 64)
				b.ReportMetric(kib/1024, "peak-MiB")
			}
		})
	}
}

// BenchmarkBring brings approved maps of 14×14 cells into a project whose tasks are not made yet, and reports how many a second are.
func BenchmarkBring(b *testing.B) {
	const maps = 5000
	w := pgtest.NewWorld(b)
	ctx := b.Context()
	service := serviceOf(w)
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		slug := "many-" + strconv.Itoa(round)
		project, err := w.Service.CreateProject(ctx, w.Admin, slug, "Many", "")
		must(b, err)
		version := pgtest.NewVersion(round + 1)
		version.GridHeight, version.GridWidth = 14, 14
		v, err := w.Store.AddVersion(ctx, project.ID, version)
		must(b, err)
		for _, sql := range []string{`INSERT INTO images (project_id, source, name, split, label, hash, width, height)
			SELECT $1, 'main', 'train/' || n || '.jpg', 'train', 0, lpad(to_hex(n + $2), 64, '0'), 640, 480 FROM generate_series(1, 5000) n`,
			`INSERT INTO predictions (version_id, image_id, class, confidence, correct, att_class, top_classes, top_values, probabilities, map_height, map_width, map)
			SELECT $2, id, 1, 0.9, false, 0, '{0}', '{0.9}', decode(repeat('00', 12), 'hex'), 14, 14, decode(repeat('0000003f', 196), 'hex') FROM images WHERE project_id = $1`} {
			_, err := w.Store.Pool().Exec(ctx, sql, project.ID, v.ID)
			must(b, err)
		}
		_, err = w.Store.Pool().Exec(ctx, `ANALYZE`) // as autovacuum does after a scan
		must(b, err)
		images, err := w.Store.Images(ctx, project.ID)
		must(b, err)
		all := make([]annotator.BroughtMap, 0, maps)
		for i, image := range images {
			m := attention.New(14, 14)
			for j := range m.Values {
				m.Values[j] = float32((i*196+j)%1000) / 1000
			}
			all = append(all, annotator.BroughtMap{From: image.Name, ImageID: image.ID, Map: m, Author: "Zoë", State: annotator.EditApproved})
		}
		b.StartTimer()
		report, err := service.BringMaps(ctx, w.Admin, slug, "bench", all, annotator.BringChoices{})
		must(b, err)
		if report.Added != maps {
			b.Fatalf("%+v", report)
		}
	}
	b.ReportMetric(float64(maps*b.N)/b.Elapsed().Seconds(), "maps/s")
}
