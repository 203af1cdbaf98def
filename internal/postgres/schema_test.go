package postgres_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A database that a newer studio has migrated is neither migrated, nor opened, nor written to any longer.
func TestNewerSchemaIsLeftAlone(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	log := slog.New(slog.DiscardHandler)
	running, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	if err := running.CheckSchema(t.Context()); err != nil {
		t.Errorf("the schema this program made: %v", err)
	}
	newer := postgres.SchemaVersion() + 7
	if _, err := running.Pool().Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)`, newer); err != nil {
		t.Fatal(err)
	}
	opened, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Logger: log})
	if err == nil {
		opened.Close()
	}
	for what, err := range map[string]error{"Migrate": postgres.Migrate(t.Context(), dsn, log), "Open": err, "CheckSchema": running.CheckSchema(t.Context())} {
		var refused *postgres.SchemaError
		if !errors.As(err, &refused) || refused.Database != newer || refused.Program != postgres.SchemaVersion() {
			t.Errorf("%s: %v", what, err)
		}
	}
}
