package disk

import (
	"context"
	"errors"
	"fmt"
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
type Check struct {
	places []Place
	every  time.Duration
	log    *slog.Logger

	mu      sync.Mutex
	at      time.Time
	found   []health.Part
	running chan struct{} // closed when the check under way is over; nil: there is none
}

// NewCheck looks at places at most once in every. log hears the causes, which may name paths.
func NewCheck(every time.Duration, log *slog.Logger, places ...Place) *Check {
	return &Check{places: places, every: every, log: log}
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
// place. Where the disk itself does not answer, it waits no longer than ctx.
func (c *Check) Parts(ctx context.Context) []health.Part {
	c.mu.Lock()
	if !c.at.IsZero() && time.Since(c.at) < c.every {
		defer c.mu.Unlock()
		return c.found
	}
	if c.running == nil {
		c.running = make(chan struct{})
		go c.look(context.WithoutCancel(ctx), c.running)
	}
	running := c.running
	c.mu.Unlock()
	select {
	case <-running:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.found
	case <-ctx.Done():
		return []health.Part{{Name: "the disk", Err: fmt.Errorf("%w: the disk does not answer", annotator.ErrUnavailable)}}
	}
}

func (c *Check) look(ctx context.Context, running chan struct{}) {
	found := make([]health.Part, len(c.places))
	for i, p := range c.places {
		found[i].Name = p.Name
		if err := p.Writable(ctx); err != nil {
			c.log.ErrorContext(ctx, "nothing can be written", "to", p.Name, "err", err)
			found[i].Err = &PlaceError{Place: p.Name, Err: err}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.found, c.running = time.Now(), found, nil
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
