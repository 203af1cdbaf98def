package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/embedded"
	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
)

// ownServer is a server that a test may kill, with a store on it.
func ownServer(t *testing.T) (*embedded.Server, *postgres.Store) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	server, err := embedded.Start(t.Context(), embedded.Config{DataDir: embeddedtest.Folder(t), BinDir: os.Getenv("STUDIO_PG_BIN"), NoSync: true, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	if err := postgres.Migrate(t.Context(), server.DSN(), log); err != nil {
		t.Fatal(err)
	}
	store, err := postgres.Open(t.Context(), postgres.Config{DSN: server.DSN(), Logger: log, Patience: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return server, store
}

// PostgreSQL is killed and restarted while four people write. Only a commit whose outcome is unknown may fail, and no write that was
// confirmed is lost.
func TestRestartUnderLoad(t *testing.T) {
	t.Parallel()
	server, store := ownServer(t)
	ctx := t.Context()
	p, err := store.InsertProject(ctx, annotator.Project{Slug: "p", Name: "P"})
	if err != nil {
		t.Fatal(err)
	}
	var answered, uncertain atomic.Int64
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := store.InTx(ctx, func(tx annotator.Store) error {
					return tx.InsertAudit(ctx, &p.ID, annotator.System, annotator.AuditEntry{At: time.Now(), Action: "test.write", Subject: "x"})
				})
				switch {
				case err == nil:
					answered.Add(1)
				case errors.Is(err, annotator.ErrUnavailable):
					uncertain.Add(1)
				default:
					t.Errorf("a write: %v", err)
					return
				}
				if _, err := store.ProjectBySlug(ctx, "p"); err != nil {
					t.Errorf("a read: %v", err)
					return
				}
			}
		})
	}
	// Some writes before, three kills, some writes after each.
	grow := func() {
		t.Helper()
		from := answered.Load()
		deadline := time.After(5 * time.Minute)
		for tick := time.NewTicker(5 * time.Millisecond); answered.Load() < from+20; {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatal("nobody gets on")
			}
		}
	}
	grow()
	for range 3 {
		if pid := server.PID(); pid != 0 {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		grow()
	}
	close(stop)
	writers.Wait()
	var rows int64
	if err := store.Pool().QueryRow(ctx, `SELECT count(*) FROM audit`).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if rows < answered.Load() || rows > answered.Load()+uncertain.Load() {
		t.Errorf("%d rows for %d answered and %d uncertain writes", rows, answered.Load(), uncertain.Load())
	}
}

// A database that stays away is reported as unavailable, within the Store's Patience.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	server, _ := ownServer(t)
	store, err := postgres.Open(t.Context(), postgres.Config{DSN: server.DSN(), Patience: 200 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.User(t.Context(), 1); !errors.Is(err, annotator.ErrUnavailable) {
		t.Errorf("a read: %v, want ErrUnavailable", err)
	}
	if err := store.TouchUser(t.Context(), 1, time.Now()); !errors.Is(err, annotator.ErrUnavailable) {
		t.Errorf("a write: %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the page was closed"))
	if _, err := store.User(ctx, 1); err == nil {
		t.Error("a read of an ended context succeeded")
	}
}
