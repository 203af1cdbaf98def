package ort

import (
	"context"
	"strings"
	"sync/atomic"
)

// Run is a run of a session, as a Watcher sees it.
type Run struct {
	Network string // what is run, such as "the extractor"; "other" for a session without a name
	Rows    int64  // the first dimension of the first input: of most networks, images
}

// Watcher is called as a run begins, and what it returns as the run ends, with the run's error. Both must be quick.
type Watcher func(ctx context.Context, r Run) (ended func(error))

var watcher atomic.Pointer[Watcher]

// Watch has all runs of the process watched from now on, by this watcher alone; nil: by none.
func Watch(w Watcher) {
	if w == nil {
		watcher.Store(nil)
		return
	}
	watcher.Store(&w)
}

// watch calls the watcher, if there is one.
func (s *Session) watch(ctx context.Context, rows int64) func(error) {
	w := watcher.Load()
	if w == nil {
		return func(error) {}
	}
	name := s.name
	if strings.HasPrefix(name, unnamed) {
		name = "other"
	}
	return (*w)(ctx, Run{Network: name, Rows: rows})
}
