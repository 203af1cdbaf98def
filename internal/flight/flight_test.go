package flight_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/abn-studio/studio/internal/flight"
)

// Many callers share one computation; the first caller's leaving does not keep the others from its value.
func TestManyCallersShareOneComputation(t *testing.T) {
	t.Parallel()
	var g flight.Group[string, int]
	var computed atomic.Int32
	started, release := make(chan struct{}), make(chan struct{})
	compute := func(ctx context.Context) (int, error) {
		computed.Add(1)
		close(started)
		<-release
		return 7, ctx.Err()
	}
	first, leave := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	left := make(chan error)
	go func() {
		_, err := g.Do(first, "a", compute)
		left <- err
	}()
	<-started
	var wg sync.WaitGroup
	joined := make(chan struct{}, 8)
	for range 8 {
		wg.Go(func() {
			ctx := &asked{Context: t.Context(), joined: joined}
			if v, err := g.Do(ctx, "a", compute); v != 7 || err != nil {
				t.Errorf("%d, %v", v, err)
			}
		})
	}
	for range 8 {
		<-joined
	}
	leave(gone)
	if err := <-left; !errors.Is(err, gone) {
		t.Errorf("who left got %v", err)
	}
	close(release)
	wg.Wait()
	if n := computed.Load(); n != 1 {
		t.Errorf("computed %d times", n)
	}
}

// asked tells that a caller waits: it is then that its context's Done is asked for.
type asked struct {
	context.Context
	joined chan<- struct{}
}

func (a *asked) Done() <-chan struct{} {
	a.joined <- struct{}{}
	return a.Context.Done()
}

// When the last caller has left, Do's computation ends and Finish's goes on; later callers of Finish get its value.
func TestTheLastCallerLeaves(t *testing.T) {
	t.Parallel()
	var g flight.Group[string, int]
	gone := errors.New("gone")
	leaving := func(wait func(context.Context, string, func(context.Context) (int, error)) (int, error), key string, compute func(context.Context) (int, error)) {
		ctx, leave := context.WithCancelCause(t.Context())
		leave(gone)
		if _, err := wait(ctx, key, compute); !errors.Is(err, gone) {
			t.Errorf("who left got %v", err)
		}
	}
	ended := make(chan error)
	leaving(g.Do, "ends", func(ctx context.Context) (int, error) {
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return 0, context.Cause(ctx)
	})
	if err := <-ended; !errors.Is(err, gone) {
		t.Errorf("the computation ended with %v", err)
	}
	release := make(chan struct{})
	leaving(g.Finish, "goes on", func(ctx context.Context) (int, error) {
		<-release
		return 5, ctx.Err()
	})
	joined := make(chan struct{}, 1)
	result := make(chan int)
	go func() {
		v, err := g.Finish(&asked{Context: t.Context(), joined: joined}, "goes on", func(context.Context) (int, error) { return 0, errors.New("computed again") })
		if err != nil {
			t.Error(err)
		}
		result <- v
	}()
	<-joined
	close(release)
	if v := <-result; v != 5 {
		t.Errorf("the value is %d", v)
	}
}

// Who has a value and asks again starts a new computation: the old one is not given out twice.
func TestAnsweredFlightsAreOver(t *testing.T) {
	t.Parallel()
	var g flight.Group[string, int]
	var made atomic.Int32
	for i := range 2000 {
		got, err := g.Do(t.Context(), "key", func(context.Context) (int, error) { return int(made.Add(1)), nil })
		if err != nil || got != i+1 {
			t.Fatalf("call %d got the value of computation %d, %v", i+1, got, err)
		}
	}
}
