package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
)

// holds are the jobs that a worker works on, and those it worked on a moment ago.
type holds struct {
	mu   sync.Mutex
	jobs map[int64]*hold
}

type hold struct {
	lose  context.CancelCauseFunc
	ended time.Time // zero while it is under way
}

// remembered is how long a job that ended is kept in mind: by then the database knows of its end.
const remembered = 2 * time.Minute

func (h *holds) begin(id int64, lose context.CancelCauseFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.jobs == nil {
		h.jobs = map[int64]*hold{}
	}
	h.jobs[id] = &hold{lose: lose}
}

func (h *holds) end(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.jobs[id].ended = time.Now()
}

// list returns the jobs under way, and all of the last moments.
func (h *holds) list() (underWay, recent []int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, job := range h.jobs {
		switch {
		case job.ended.IsZero():
			underWay = append(underWay, id)
		case time.Since(job.ended) > remembered:
			delete(h.jobs, id)
			continue
		}
		recent = append(recent, id)
	}
	return underWay, recent
}

// lose ends the context of a job that another worker has taken over.
func (h *holds) lose(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if job := h.jobs[id]; job != nil && job.ended.IsZero() {
		job.lose(annotator.ErrSuperseded)
	}
}

// attend works on a job under a context that ends when another worker has taken it over. Where the
// database was away, the worker waits until it answers, and the job is tried again without losing an attempt. Until then the job
// stays with this worker: nothing else could be written down.
func (w *Worker) attend(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	w.holds.begin(job.ID, lose)
	defer w.holds.end(job.ID)
	err := work(ctx)
	if errors.Is(context.Cause(ctx), annotator.ErrSuperseded) {
		w.log.Warn("a job was taken over by another worker, and let go", "kind", job.Kind, "job", job.ID)
		return nil
	}
	if !errors.Is(err, annotator.ErrDatabaseAway) {
		return err
	}
	w.log.Warn("job waits for the database", "kind", job.Kind, "job", job.ID, "err", err)
	for w.config.Store.Ping(ctx) != nil {
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
	return river.JobSnooze(0)
}
