package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/flight"
)

// errSilent is the cause that ends an operation while the database does not answer.
var errSilent = errors.New("the server does not answer")

// watch tells a slow database from one that does not answer at all. A frozen server, or a network that drops packets, does not break
// connections, so an operation would wait for ever. After a while the watch sends a small query on a connection of its own. If that
// is not answered either, the operation ends.
type watch struct {
	config *pgx.ConnConfig
	wait   time.Duration // how long an operation runs before the small query is sent, and how long its answer may take

	asking flight.Group[struct{}, struct{}]
	mu     sync.Mutex
	conn   *pgx.Conn // of the small query; nil before the first one and after a failure
}

// during runs do under a context that ends when the database does not answer; the error is then errSilent. If the deadline is near,
// the database is asked sooner.
func (w *watch) during(ctx context.Context, deadline time.Time, do func(ctx context.Context) error) error {
	op, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	looking := time.AfterFunc(min(w.wait, max(0, time.Until(deadline)-w.wait)), func() { w.look(op, cancel) })
	defer looking.Stop()
	err := do(op)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(op), errSilent) {
		return fmt.Errorf("%w: %w", errSilent, err)
	}
	return err
}

// look asks the database again and again while an operation runs.
func (w *watch) look(op context.Context, cancel context.CancelCauseFunc) {
	for op.Err() == nil {
		_, err := w.asking.Finish(context.WithoutCancel(op), struct{}{}, func(context.Context) (struct{}, error) { return struct{}{}, w.ask() })
		if err != nil {
			cancel(errSilent)
			return
		}
		select {
		case <-op.Done():
		case <-time.After(w.wait):
		}
	}
}

// ask returns an error unless the database answers within w.wait. A refused connection is an answer too.
func (w *watch) ask() error {
	ctx, cancel := context.WithTimeout(context.Background(), w.wait)
	defer cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		err := w.conn.Ping(ctx)
		if err == nil {
			return nil
		}
		go w.conn.Close(ctx) // this may wait for the database too
		w.conn = nil
	}
	conn, err := pgx.ConnectConfig(ctx, w.config)
	if err != nil {
		var refusal *pgconn.PgError
		if errors.As(err, &refusal) && !away(err) {
			return nil
		}
		return err
	}
	w.conn = conn
	return nil
}

func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		w.conn.Close(ctx)
		w.conn = nil
	}
}

// interrupt breaks a transaction's connection when op ends because the database is silent. Statements and the rollback have contexts of
// their own, and would otherwise wait for ever. Call stop when the transaction is over.
func interrupt(op context.Context, tx pgx.Tx) (stop func() bool) {
	conn := tx.Conn().PgConn().Conn()
	return context.AfterFunc(op, func() {
		if errors.Is(context.Cause(op), errSilent) {
			_ = conn.SetDeadline(time.Unix(1, 0))
		}
	})
}

// unavailable wraps an outage's error as annotator.ErrDatabaseAway.
func unavailable(err error) error { return fmt.Errorf("%w: %w", annotator.ErrDatabaseAway, err) }
