package takeout

import (
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/abn-studio/studio/annotator"
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
