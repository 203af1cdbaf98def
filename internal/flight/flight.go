// Package flight computes a value once if several callers ask for it at the same time: features for live scores, opened networks, open
// sessions and rendered pictures.
//
// It is our own and not golang.org/x/sync/singleflight, whose callers cannot leave: there the first caller's context decides for all,
// or none does, and what nobody waits for any more cannot be ended.
package flight

import (
	"context"
	"sync"
)

// Group computes values by key. The zero value is ready; it is safe for concurrent use.
type Group[K comparable, T any] struct {
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

// Do returns what compute gives for a key, or the cause of ctx if that ends before. If a caller's context ends, the others still get the
// value; when the last one has left, the computation's context ends too, with that caller's cause.
func (g *Group[K, T]) Do(ctx context.Context, key K, compute func(context.Context) (T, error)) (T, error) {
	return g.wait(ctx, key, compute, true)
}

// Finish is Do for what is worth keeping: the computation goes on to its end, even if every caller has left.
func (g *Group[K, T]) Finish(ctx context.Context, key K, compute func(context.Context) (T, error)) (T, error) {
	return g.wait(ctx, key, compute, false)
}

func (g *Group[K, T]) wait(ctx context.Context, key K, compute func(context.Context) (T, error), ends bool) (T, error) {
	g.mu.Lock()
	one := g.under[key]
	if one == nil {
		own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		one = &flight[T]{cancel: cancel, done: make(chan struct{})}
		if g.under == nil {
			g.under = map[K]*flight[T]{}
		}
		g.under[key] = one
		go func() {
			one.value, one.err = compute(own)
			g.mu.Lock()
			g.forget(key, one) // before anybody has the value: who asks again afterwards gets a new one
			g.mu.Unlock()
			close(one.done)
			cancel(nil)
		}()
	}
	one.waiting++
	g.mu.Unlock()
	select {
	case <-one.done:
		return one.value, one.err
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if one.waiting--; ends && one.waiting == 0 {
		g.forget(key, one) // later callers start a new computation
		one.cancel(context.Cause(ctx))
	}
	var none T
	return none, context.Cause(ctx)
}

// forget removes a flight, unless another has taken its place.
func (g *Group[K, T]) forget(key K, one *flight[T]) {
	if g.under[key] == one {
		delete(g.under, key)
	}
}
