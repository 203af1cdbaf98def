package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"

	"github.com/abn-studio/studio/migrations"
)

// SchemaError is the error of a database whose schema is newer than this program. The program neither reads nor writes it, since it
// cannot know what newer columns mean.
type SchemaError struct{ Database, Program int64 }

func (e *SchemaError) Error() string {
	return fmt.Sprintf("the database's schema has version %d, and this studio knows versions up to %d: a newer studio has migrated it. "+
		"Start that one, or restore a backup from before the migration", e.Database, e.Program)
}

// SchemaVersion is the newest schema this program knows: the number of its last migration.
var SchemaVersion = sync.OnceValue(func() int64 {
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(files) == 0 {
		panic(fmt.Sprintf("no migrations are embedded: %v", err))
	}
	version, err := goose.NumericComponent(path.Base(files[len(files)-1]))
	if err != nil {
		panic(fmt.Sprintf("migrations: %v", err))
	}
	return version
})

// CheckSchema returns a *SchemaError if a newer studio has migrated the database, which may happen while this one runs.
func (s *Store) CheckSchema(ctx context.Context) error {
	return s.patiently(ctx, func(ctx context.Context) error { return checkSchema(ctx, s.pool) })
}

func checkSchema(ctx context.Context, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) error {
	var version int64
	err := q.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "42P01": // undefined_table: it has not been migrated yet
		return nil
	case err != nil:
		return fmt.Errorf("reading the version of the database's schema: %w", err)
	case version > SchemaVersion():
		return &SchemaError{Database: version, Program: SchemaVersion()}
	}
	return nil
}
