// Package pgtest gives each test a database of its own on a real PostgreSQL.
//
// One server runs per test process, started by the first test that asks: an embedded one without
// fsync, or the one STUDIO_TEST_DATABASE_URL names. A template database is migrated once; a test's
// database is a copy of it (some 30 ms), dropped when the test ends. Tests may run in parallel.
//
// A package whose tests use it has
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
// which stops the server and removes its data at the end.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/embedded"
	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
)

// Variable is the environment variable that names a server to use in place of an embedded one. Its
// role must be allowed to create databases.
const Variable = "STUDIO_TEST_DATABASE_URL"

// server is the process's server and its template database.
type server struct {
	admin    *pgx.ConnConfig
	template string
	embedded *embedded.Server // nil for one of STUDIO_TEST_DATABASE_URL
	dir      string
	copying  sync.Mutex // PostgreSQL copies a template for one at a time
}

var (
	once    sync.Once
	shared  *server
	failure error
)

// Main runs a package's tests and then stops the server; it returns the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	if shared != nil {
		if err := shared.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			return max(code, 1)
		}
	}
	return code
}

// DSN returns the address of a fresh, migrated database.
func DSN(t testing.TB) string {
	t.Helper()
	return database(t, (*server).copyTemplate)
}

// EmptyDSN returns the address of a fresh database without any table.
func EmptyDSN(t testing.TB) string {
	t.Helper()
	return database(t, func(s *server, ctx context.Context, name string) error { return s.run(ctx, "CREATE DATABASE "+name) })
}

// database makes a database that is dropped when the test ends, and returns its address.
func database(t testing.TB, create func(s *server, ctx context.Context, name string) error) string {
	t.Helper()
	once.Do(func() { shared, failure = start() })
	if failure != nil {
		t.Fatalf("pgtest: no PostgreSQL to test on: %v", failure)
	}
	ctx := context.WithoutCancel(t.Context())
	name := "test_" + strings.ToLower(rand.Text())
	if err := create(shared, ctx, name); err != nil {
		t.Fatalf("pgtest: making a database: %v", err)
	}
	t.Cleanup(func() {
		if err := shared.run(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: dropping the test's database: %v", err)
		}
	})
	return address(shared.admin, name)
}

// Open returns connections to a fresh, migrated database; they are closed when the test ends.
func Open(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.WithoutCancel(t.Context()), DSN(t))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Store returns a store on a fresh, migrated database.
func Store(t testing.TB) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(context.WithoutCancel(t.Context()), postgres.Config{DSN: DSN(t), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(store.Close)
	return store
}

func start() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s := &server{template: fmt.Sprintf("studio_template_%d", os.Getpid())}
	dsn := os.Getenv(Variable)
	if dsn == "" {
		var err error
		s.dir = folder()
		s.embedded, err = embedded.Start(ctx, embedded.Config{
			DataDir: s.dir, BinDir: os.Getenv("STUDIO_PG_BIN"), NoSync: true, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			os.RemoveAll(s.dir)
			return nil, err
		}
		dsn = s.embedded.AdminDSN()
	}
	err := s.prepare(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", err, s.stop())
	}
	return s, nil
}

func (s *server) prepare(ctx context.Context, dsn string) error {
	var err error
	if s.admin, err = pgx.ParseConfig(dsn); err != nil {
		return err
	}
	if err := s.run(ctx, "DROP DATABASE IF EXISTS "+s.template); err != nil {
		return err
	}
	if err := s.run(ctx, "CREATE DATABASE "+s.template); err != nil {
		return err
	}
	return postgres.Migrate(ctx, address(s.admin, s.template), slog.New(slog.DiscardHandler))
}

// copyTemplate makes a migrated database; another test process on the same server may hold its own template for a moment.
func (s *server) copyTemplate(ctx context.Context, name string) error {
	s.copying.Lock()
	defer s.copying.Unlock()
	return s.run(ctx, "CREATE DATABASE "+name+" TEMPLATE "+s.template)
}

func (s *server) run(ctx context.Context, sql string) error {
	conn, err := pgx.ConnectConfig(ctx, s.admin)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func (s *server) stop() error {
	if s.embedded == nil {
		return s.run(context.Background(), "DROP DATABASE IF EXISTS "+s.template+" WITH (FORCE)")
	}
	if err := s.embedded.Stop(); err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}

// address returns the address of a database of the server, in keyword form.
func address(c *pgx.ConnConfig, database string) string {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	}
	dsn := fmt.Sprintf("host=%s port=%d user=%s dbname=%s", quote(c.Host), c.Port, quote(c.User), quote(database))
	if c.Password != "" {
		dsn += " password=" + quote(c.Password)
	}
	if c.TLSConfig == nil {
		dsn += " sslmode=disable"
	}
	return dsn
}

// folder names a new data folder after this process, and removes those of test processes that were
// killed: their servers ended with them.
func folder() string {
	base := embeddedtest.Base()
	old, _ := filepath.Glob(filepath.Join(base, "abn-pgtest-*"))
	for _, dir := range old {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), "abn-pgtest-"), "-")
		if pid, err := strconv.Atoi(number); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(dir) // another user's stays
		}
	}
	return filepath.Join(base, fmt.Sprintf("abn-pgtest-%d-%s", os.Getpid(), strings.ToLower(rand.Text()[:6])))
}
