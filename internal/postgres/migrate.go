package postgres

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/abn-studio/studio/migrations"
)

// migrationLock is the advisory lock that lets one process migrate while others wait for it.
const migrationLock = 0x61626e_73747564 // "abnstud"

// Migrate brings the database to the newest schema: the studio's own tables and River's. Several processes may call it at once. A
// database that a newer studio has migrated is left alone: *SchemaError.
func Migrate(ctx context.Context, dsn string, log *slog.Logger) error {
	return migrateAs(ctx, dsn, "", log)
}

// migrateAs migrates under a name for PostgreSQL; "": that of the address, or the usual one.
func migrateAs(ctx context.Context, dsn, name string, log *slog.Logger) error {
	config, err := poolConfig(dsn)
	if err != nil {
		return err
	}
	if name != "" {
		config.ConnConfig.RuntimeParams["application_name"] = name
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	defer pool.Close()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("migrating: %w", unavailable(err))
	}
	// The lock belongs to the connection. That is closed and not returned to the pool, so that the lock ends with this function.
	locked := conn.Hijack()
	defer locked.Close(context.WithoutCancel(ctx))
	if _, err := locked.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("migrating: waiting for another migration: %w", err)
	}

	if err := checkSchema(ctx, pool); err != nil {
		return err
	}
	return migrateTo(ctx, pool, nil, log)
}

// migrateTo applies the migrations that are missing in the schema that a pool works in: all, or those up to a backup's.
func migrateTo(ctx context.Context, pool *pgxpool.Pool, to *Schema, log *slog.Logger) error {
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS, goose.WithSlog(log))
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	up, options := provider.Up, &rivermigrate.MigrateOpts{}
	if to != nil {
		up = func(ctx context.Context) ([]*goose.MigrationResult, error) { return provider.UpTo(ctx, to.Studio) }
		options.TargetVersion = int(to.River)
	}
	done, err := up(ctx)
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	river, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: log})
	if err != nil {
		return fmt.Errorf("migrating River's tables: %w", err)
	}
	result, err := river.Migrate(ctx, rivermigrate.DirectionUp, options)
	if err != nil {
		return fmt.Errorf("migrating River's tables: %w", err)
	}
	if n := len(done) + len(result.Versions); n > 0 {
		log.InfoContext(ctx, "the database's schema is up to date", "steps", n)
	}
	return nil
}
