package postgres

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/abn-studio/studio/internal/flight"
)

// listener wakes goroutines that wait for a round's events. One connection listens for the whole process. It is opened at the first
// wait, and again whenever it is lost. A waiting goroutine reads the table before and after, so that a notification that is lost with
// a connection only delays it.
type listener struct {
	pool *pgxpool.Pool
	log  *slog.Logger

	reading flight.Group[read, roundNews] // what several who wait read at the same time

	mu      sync.Mutex
	told    int                       // how often there was news
	waiting map[int64][]chan struct{} // by round
	cancel  context.CancelFunc        // nil until somebody waits
	done    chan struct{}
	closed  bool
}

func newListener(pool *pgxpool.Pool, log *slog.Logger) *listener {
	return &listener{pool: pool, log: log, waiting: map[int64][]chan struct{}{}}
}

// wait returns a channel that is closed when the round has new events, and how often there was news so far: what is read for others who wait since the
// same news is as new as what is read for this one. Call leave when the channel is no longer needed.
func (l *listener) wait(round int64) (news chan struct{}, told int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := make(chan struct{})
	if l.closed {
		close(ch)
		return ch, l.told
	}
	l.waiting[round] = append(l.waiting[round], ch)
	if l.cancel == nil {
		var ctx context.Context
		ctx, l.cancel = context.WithCancel(context.Background())
		l.done = make(chan struct{})
		go l.run(ctx)
	}
	return ch, l.told
}

func (l *listener) leave(round int64, ch chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.waiting[round]
	for i, c := range all {
		if c == ch {
			l.waiting[round] = append(all[:i:i], all[i+1:]...)
			break
		}
	}
	if len(l.waiting[round]) == 0 {
		delete(l.waiting, round)
	}
}

// news wakes all that wait for a round; 0: for any round.
func (l *listener) news(round int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told++
	for id, all := range l.waiting {
		if round == 0 || id == round {
			for _, ch := range all {
				close(ch)
			}
			delete(l.waiting, id)
		}
	}
}

func (l *listener) run(ctx context.Context) {
	defer close(l.done)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		began := time.Now()
		err := l.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > 10*time.Second {
			wait = 50 * time.Millisecond
		}
		l.log.WarnContext(ctx, "the connection that listens for round events was lost", "reason", err, "again_in", wait)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (l *listener) listen(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, l.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN round_events"); err != nil {
		return err
	}
	l.news(0) // events may have come before the connection listened
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if round, err := strconv.ParseInt(n.Payload, 10, 64); err == nil {
			l.news(round)
		}
	}
}

func (l *listener) close() {
	l.mu.Lock()
	l.closed = true
	cancel, done := l.cancel, l.done
	l.mu.Unlock()
	l.news(0)
	if cancel != nil {
		cancel()
		<-done
	}
}
