package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/postgres"
)

// keepEvery is how often a worker renews the chunks it holds; askAgain how long it waits when others hold the rest.
const (
	keepEvery = 5 * time.Second
	askAgain  = time.Second
)

// scanWorker takes part in a scan: it claims chunks until there are none.
type scanWorker struct {
	river.WorkerDefaults[postgres.ScanArgs]
	worker *Worker
}

// Timeout is none: a scan takes as long as there are images.
func (*scanWorker) Timeout(*river.Job[postgres.ScanArgs]) time.Duration { return -1 }

// Work scans. A worker that shuts down gives its chunks back, and another takes the part up.
func (sw *scanWorker) Work(ctx context.Context, part *river.Job[postgres.ScanArgs]) error {
	w := sw.worker
	err := sw.scan(ctx, part.Args)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return river.JobSnooze(0)
	case annotator.Passes(err), part.Attempt < part.MaxAttempts:
		return err
	default:
		w.giveUp(ctx, err.Error())
		return errors.Join(err, w.config.Store.FailJob(context.WithoutCancel(ctx), part.Args.JobID, err.Error()))
	}
}

func (sw *scanWorker) scan(ctx context.Context, args postgres.ScanArgs) error {
	w := sw.worker
	job, err := w.config.Store.Job(ctx, args.JobID)
	if errors.Is(err, annotator.ErrNotFound) || err == nil && job.State.Over() {
		return nil // the other workers have done it: no network has to be opened
	}
	if err != nil {
		return err
	}
	version, err := w.config.Store.Version(ctx, args.VersionID)
	if err != nil {
		return err
	}
	network, err := w.catalog.Network(ctx, version)
	if err != nil {
		return err
	}
	manifest, err := version.ReadManifest()
	if err != nil {
		return err
	}
	sizes := network.Sizes()
	run := &scanRun{worker: w, job: args.JobID}
	defer run.release(context.WithoutCancel(ctx))
	keeping, stop := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { run.keep(keeping) })
	origin := features.Origin{Extractor: version.ExtractorHash, Preprocessing: manifest.PreprocessingHash()}
	kept := w.features.View(origin, [3]int{sizes.Channels, sizes.GridHeight, sizes.GridWidth})
	defer kept.Close()
	for again := true; again && err == nil; {
		if _, err = inference.Scan(ctx, network, run.images(ctx), run.store, inference.ScanOptions{Features: kept}); err != nil {
			break
		}
		if again = run.busy; run.done {
			again, err = run.makeTasks(ctx)
		}
	}
	stop()
	keeper.Wait()
	if err == nil && run.over {
		_, err = w.config.Store.EnqueueEvaluate(ctx, version.ID)
	}
	return err
}

// scanRun is one worker's part of a scan. Images flow from chunk to chunk without a pause, so that decoding the next
// chunk overlaps with running the one before; a chunk is completed when its last image comes back.
type scanRun struct {
	worker *Worker
	job    int64
	over   bool // this worker completed the last chunk, or made the last tasks
	done   bool // when the stream of images ended, all were predicted, and tasks were left to be made
	busy   bool // when the stream of images ended, other workers held the chunks that were left

	mu   sync.Mutex
	held []*heldChunk // claimed, in the order their images were handed out
}

// heldChunk gathers the results of a claimed chunk.
type heldChunk struct {
	chunk       annotator.Chunk
	missing     int // images still to come back
	predictions []annotator.Prediction
	broken      []annotator.BrokenImage
}

// images claims chunk after chunk and yields their images. While other workers hold the chunks that are left it waits, since one of
// the workers may die.
func (s *scanRun) images(ctx context.Context) iter.Seq2[inference.ScanImage, error] {
	w := s.worker
	return func(yield func(inference.ScanImage, error) bool) {
		s.busy, s.done = false, false
		last := int64(0)
		for {
			chunk, err := w.config.Store.ClaimChunk(ctx, s.job, w.id, last)
			switch {
			case errors.Is(err, annotator.ErrScanOver):
				return
			case errors.Is(err, annotator.ErrChunksToMake):
				if err := w.config.Store.NextChunks(ctx, s.job); err != nil && !errors.Is(err, annotator.ErrScanOver) {
					yield(inference.ScanImage{}, err)
					return
				}
				continue
			case errors.Is(err, annotator.ErrChunksDone):
				s.done = true
				return
			case errors.Is(err, annotator.ErrChunksBusy):
				// This worker still holds chunks whose results have not come to store. They come only when the pipeline drains, so
				// end the stream here and claim again when none is held.
				if s.holds() {
					s.busy = true
					return
				}
				select {
				case <-ctx.Done():
					yield(inference.ScanImage{}, context.Cause(ctx))
					return
				case <-time.After(askAgain):
					continue
				}
			case err != nil:
				yield(inference.ScanImage{}, err)
				return
			}
			last = chunk.ID
			held := &heldChunk{chunk: chunk, missing: len(chunk.Images)}
			s.mu.Lock()
			s.held = append(s.held, held)
			s.mu.Unlock()
			if held.missing == 0 {
				if err := s.complete(ctx, held); err != nil {
					yield(inference.ScanImage{}, err)
					return
				}
			}
			for _, image := range chunk.Images {
				open := func(ctx context.Context) (io.ReadSeekCloser, error) { return w.config.Blobs.Open(ctx, image.Hash) }
				if !yield(inference.ScanImage{ID: image.ID, Name: image.Name, Hash: image.Hash, Open: open}, nil) {
					return
				}
			}
		}
	}
}

// makeTasks makes the tasks of a scan whose images are all predicted, step by step, as other workers may at the same time. again says that images were
// added to it meanwhile.
func (s *scanRun) makeTasks(ctx context.Context) (again bool, err error) {
	for !s.over {
		s.over, err = s.worker.config.Store.NextTasks(ctx, s.job)
		switch {
		case errors.Is(err, annotator.ErrScanOver):
			return false, nil
		case errors.Is(err, annotator.ErrChunksBusy):
			return true, nil
		case err != nil:
			return false, err
		}
	}
	return false, nil
}

func (s *scanRun) holds() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held) > 0
}

// store takes results, which come in the order the images were handed out, and completes the chunks they fill.
func (s *scanRun) store(ctx context.Context, results []inference.ScanResult) error {
	for _, r := range results {
		s.mu.Lock()
		held := s.held[0]
		s.mu.Unlock()
		if r.Err != nil {
			s.worker.log.WarnContext(ctx, "image left out of the scan", "image", r.Image.Name, "err", r.Err)
			s.worker.metrics.images.WithLabelValues(scanLeftOut).Inc()
			held.broken = append(held.broken, annotator.BrokenImage{ImageID: r.Image.ID, Reason: r.Err.Error()})
		} else {
			s.worker.metrics.images.WithLabelValues(scanPredicted).Inc()
			held.predictions = append(held.predictions, annotator.Prediction{
				VersionID: held.chunk.VersionID, ImageID: r.Image.ID, Class: r.Class, Confidence: r.Confidence,
				Probabilities: r.Probabilities, AttClass: r.AttClass, Map: r.Map.Bounded(),
			})
		}
		if held.missing--; held.missing > 0 {
			continue
		}
		if err := s.complete(ctx, held); err != nil {
			return err
		}
	}
	return nil
}

// complete stores a chunk's results. The results of a chunk that another worker took over are dropped: that worker predicts it.
func (s *scanRun) complete(ctx context.Context, held *heldChunk) error {
	status, err := s.worker.config.Store.CompleteChunk(ctx, held.chunk, held.predictions, held.broken)
	if err != nil && !errors.Is(err, annotator.ErrSuperseded) {
		return fmt.Errorf("chunk %d: %w", held.chunk.ID, err)
	}
	s.over = s.over || status.Over
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.held {
		if other == held {
			s.held = append(s.held[:i:i], s.held[i+1:]...)
			break
		}
	}
	return nil
}

// keep renews the claims on the chunks held, until ctx ends.
func (s *scanRun) keep(ctx context.Context) {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		held := append([]*heldChunk(nil), s.held...)
		s.mu.Unlock()
		for _, h := range held {
			// A lost claim, or a database that is away, is noticed when the chunk is completed.
			if err := s.worker.config.Store.KeepChunk(ctx, h.chunk); err != nil && ctx.Err() == nil && !errors.Is(err, annotator.ErrSuperseded) {
				s.worker.log.WarnContext(ctx, "scan: claim not renewed", "chunk", h.chunk.ID, "err", err)
			}
		}
	}
}

// release gives back the chunks that were not finished.
func (s *scanRun) release(ctx context.Context) {
	for _, h := range s.held {
		if err := s.worker.config.Store.ReleaseChunk(ctx, h.chunk); err != nil {
			s.worker.log.WarnContext(ctx, "scan: chunk not released", "chunk", h.chunk.ID, "err", err)
		}
	}
}
