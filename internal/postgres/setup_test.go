package postgres_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// approve paints a task as Ada and approves it as Rose; it returns the edit.
func approve(t *testing.T, w *pgtest.World, value float32) annotator.Edit {
	t.Helper()
	ctx := t.Context()
	d, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.Service.SaveDraft(ctx, w.Ada, d.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(value)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.Submit(ctx, w.Ada, d.ID, e.Revision); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.Review(ctx, w.Reviewer, e.ID, annotator.VerdictApprove, ""); err != nil {
		t.Fatal(err)
	}
	return e
}

// refused runs SQL that a constraint must refuse, by name.
func refused(t *testing.T, w *pgtest.World, constraint, sql string, args ...any) {
	t.Helper()
	_, err := w.Store.Pool().Exec(t.Context(), sql, args...)
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.ConstraintName != constraint {
		t.Errorf("%s\n\tgives %v, want a violation of %s", strings.TrimSpace(sql), err, constraint)
	}
}
