package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fault"
	"github.com/abn-studio/studio/internal/health"
	"github.com/abn-studio/studio/internal/tracing"
)

// Config says which database a Store uses.
type Config struct {
	DSN string // keyword form or URL
	// MaxConns bounds the connections of this process. Default: 16.
	MaxConns int32
	// Patience is how long an operation that can safely be repeated waits for a database that is away or does not answer, before it
	// returns annotator.ErrDatabaseAway. Default: 10 s.
	Patience time.Duration
	Logger   *slog.Logger    // default slog.Default
	Tracer   *tracing.Tracer // what traces queries; nil: nothing does
}

// Store is the database. It is safe for concurrent use. InTx gives its function a Store of the transaction's own.
type Store struct {
	pool     *pgxpool.Pool
	q        querier // the pool, or a transaction
	tx       pgx.Tx  // nil outside a transaction
	river    *river.Client[pgx.Tx]
	wake     *listener
	watch    *watch
	clock    *clock
	patience time.Duration
	log      *slog.Logger
}

var _ annotator.Store = (*Store)(nil)

// querier is what a pool and a transaction have in common.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Open connects to a migrated database.
func Open(ctx context.Context, c Config) (*Store, error) {
	config, err := poolConfig(c.DSN)
	if err != nil {
		return nil, err
	}
	config.MaxConns = cmp.Or(c.MaxConns, 16)
	// A restarted server leaves dead connections in the pool: check them often, and before use.
	config.HealthCheckPeriod = 5 * time.Second
	config.ConnConfig.Tracer = c.Tracer.Queries()
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	s := &Store{pool: pool, q: naming{pool}, patience: cmp.Or(c.Patience, 10*time.Second), log: cmp.Or(c.Logger, slog.Default())}
	if s.river, err = river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: s.log, Middleware: []rivertype.Middleware{tellPartsWhy()}}); err != nil {
		pool.Close()
		return nil, fmt.Errorf("opening the job queue: %w", err)
	}
	s.wake = newListener(pool, s.log)
	s.watch = &watch{config: pool.Config().ConnConfig, wait: s.patience / 2}
	if err := s.Ping(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("reaching the database: %w", err)
	}
	if err := s.CheckSchema(ctx); err != nil {
		s.Close()
		return nil, err
	}
	s.clock = &clock{store: s}
	if err := s.clock.set(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("asking the database for the time: %w", err)
	}
	return s, nil
}

// Pool returns the connections, for River, which has tables of its own.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// River returns the client by which jobs are inserted and looked at.
func (s *Store) River() *river.Client[pgx.Tx] { return s.river }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.patiently(ctx, s.pool.Ping)
}

// Health says whether the database answers, in words for anybody: only the log has its address.
func (s *Store) Health(ctx context.Context) health.Part {
	part := health.Part{Name: "the database"}
	if err := s.Ping(ctx); err != nil {
		s.log.ErrorContext(ctx, "the database does not answer", "err", err)
		part.Err = errors.New("it does not answer")
	}
	return part
}

// Writable finds out whether the database's disk has room, for it may be another machine's: PostgreSQL sorts more than it may keep in memory (64 kB),
// which it writes to a file of half a megabyte and removes. Neither tables nor the log of transactions are touched. A full disk is annotator.ErrFull; of a database
// that is away Health tells.
func (s *Store) Writable(ctx context.Context) error {
	err := s.inTx(ctx, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `SET LOCAL work_mem = '64kB'`); err != nil {
			return err
		}
		_, err := tx.q.Exec(ctx, `SELECT count(*) FROM (SELECT repeat(md5(n::text), 8) AS line FROM generate_series(1, 2000) n ORDER BY line OFFSET 1) sorted`)
		return err
	})
	if annotator.Away(err) {
		return nil
	}
	return err
}

// Close waits for running operations and closes every connection. Later operations fail.
func (s *Store) Close() {
	s.wake.close()
	s.watch.close()
	s.pool.Close()
}

// InTx runs fn in a transaction. It runs fn again after a lost connection, a deadlock or a failed serialisation, for as long as
// Config.Patience. If the connection is lost during COMMIT, so that the outcome is unknown, it returns annotator.ErrDatabaseAway at
// once.
func (s *Store) InTx(ctx context.Context, fn func(tx annotator.Store) error) error {
	return s.inTx(ctx, func(tx *Store) error { return fn(tx) })
}

func (s *Store) inTx(ctx context.Context, fn func(tx *Store) error) error {
	if s.tx != nil {
		return fn(s)
	}
	return s.patiently(ctx, func(op context.Context) error {
		tx, err := s.pool.Begin(op)
		if err != nil {
			return err
		}
		defer interrupt(op, tx)()
		defer tx.Rollback(context.WithoutCancel(ctx)) // does nothing after Commit
		inner := *s
		inner.q, inner.tx = naming{tx}, tx
		if err := fn(&inner); err != nil {
			return err
		}
		fault.At(fault.BeforeCommit)
		if err := tx.Commit(op); err != nil {
			if away(err) || errors.Is(context.Cause(op), errSilent) {
				return &uncertainError{err}
			}
			return err
		}
		fault.At(fault.AfterCommit)
		return nil
	})
}

// uncertainError is the error of a connection that was lost during COMMIT.
type uncertainError struct{ err error }

func (e *uncertainError) Error() string {
	return "the connection was lost while committing: " + e.err.Error()
}
func (e *uncertainError) Unwrap() []error { return []error{annotator.ErrDatabaseAway, e.err} }

// patiently runs do, which must be safe to repeat, until it succeeds, fails for good, or Config.Patience has passed.
func (s *Store) patiently(ctx context.Context, do func(ctx context.Context) error) error {
	deadline := time.Now().Add(s.patience)
	for wait := 25 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := s.watch.during(ctx, deadline, do)
		var uncertain *uncertainError
		switch {
		case err == nil, errors.As(err, &uncertain):
			return err
		case ctx.Err() != nil:
			return err
		case !away(err) && !collided(err):
			return full(err)
		case time.Now().Add(wait).After(deadline), errors.Is(err, errSilent): // errSilent comes after a wait already
			return unavailable(err) // also what collides again and again: it holds nothing, and may be sent again
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// away reports whether err says that the server cannot be reached, is silent, or ended the connection.
func away(err error) bool {
	if errors.Is(err, errSilent) {
		return true
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "57P01", "57P02", "57P03", "08000", "08003", "08006", "53300", "25P03":
			return true // shutdown, crash, starting up, connection trouble, too many connections, a transaction that stood still for idleWithin
		}
		return false
	}
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		return true
	}
	return err != nil && !errors.Is(err, pgx.ErrNoRows) && (pgconn.SafeToRetry(err) || lost(err))
}

// full wraps PostgreSQL's error of a full disk as annotator.ErrFull.
func full(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "53100" && !errors.Is(err, annotator.ErrFull) {
		return fmt.Errorf("%w: the database: %w", annotator.ErrFull, err)
	}
	return err
}

// collided reports whether a statement failed because of another transaction, so that a repeat may succeed.
func collided(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// violated returns the name of the constraint that was violated, "" for other errors.
func violated(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && len(pg.Code) == 5 && pg.Code[:2] == "23" {
		return pg.ConstraintName
	}
	return ""
}

// list runs a query and collects its rows. Outside a transaction it is repeated while the server is away.
func list[T any](ctx context.Context, s *Store, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	var all []T
	read := func(ctx context.Context) error {
		rows, err := s.q.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scan)
		return err
	}
	if s.tx != nil {
		return all, read(ctx)
	}
	return all, s.patiently(ctx, read)
}

// one runs a query of one row, as list does; annotator.ErrNotFound if there is none.
func one[T any](ctx context.Context, s *Store, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	var found T
	read := func(ctx context.Context) error {
		rows, err := s.q.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectExactlyOneRow(rows, scan)
		return err
	}
	var err error
	if s.tx != nil {
		err = read(ctx)
	} else {
		err = s.patiently(ctx, read)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return found, annotator.ErrNotFound
	}
	return found, err
}

// exec runs a statement as a transaction of its own, or as part of the one it is in. It returns the
// number of rows it touched.
func (s *Store) exec(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = s.inTx(ctx, func(tx *Store) error {
		tag, err := tx.q.Exec(ctx, sql, args...)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// enqueue adds a part of a job to one of River's queues, HeavyWork or LightWork, in the store's transaction.
func (s *Store) enqueue(ctx context.Context, jobID int64, args river.JobArgs, queue string) error {
	result, err := s.river.InsertTx(ctx, s.tx, args, &river.InsertOpts{Queue: queue, MaxAttempts: maxAttempts})
	if err != nil {
		return fmt.Errorf("enqueueing a %s job: %w", args.Kind(), err)
	}
	_, err = s.q.Exec(ctx, `INSERT INTO job_parts (job_id, river_job_id) VALUES ($1, $2)`, jobID, result.Job.ID)
	return err
}

// maxAttempts is how often a part that fails with an error is tried. Being rescued from a dead worker does not count.
const maxAttempts = 3
