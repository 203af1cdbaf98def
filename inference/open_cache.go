package inference

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/abn-studio/studio/internal/flight"
	"github.com/abn-studio/studio/internal/lru"
	"github.com/abn-studio/studio/internal/ort"
)

// openCache keeps open entries by key, and closes the least recently used ones, after their runs are over. It is safe for
// concurrent use.
type openCache[T io.Closer] struct {
	flights flight.Group[string, T]

	mu     sync.Mutex // guards closed, and that nothing is kept after it
	closed bool
	cache  *lru.Cache[string, T]
}

// newOpenCache keeps at most so many.
func newOpenCache[T io.Closer](most int64) *openCache[T] {
	return &openCache[T]{cache: lru.New[string, T](most, nil)}
}

// get returns the entry of a key, opening it if needed: once, even if several callers ask at the same time. After close the error
// is ort.ErrClosed.
func (c *openCache[T]) get(ctx context.Context, key string, open func(context.Context) (T, error)) (T, error) {
	if value, found, err := c.lookup(key); found || err != nil {
		return value, err
	}
	return c.flights.Finish(ctx, key, func(ctx context.Context) (T, error) {
		if value, found, err := c.lookup(key); found || err != nil {
			return value, err
		}
		value, err := open(ctx)
		if err != nil {
			return value, err
		}
		return value, c.keep(key, value)
	})
}

func (c *openCache[T]) lookup(key string) (value T, found bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return value, false, ort.ErrClosed
	}
	value, found = c.cache.Get(key)
	return value, found, nil
}

// keep adds an entry and closes the ones that no longer fit.
func (c *openCache[T]) keep(key string, value T) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return errors.Join(ort.ErrClosed, value.Close())
	}
	evicted := c.cache.Put(key, value)
	c.mu.Unlock()
	return closeEach(evicted)
}

func (c *openCache[T]) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return closeEach(c.cache.Clear())
}

func (c *openCache[T]) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

func closeEach[T io.Closer](all []T) error {
	var errs []error
	for _, one := range all {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}
