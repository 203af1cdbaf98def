package jobs

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
)

// The ways in which an attempt at a part ends, for the log and the figures.
const (
	endFinished  = "finished"
	endFailed    = "failed"     // the job has failed for good, and says why
	endError     = "error"      // River tries the part again, or gives it up after the last attempt
	endBack      = "given back" // the worker stops, or the database was away: another attempt goes on with it
	endTakenOver = "taken over" // by another worker
)

var attemptEnds = []string{endFinished, endFailed, endError, endBack, endTakenOver}

type attemptKey struct{}

// attempting returns the context of an attempt, and whether the attempt has failed its job.
func attempting(ctx context.Context) (context.Context, *atomic.Bool) {
	failed := &atomic.Bool{}
	return context.WithValue(ctx, attemptKey{}, failed), failed
}

// giveUp logs why a job has failed for good. The caller stores it: then River counts the part as done.
func (w *Worker) giveUp(ctx context.Context, why string) {
	if failed, attempt := ctx.Value(attemptKey{}).(*atomic.Bool); attempt {
		failed.Store(true)
	}
	w.log.ErrorContext(ctx, "job failed for good", "why", why)
}

// endOf says how an attempt ended.
func endOf(ctx context.Context, err error, failed bool) string {
	var snoozed *rivertype.JobSnoozeError
	switch {
	case errors.Is(context.Cause(ctx), annotator.ErrSuperseded):
		return endTakenOver
	case failed:
		return endFailed
	case errors.As(err, &snoozed), annotator.Passes(err):
		return endBack
	case err != nil:
		return endError
	default:
		return endFinished
	}
}
