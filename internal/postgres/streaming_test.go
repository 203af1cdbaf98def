package postgres_test

import (
	"runtime"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// What a round learns from and what a version answered are read without being kept: ten times as many images take no more memory. It is not
// parallel, since it looks at the memory of the process.
func TestReadingManyImagesKeepsNone(t *testing.T) {
	const few, many = 2_000, 20_000
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.5)
	have := 0
	grow := func(to int) {
		for _, sql := range []string{
			`INSERT INTO images (project_id, name, source, hash, split, label, source_label, width, height)
				SELECT $1, 'many/' || n, 'main', md5(n::text) || md5('x' || n), 'train', n % 3, n % 3, 64, 48 FROM generate_series($3::int + 1, $4::int) n WHERE $2::bigint > 0`,
			`INSERT INTO predictions (version_id, image_id, class, confidence, correct, att_class, top_classes, top_values, probabilities, map_height, map_width, map)
				SELECT $2, i.id, i.label, 0.9, true, 0, '{0,1}', '{0.6,0.4}', '\x0000000000000000', 2, 3, decode(repeat('00', 24), 'hex')
				FROM images i WHERE i.project_id = $1 AND i.name LIKE 'many/%' AND substring(i.name FROM 6)::int BETWEEN $3::int + 1 AND $4::int`,
		} {
			if _, err := w.Store.Pool().Exec(ctx, sql, w.Project.ID, w.Version.ID, have, to); err != nil {
				t.Fatal(err)
			}
		}
		have = to
	}
	kept := func(read func(each func()) error) (bytes int64) {
		heap := func() int64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		images, before := 0, heap()
		err := read(func() {
			if images++; images == have { // near the end
				bytes = heap() - before
			}
		})
		if err != nil || images < have {
			t.Fatalf("%d of %d images, %v", images, have, err)
		}
		return bytes
	}
	reads := map[string]func(each func()) error{
		"EachPrediction": func(each func()) error {
			return w.Store.EachPrediction(ctx, w.Version, annotator.SplitTrain, func(annotator.Image, annotator.Prediction) error { each(); return nil })
		},
		"EachTrainingImage": func(each func()) error {
			round := startRound(t, w)
			defer func() {
				if _, err := w.Service.CancelRound(ctx, w.Admin, round.ID); err != nil {
					t.Error(err)
				}
			}()
			return w.Store.EachTrainingImage(ctx, round.ID, func(postgres.TrainingImage) error { each(); return nil })
		},
	}
	first := map[string]int64{}
	for _, n := range []int{few, few, many} { // the first time what the world's making left is let go
		grow(n)
		for name, read := range reads {
			bytes := kept(read)
			t.Logf("%s of %d images keeps %d bytes", name, n, bytes)
			if n == few {
				first[name] = bytes
			} else if grown := bytes - first[name]; grown > 4<<20 { // what is kept of an image is 500 bytes at least
				t.Errorf("%s keeps %d bytes more of %d images than of %d", name, grown, many, few)
			}
		}
	}
}
