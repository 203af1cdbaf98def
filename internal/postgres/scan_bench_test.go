package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// BenchmarkScanByManyWorkers is how a scan scales with its workers, beyond the cores of this machine: a worker here waits for as long as a core needs
// for a chunk of pictures (100 in a second, which a ResNet-50 does not reach), and claims and stores chunks as workers do, with ImageNet's
// classes. The metric is what of N times one worker's rate N workers have.
func BenchmarkScanByManyWorkers(b *testing.B) {
	const perSecond = 100
	chunk := annotator.ChunkImages * time.Second / perSecond
	for _, workers := range []int{1, 2, 4, 8, 16, 32} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			for range b.N {
				const chunks = 16 // of each worker
				w := pgtest.NewWorld(b)
				images := workers * chunks * annotator.ChunkImages
				if _, err := w.Store.Pool().Exec(b.Context(), `
					INSERT INTO images (project_id, name, source, hash, split, label, source_label, width, height)
					SELECT $1, 'many/' || n, 'main', md5(n::text) || md5('x' || n), 'pool', n % 3, n % 3, 500, 375 FROM generate_series(1, $2::int) n`, w.Project.ID, images); err != nil {
					b.Fatal(err)
				}
				job, err := w.Store.EnqueueScan(b.Context(), w.Version.ID)
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				start := time.Now()
				var all sync.WaitGroup
				for n := range workers {
					all.Go(func() {
						for last := int64(0); ; {
							c, err := w.Store.ClaimChunk(b.Context(), job.ID, fmt.Sprintf("worker %d", n), last)
							if errors.Is(err, annotator.ErrChunksToMake) {
								if err = w.Store.NextChunks(b.Context(), job.ID); err == nil {
									continue
								}
							}
							if errors.Is(err, annotator.ErrChunksBusy) || errors.Is(err, annotator.ErrChunksDone) || errors.Is(err, annotator.ErrScanOver) {
								return
							}
							if err != nil {
								b.Error(err)
								return
							}
							last = c.ID
							answers := pgtest.Predict(c)
							for i := range answers {
								wide := make([]float32, 1000)
								for k := range wide {
									wide[k] = 1 / float32(1+(k+i)%1000)
								}
								answers[i].Probabilities, answers[i].Map = wide, attention.New(2, 3)
							}
							time.Sleep(chunk)
							if _, err := w.Store.CompleteChunk(b.Context(), c, answers, nil); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				ideal := time.Duration(chunks) * chunk
				b.ReportMetric(ideal.Seconds()/time.Since(start).Seconds(), "of-N")
			}
		})
	}
}
