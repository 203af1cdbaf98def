package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/logs"
	"github.com/abn-studio/studio/internal/postgres"
)

// holds are the parts of jobs that a worker works on, and those that it ended within remembered.
type holds struct {
	mu    sync.Mutex
	parts map[int64]*hold // by their id in River's table
}

type hold struct {
	about []slog.Attr // what lines about it say
	lose  context.CancelCauseFunc
	ended time.Time // zero while it is under way
}

// remembered is how long a part that ended is still listed. By then the database has recorded its end.
const remembered = 2 * time.Minute

func (h *holds) begin(id int64, about []slog.Attr, lose context.CancelCauseFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.parts == nil {
		h.parts = map[int64]*hold{}
	}
	h.parts[id] = &hold{about: about, lose: lose}
}

func (h *holds) end(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts[id].ended = time.Now()
}

// list returns the parts under way, and recent: these and the parts that ended within remembered.
func (h *holds) list() (underWay, recent []int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, part := range h.parts {
		switch {
		case part.ended.IsZero():
			underWay = append(underWay, id)
		case time.Since(part.ended) > remembered:
			delete(h.parts, id)
			continue
		}
		recent = append(recent, id)
	}
	return underWay, recent
}

// about returns what lines about a part say; nil for one that this worker does not know, or no longer.
func (h *holds) about(id int64) []slog.Attr {
	h.mu.Lock()
	defer h.mu.Unlock()
	if part := h.parts[id]; part != nil {
		return part.about
	}
	return nil
}

// lose ends the context of a part that another worker has taken over.
func (h *holds) lose(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if part := h.parts[id]; part != nil && part.ended.IsZero() {
		part.lose(annotator.ErrSuperseded)
	}
}

// roomAgain is how long a worker keeps a part that found no room. Meanwhile it takes no other in its place, which a worker with room may have.
const roomAgain = 5 * time.Second

// attend works on a part, under a context that ends when another worker takes the part over. If work fails because the database or the
// bucket is away, attend waits until both answer and then has River try the part again, without counting an attempt. It keeps the
// part until then, since giving it back has to be written to the database. Where a disk is full, of the database or of this machine, it
// waits a moment and does the same.
func (w *Worker) attend(ctx context.Context, part *rivertype.JobRow, work func(context.Context) error) error {
	attrs := about(part)
	ctx, traced := w.config.Tracer.Job(logs.With(ctx, attrs...), part.Kind, postgres.MetadataOf(part).Trace, jobOf(part), part.ID, part.Attempt)
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	w.holds.begin(part.ID, attrs, lose)
	defer w.holds.end(part.ID)
	w.tell(ctx, "job began", slog.Int("attempt", part.Attempt))
	began, count := time.Now(), w.metrics.begin(part.Kind)
	working, failed := attempting(ctx)
	how := endError // of a panic
	defer func() {
		count(how, time.Since(began))
		traced(how, how == endError || how == endFailed)
	}()
	err := work(working)
	how = endOf(ctx, err, failed.Load())
	w.tell(ctx, "job ended", slog.String("how", how), milliseconds(time.Since(began)))
	if errors.Is(context.Cause(ctx), annotator.ErrSuperseded) {
		w.log.WarnContext(ctx, "part of a job was taken over by another worker, and let go")
		return nil
	}
	if !annotator.Passes(err) {
		return err
	}
	if !annotator.Away(err) {
		w.log.WarnContext(ctx, "part of a job waits for room on a disk", "err", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(roomAgain):
		}
		return river.JobSnooze(0)
	}
	w.log.WarnContext(ctx, "part of a job waits for the database, or for the bucket", "err", err)
	for w.config.Store.Ping(ctx) != nil || w.config.Blobs.Ping(ctx) != nil {
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
	return river.JobSnooze(0)
}
