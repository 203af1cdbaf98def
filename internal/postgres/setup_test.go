package postgres_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// refused runs SQL that a constraint must refuse, by name.
func refused(t *testing.T, w *pgtest.World, constraint, sql string, args ...any) {
	t.Helper()
	_, err := w.Store.Pool().Exec(t.Context(), sql, args...)
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.ConstraintName != constraint {
		t.Errorf("%s\n\tgives %v, want a violation of %s", strings.TrimSpace(sql), err, constraint)
	}
}
