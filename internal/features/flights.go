package features

import (
	"context"
	"sync"
)

// flights computes a value once if several callers ask for its key at the same time. If a caller's context ends, the others still
// get the value; when the last one has left, the computation's context ends too. The zero value is ready; it is safe for
// concurrent use.
type flights[K comparable, T any] struct {
	mu    sync.Mutex
	under map[K]*flight[T] // way
}

type flight[T any] struct {
	waiting int
	cancel  context.CancelCauseFunc
	done    chan struct{}
	value   T // these two are read after done
	err     error
}

// do returns what compute gives for a key, or the cause of ctx where that ends before.
func (f *flights[K, T]) do(ctx context.Context, key K, compute func(context.Context) (T, error)) (T, error) {
	f.mu.Lock()
	one := f.under[key]
	if one == nil {
		own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		one = &flight[T]{cancel: cancel, done: make(chan struct{})}
		if f.under == nil {
			f.under = map[K]*flight[T]{}
		}
		f.under[key] = one
		go func() {
			one.value, one.err = compute(own)
			close(one.done)
			f.mu.Lock()
			defer f.mu.Unlock()
			f.forget(key, one)
			cancel(nil)
		}()
	}
	one.waiting++
	f.mu.Unlock()
	select {
	case <-one.done:
		return one.value, one.err
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if one.waiting--; one.waiting == 0 {
		f.forget(key, one) // later callers start a new computation
		one.cancel(context.Cause(ctx))
	}
	var none T
	return none, context.Cause(ctx)
}

// forget removes a flight, unless another has taken its place.
func (f *flights[K, T]) forget(key K, one *flight[T]) {
	if f.under[key] == one {
		delete(f.under, key)
	}
}
