package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// restoringSchema is the PostgreSQL schema in which a backup's tables are made and filled. Nobody else looks there. It takes the place
// of the studio's own schema in one transaction, when all is well.
const restoringSchema = "studio_restoring"

// restoreLock is the advisory lock of a restore: a database has one at a time.
const restoreLock = 0x61626e_72657374 // "abnrest"

// UsedError is the error of a database that a backup is not restored into, since something would be lost.
type UsedError struct{ Reason string }

func (e *UsedError) Error() string { return e.Reason }

// Restore fills a database with a backup. The steps are Load, Upgrade and Commit; before the last of them nobody sees any of it.
type Restore struct {
	pool *pgxpool.Pool // works in restoringSchema
	home string        // the schema that the studio works in
	hold *pgx.Conn     // has the lock, and works in home
	dsn  string
	log  *slog.Logger
}

// BeginRestore begins to restore into a database that has no studio, or one without people and projects. Any other is refused
// (*UsedError), and so is one that a server or a worker is connected to.
func BeginRestore(ctx context.Context, dsn string, log *slog.Logger) (*Restore, error) {
	hold, err := connectAs(ctx, dsn, restoreApplication)
	if err != nil {
		return nil, err
	}
	r := &Restore{hold: hold, dsn: dsn, log: log}
	if err := r.begin(ctx); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	return r, nil
}

// restoreWait is how long a restore waits for another one to end.
const restoreWait = 4 * time.Second

func (r *Restore) begin(ctx context.Context) error {
	var free bool
	for wait := time.Duration(0); !free && wait <= restoreWait; wait += restoreWait / 20 { // the server frees the lock of one that has just ended a little later
		if wait > 0 {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(restoreWait / 20):
			}
		}
		if err := r.hold.QueryRow(ctx, `SELECT pg_try_advisory_lock($1), coalesce(current_schema()::text, '')`, int64(restoreLock)).Scan(&free, &r.home); err != nil {
			return wrap(err, "reading the database")
		}
	}
	switch {
	case !free:
		return &UsedError{"another restore into this database is running: wait until it is over"}
	case r.home == "":
		return &UsedError{"the database has no schema that this role works in: CREATE SCHEMA public, or name another by search_path in the database's address"}
	}
	if err := r.unused(ctx, r.hold); err != nil {
		return err
	}
	name := pgx.Identifier{restoringSchema}.Sanitize()
	if _, err := r.hold.Exec(ctx, `DROP SCHEMA IF EXISTS `+name+` CASCADE; CREATE SCHEMA `+name, pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("making the schema %s (the role needs it: GRANT CREATE ON DATABASE … TO …): %w", restoringSchema, err)
	}
	config, err := poolConfig(r.dsn)
	if err != nil {
		return err
	}
	config.ConnConfig.RuntimeParams["application_name"] = restoreApplication
	config.MaxConns = 4
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, textForm+`; SET search_path = `+name, pgx.QueryExecModeSimpleProtocol)
		return err
	}
	r.pool, err = pgxpool.NewWithConfig(ctx, config)
	return err
}

// leaving is how long a program that has just ended may still be counted as connected.
const leaving = 2 * time.Second

// disconnected returns a *UsedError if a server, a worker or a command is connected.
func (r *Restore) disconnected(ctx context.Context, q querying) error {
	for since := time.Now(); ; {
		var connected int
		var from string
		var cleared string // a transaction sees who was connected when it looked first
		if err := q.QueryRow(ctx, `SELECT pg_stat_clear_snapshot()::text`).Scan(&cleared); err != nil {
			return wrap(err, "looking for servers")
		}
		if err := q.QueryRow(ctx, `
			SELECT count(*)::int, coalesce(string_agg(DISTINCT coalesce(host(client_addr), 'this machine'), ', '), '') FROM pg_stat_activity
			WHERE datname = current_database() AND application_name IN ($1, $2)`, application, backupApplication).Scan(&connected, &from); err != nil {
			return wrap(err, "looking for servers")
		}
		switch {
		case connected == 0:
			return nil
		case time.Since(since) > leaving:
			return &UsedError{fmt.Sprintf("a studio is connected to the database (connections: %d, from %s): stop its server and its workers first", connected, from)}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(leaving / 10):
		}
	}
}

// unused returns a *UsedError if something would be lost, or somebody may be about to write. q works in home.
func (r *Restore) unused(ctx context.Context, q querying) error {
	if err := r.disconnected(ctx, q); err != nil {
		return err
	}
	studio, err := hasStudio(ctx, q)
	if err != nil || !studio {
		return err // Load refuses tables of others that have the names of the studio's
	}
	if err := checkSchema(ctx, q); err != nil {
		return err
	}
	var people, projects int
	if err := q.QueryRow(ctx, `SELECT (SELECT count(*) FROM users)::int, (SELECT count(*) FROM projects)::int`).Scan(&people, &projects); err != nil {
		return wrap(err, "reading the database")
	}
	if people+projects > 0 {
		return &UsedError{fmt.Sprintf("the database has a studio in use (people: %d, projects: %d), which a restore would overwrite: restore into an empty database (another --database) or another data folder (--data)", people, projects)}
	}
	return nil
}

// Load makes the tables as the release had them that the backup is of, and fills them. rows writes the rows of a table, as Snapshot.Copy
// wrote them. Tables that the studio's migrations do not make were somebody else's: they are passed over and returned by their names.
func (r *Restore) Load(ctx context.Context, schema Schema, tables []SavedTable, sequences []SavedSequence, rows func(t SavedTable) (io.ReadCloser, error)) (foreign []string, err error) {
	if schema.Studio > SchemaVersion() {
		return nil, &SchemaError{Database: schema.Studio, Program: SchemaVersion()}
	}
	if err := migrateTo(ctx, r.pool, &schema, slog.New(slog.DiscardHandler)); err != nil {
		return nil, wrap(err, "making the tables of schema %d", schema.Studio)
	}
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		made, _, err := tablesOf(ctx, tx)
		if err != nil {
			return err
		}
		keys, err := foreignKeysOf(ctx, tx)
		if err != nil {
			return err
		}
		// Rows of tables that refer to one another have no order in which they could be added, and triggers are about changes that
		// people make. That all references lead to a row is checked when the keys are added again.
		statements := make([]string, 0, len(keys)+2*len(made))
		for _, k := range keys {
			statements = append(statements, fmt.Sprintf(`ALTER TABLE %s DROP CONSTRAINT %s`, k.table, k.name))
		}
		for _, t := range made {
			name := pgx.Identifier{t.Name}.Sanitize()
			statements = append(statements, `ALTER TABLE `+name+` DISABLE TRIGGER USER`)
			if LeftOut[t.Name] == "" {
				statements = append(statements, `TRUNCATE `+name) // what migrations put there
			}
		}
		if _, err := tx.Exec(ctx, strings.Join(statements, ";\n"), pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		for _, t := range tables {
			if LeftOut[t.Name] != "" || !slices.ContainsFunc(made, func(m SavedTable) bool { return m.Name == t.Name }) {
				foreign = append(foreign, t.Name)
				continue
			}
			if err := fill(ctx, tx, t, rows); err != nil {
				return err
			}
		}
		for _, s := range sequences {
			if _, err := tx.Exec(ctx, `SELECT setval(c.oid, $2, $3) FROM pg_class c WHERE c.oid = to_regclass($1) AND c.relkind = 'S'`, pgx.Identifier{s.Name}.Sanitize(), s.Last, s.Called); err != nil {
				return wrap(err, "setting the sequence %s", s.Name)
			}
		}
		statements = statements[:0]
		for _, t := range made {
			statements = append(statements, `ALTER TABLE `+pgx.Identifier{t.Name}.Sanitize()+` ENABLE TRIGGER USER`)
		}
		for _, k := range keys {
			statements = append(statements, fmt.Sprintf(`ALTER TABLE %s ADD CONSTRAINT %s %s`, k.table, k.name, k.definition))
		}
		_, err = tx.Exec(ctx, strings.Join(statements, ";\n"), pgx.QueryExecModeSimpleProtocol)
		return wrap(err, "joining the tables")
	})
	if err != nil {
		return nil, wrap(full(err), "restoring the database")
	}
	return foreign, pgx.BeginFunc(ctx, r.hold, func(tx pgx.Tx) error {
		studio, err := hasStudio(ctx, tx)
		if err != nil || studio {
			return err
		}
		_, there, err := r.objects(ctx, tx)
		if err == nil && len(there) > 0 {
			err = &UsedError{fmt.Sprintf("the database has a %s %s that is not a studio's: restore into a database of its own (--database)", strings.ToLower(there[0].kind), there[0].name)}
		}
		return err
	})
}

func fill(ctx context.Context, tx pgx.Tx, t SavedTable, rows func(t SavedTable) (io.ReadCloser, error)) error {
	reader, err := rows(t)
	if err != nil {
		return err
	}
	defer reader.Close()
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, reader, fmt.Sprintf(`COPY %s FROM STDIN`, columnsOf(t)))
	if err != nil {
		return wrap(err, "filling the table %s", t.Name)
	}
	if tag.RowsAffected() != t.Rows {
		return fmt.Errorf("the table %s has %d rows in the backup, and should have %d", t.Name, tag.RowsAffected(), t.Rows)
	}
	return nil
}

// foreignKey is a constraint by which rows refer to others.
type foreignKey struct{ table, name, definition string } // table and name are quoted

func foreignKeysOf(ctx context.Context, tx pgx.Tx) ([]foreignKey, error) {
	rows, err := tx.Query(ctx, `
		SELECT c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid) FROM pg_constraint c
		WHERE c.connamespace = current_schema()::regnamespace AND c.contype = 'f' AND c.conparentid = 0 ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k foreignKey, err error) {
		return k, row.Scan(&k.table, &k.name, &k.definition)
	})
}

// Upgrade migrates what was loaded to the newest schema.
func (r *Restore) Upgrade(ctx context.Context) error {
	return wrap(migrateTo(ctx, r.pool, nil, slog.New(slog.DiscardHandler)), "migrating what was restored")
}

// Installation is the id of the studio that was loaded.
func (r *Restore) Installation(ctx context.Context) (id string, err error) {
	err = r.pool.QueryRow(ctx, `SELECT id::text FROM installation`).Scan(&id)
	return id, wrap(err, "the studio's own id")
}

// Commit puts what was loaded in the place of the studio's empty tables, if there are any: all at once or not at all. It looks once more
// whether something would be lost.
func (r *Restore) Commit(ctx context.Context) error {
	studio, err := hasStudio(ctx, r.hold)
	if err != nil {
		return err
	}
	if studio { // its objects are then those that were loaded, by their names
		if err := r.unused(ctx, r.hold); err != nil {
			return err
		}
		if err := migrateAs(ctx, r.dsn, restoreApplication, slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
	}
	err = pgx.BeginFunc(ctx, r.hold, func(tx pgx.Tx) error {
		loaded, there, err := r.objects(ctx, tx)
		if err != nil {
			return err
		}
		if err := r.take(ctx, tx, there); err != nil {
			return err
		}
		statements := make([]string, 0, len(loaded)+1)
		for _, o := range loaded {
			statements = append(statements, fmt.Sprintf(`ALTER %s %s SET SCHEMA %s`, o.kind, o.qualified(restoringSchema), pgx.Identifier{r.home}.Sanitize()))
		}
		statements = append(statements, `DROP SCHEMA `+restoringSchema) // it is empty
		_, err = tx.Exec(ctx, strings.Join(statements, ";\n"), pgx.QueryExecModeSimpleProtocol)
		return err
	})
	if err != nil {
		return wrap(full(err), "putting what was restored in its place")
	}
	_, err = r.hold.Exec(ctx, `ANALYZE`) // plans are made of statistics, which a backup does not have
	return wrap(err, "looking through what was restored")
}

// take removes the empty tables that are in the way, once nobody can write to them any more.
func (r *Restore) take(ctx context.Context, tx pgx.Tx, there []object) error {
	if len(there) == 0 {
		return nil
	}
	byKind := map[string][]string{}
	for _, o := range there {
		byKind[o.kind] = append(byKind[o.kind], o.qualified(r.home))
	}
	if _, err := tx.Exec(ctx, `LOCK TABLE `+strings.Join(byKind[aTable], ", ")+` IN ACCESS EXCLUSIVE MODE`); err != nil {
		return err
	}
	if err := r.unused(ctx, tx); err != nil {
		return err
	}
	for _, kind := range []string{aTable, aFunction, aSequence, aType} {
		if len(byKind[kind]) == 0 {
			continue
		}
		if _, err := tx.Exec(ctx, `DROP `+kind+` `+strings.Join(byKind[kind], ", ")); err != nil {
			return err
		}
	}
	return nil
}

// What a schema has of its own. Indexes, constraints, triggers and the sequences of columns follow their tables.
const (
	aTable    = "TABLE"
	aFunction = "FUNCTION"
	aSequence = "SEQUENCE" // of no column
	aType     = "TYPE"
)

// object is something that a schema has.
type object struct {
	kind, name string
	arguments  string // of a function, by their types
}

func (o object) qualified(schema string) string {
	return pgx.Identifier{schema, o.name}.Sanitize() + o.arguments
}

// objects returns what was loaded, and what there is of the same names in home.
func (r *Restore) objects(ctx context.Context, tx pgx.Tx) (loaded, there []object, err error) {
	if loaded, err = objectsOf(ctx, tx, restoringSchema); err != nil {
		return nil, nil, err
	}
	if there, err = objectsOf(ctx, tx, r.home); err != nil {
		return nil, nil, err
	}
	there = slices.DeleteFunc(there, func(o object) bool {
		return !slices.ContainsFunc(loaded, func(l object) bool {
			return l.kind == o.kind && l.name == o.name && strings.ReplaceAll(l.arguments, restoringSchema+".", "") == o.arguments
		})
	})
	return loaded, there, nil
}

func objectsOf(ctx context.Context, tx pgx.Tx, schema string) ([]object, error) {
	rows, err := tx.Query(ctx, `
		SELECT '`+aTable+`', relname::text, '' FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
		UNION ALL SELECT '`+aFunction+`', proname::text, '(' || pg_get_function_identity_arguments(oid) || ')' FROM pg_proc WHERE pronamespace = $1::text::regnamespace
		UNION ALL SELECT '`+aSequence+`', c.relname::text, '' FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace AND c.relkind = 'S'
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))
		UNION ALL SELECT '`+aType+`', typname::text, '' FROM pg_type WHERE typnamespace = $1::text::regnamespace AND typtype IN ('e', 'd')
		ORDER BY 1, 2`, pgx.Identifier{schema}.Sanitize())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (o object, err error) {
		return o, row.Scan(&o.kind, &o.name, &o.arguments)
	})
}

// Close gives up what was not committed, and disconnects.
func (r *Restore) Close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if r.pool != nil {
		r.pool.Close()
		// Where this does not succeed, the next restore does it.
		_, _ = r.hold.Exec(ctx, `DROP SCHEMA IF EXISTS `+restoringSchema+` CASCADE`)
	}
	return r.hold.Close(ctx)
}
