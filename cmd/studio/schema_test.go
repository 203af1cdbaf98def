package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// Every command refuses a database that a newer studio has migrated; a running server and a running worker stop.
func TestOlderProgramLeavesANewerDatabaseAlone(t *testing.T) {
	t.Parallel()
	dsn, data := pgtest.DSN(t), t.TempDir()
	flags := []string{"--database", dsn, "--data", data}
	server := launch(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--no-worker"}, flags...)...)
	worker := launch(t, append([]string{"worker", "--threads", "1"}, flags...)...)
	server.until(t, "answers on ")
	worker.until(t, "worker is ready")

	newer := postgres.SchemaVersion() + 1
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)`, newer); err != nil {
		t.Fatal(err)
	}
	wants := []string{fmt.Sprintf("version %d", newer), fmt.Sprintf("versions up to %d", newer-1), "a newer studio", "restore a backup"}
	for _, command := range [][]string{
		{"serve", "--listen", "127.0.0.1:0"}, {"demo", "--listen", "127.0.0.1:0"}, {"worker"}, {"migrate"}, {"project", "list"}, {"project", "create", "x"},
		{"user", "list"}, {"user", "add", "--email", "a@example.org"}, {"user", "passwd", "--email", "a@example.org"}, {"user", "tokens", "--email", "a@example.org"},
	} {
		streams, out := shell("a long enough password\n")
		streams.Err = out
		if code := run(t.Context(), append(command, flags...), streams); code != exitFailure {
			t.Errorf("studio %s: exit %d", strings.Join(command, " "), code)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("studio %s says %q, want %q in it", strings.Join(command, " "), out, want)
			}
		}
	}
	for name, p := range map[string]*process{"serve": server, "worker": worker} {
		deadline := time.After(100 * time.Second)
		for open := true; open; {
			select {
			case _, open = <-p.lines:
			case <-deadline:
				t.Fatalf("studio %s goes on beside a newer one:\n%s", name, p.log())
			}
		}
		for _, want := range wants {
			eventually(t, name+" says "+want, func() bool { return strings.Contains(p.log(), want) })
		}
	}
}
