package postgres_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// What a service decides by is the database's time, also where the machine's clock is a minute off.
func TestTheDatabaseDecidesWhatTimeItIs(t *testing.T) {
	t.Parallel()
	ctx, dsn := t.Context(), pgtest.DSN(t)
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 minute' $$`); err != nil {
		t.Fatal(err)
	}
	and := " options='-c search_path=public,pg_catalog'"
	if strings.Contains(dsn, "://") {
		and = "&options=-csearch_path%3Dpublic,pg_catalog"
	}
	store, err := postgres.Open(ctx, postgres.Config{DSN: dsn + and, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	service := annotator.NewService(annotator.ServiceConfig{Store: store})
	before := time.Now()
	ahead := service.Now().Sub(before)
	if ahead < 50*time.Second || ahead > 70*time.Second {
		t.Errorf("the service is %v ahead of this machine, and the database a minute", ahead)
	}
}
