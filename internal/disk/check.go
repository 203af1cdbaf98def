package disk

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/health"
)

// checkBytes is what a check writes: more than file systems keep beside a file's name.
const checkBytes = 64 << 10

// Writable writes a small file into a folder and removes it.
func Writable(dir string) error {
	f, err := os.CreateTemp(dir, ".write-check-*")
	if err != nil {
		return Full(err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, checkBytes))
	if err == nil {
		err = f.Sync() // some file systems find room only now
	}
	return Full(errors.Join(err, f.Close()))
}

// Place is somewhere the studio writes, by a name that may be shown to anybody.
type Place struct {
	Name     string // "the data folder"
	Writable func(context.Context) error
}

// Folder is a place that is a folder.
func Folder(name, dir string) Place {
	return Place{name, func(context.Context) error {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return Full(err)
		}
		return Writable(filepath.Clean(dir))
	}}
}

// Check tells whether places can be written to. An answer holds for a while, however many ask. It is safe for concurrent use.
type Check struct{ places []*look }

// look is what is known of a place.
type look struct {
	Place
	every time.Duration
	log   *slog.Logger

	mu      sync.Mutex
	at      time.Time
	found   health.Part
	running chan struct{} // closed when the check under way is over; nil: there is none
}

// NewCheck looks at places at most once in every. log hears the causes, which may name paths.
func NewCheck(every time.Duration, log *slog.Logger, places ...Place) *Check {
	c := &Check{}
	for _, p := range places {
		c.places = append(c.places, &look{Place: p, every: every, log: log, found: health.Part{Name: p.Name}})
	}
	return c
}

// Err joins what Parts found: nil, or an annotator.ErrFull that names the places that take nothing.
func (c *Check) Err(ctx context.Context) error {
	var errs []error
	for _, p := range c.Parts(ctx) {
		errs = append(errs, p.Err)
	}
	return errors.Join(errs...)
}

// Parts is what the last look found of each place, or a new one where that is too old: no error, or an annotator.ErrFull that names the
// place. Where a place does not answer, it waits no longer than ctx, and the place is named as one that is away: one that is slow says
// nothing of the others.
func (c *Check) Parts(ctx context.Context) []health.Part {
	looks := make([]<-chan struct{}, len(c.places))
	for i, p := range c.places {
		looks[i] = p.begin(ctx)
	}
	found := make([]health.Part, len(c.places))
	for i, p := range c.places {
		known := true
		select {
		case <-looks[i]:
		case <-ctx.Done():
			select {
			case <-looks[i]:
			default:
				known = false
			}
		}
		if found[i] = (health.Part{Name: p.Name, Err: &PlaceError{Place: p.Name, Err: annotator.ErrUnavailable}}); known {
			p.mu.Lock()
			found[i] = p.found
			p.mu.Unlock()
		}
	}
	return found
}

// begin looks, unless somebody does or what is known is young; the channel is closed once it is known.
func (l *look) begin(ctx context.Context) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running != nil {
		return l.running
	}
	running := make(chan struct{})
	if !l.at.IsZero() && time.Since(l.at) < l.every {
		close(running)
		return running
	}
	l.running = running
	go l.now(context.WithoutCancel(ctx), running)
	return running
}

func (l *look) now(ctx context.Context, running chan struct{}) {
	found := health.Part{Name: l.Name}
	if err := l.Writable(ctx); err != nil {
		l.log.ErrorContext(ctx, "nothing can be written", "to", l.Name, "err", err)
		found.Err = &PlaceError{Place: l.Name, Err: err}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.found, l.running = time.Now(), found, nil
	close(running)
}

// PlaceError is a place that cannot be written to: it matches annotator.ErrFull, whatever the reason, but where the place is away
// (annotator.ErrUnavailable). What it says is for anybody.
type PlaceError struct {
	Place string
	Err   error
}

func (e *PlaceError) Error() string {
	switch {
	case errors.Is(e.Err, annotator.ErrFull):
		return e.Place + " takes no more files: its disk is full, over its quota, or read-only"
	case errors.Is(e.Err, annotator.ErrUnavailable):
		return e.Place + " does not answer"
	}
	return e.Place + " cannot be written to"
}

// Unwrap gives annotator.ErrFull and the cause, or the cause alone.
func (e *PlaceError) Unwrap() []error {
	if errors.Is(e.Err, annotator.ErrUnavailable) {
		return []error{e.Err}
	}
	return []error{annotator.ErrFull, e.Err}
}
