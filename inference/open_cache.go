package inference

import (
	"container/list"
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/abn-studio/studio/internal/ort"
)

// openCache keeps what was opened last, by key, and closes what was not used for longest, once its runs are over. It is
// safe for concurrent use.
type openCache[T io.Closer] struct {
	most    int // entries
	flights singleflight.Group

	mu      sync.Mutex
	closed  bool
	order   *list.List // of *openEntry[T], most recently used in front
	entries map[string]*list.Element
}

type openEntry[T io.Closer] struct {
	key   string
	value T
}

func newOpenCache[T io.Closer](most int) *openCache[T] {
	return &openCache[T]{most: most, order: list.New(), entries: map[string]*list.Element{}}
}

// get returns the entry of a key, opening it if need be, once however many ask at the same time. After close it is
// ort.ErrClosed.
func (c *openCache[T]) get(ctx context.Context, key string, open func(context.Context) (T, error)) (T, error) {
	if value, found, err := c.lookup(key); found || err != nil {
		return value, err
	}
	// Whoever asks first opens it for all: their leaving must not fail the others.
	detached := context.WithoutCancel(ctx)
	return await[T](ctx, c.flights.DoChan(key, func() (any, error) {
		if value, found, err := c.lookup(key); found || err != nil {
			return value, err
		}
		value, err := open(detached)
		if err != nil {
			return value, err
		}
		return value, c.keep(key, value)
	}))
}

func (c *openCache[T]) lookup(key string) (value T, found bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return value, false, ort.ErrClosed
	}
	e, ok := c.entries[key]
	if !ok {
		return value, false, nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*openEntry[T]).value, true, nil
}

// keep adds an entry and closes the ones that no longer fit.
func (c *openCache[T]) keep(key string, value T) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return errors.Join(ort.ErrClosed, value.Close())
	}
	c.entries[key] = c.order.PushFront(&openEntry[T]{key, value})
	var evicted []T
	for c.order.Len() > c.most {
		old := c.order.Remove(c.order.Back()).(*openEntry[T])
		delete(c.entries, old.key)
		evicted = append(evicted, old.value)
	}
	c.mu.Unlock()
	var errs []error
	for _, old := range evicted {
		errs = append(errs, old.Close())
	}
	return errors.Join(errs...)
}

func (c *openCache[T]) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var errs []error
	for e := c.order.Front(); e != nil; e = e.Next() {
		errs = append(errs, e.Value.(*openEntry[T]).value.Close())
	}
	c.order.Init()
	clear(c.entries)
	return errors.Join(errs...)
}

func (c *openCache[T]) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}
