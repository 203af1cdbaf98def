package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// LeftOut are the tables of the studio's schema whose rows a backup does not have, each with the reason.
var LeftOut = map[string]string{
	"goose_db_version":   "says which tables there are, and is written when a backup's tables are made",
	"river_migration":    "likewise, of River's tables",
	"sessions":           "who holds a backup could go on as somebody who was signed in: everybody signs in again",
	"user_sessions":      "likewise: whose sessions those were",
	"setup_link":         "a server that nobody can sign in to prints a new one when it starts",
	"river_leader":       "which worker leads; another one is elected within seconds",
	"river_client":       "workers that run now",
	"river_client_queue": "likewise",
	"river_notification": "messages between workers that run now",
}

// ErrNoStudio is returned for a database without a studio's tables.
var ErrNoStudio = errors.New("the database has no studio's tables")

// SavedTable is a table of a backup.
type SavedTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"` // in the order of a row's fields
	Rows    int64    `json:"rows"`
}

// SavedSequence is where numbers of rows go on.
type SavedSequence struct {
	Name   string `json:"name"`
	Last   int64  `json:"last"`
	Called bool   `json:"called"` // Last was given away
}

// Schema says what made the tables of a database.
type Schema struct {
	Studio int64 `json:"studio"` // the last of the studio's migrations
	River  int64 `json:"river"`  // the last of River's
}

// Snapshot is a studio's database as it is at one moment, whatever changes meanwhile. Until Close, blobs that it names are not removed.
// It is for one goroutine.
type Snapshot struct {
	Schema       Schema
	Installation string // the studio's own id
	Tables       []SavedTable
	Sequences    []SavedSequence
	Bytes        int64 // of all tables on the server's disk: about what will be copied

	conn *pgx.Conn
	tx   pgx.Tx
}

// textForm makes the text of rows the same whatever a server or a role is set to, and lets a long copy be long.
const textForm = `SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET client_encoding = 'UTF8'`

// connectAs opens a connection of its own, outside a pool, for long copies.
func connectAs(ctx context.Context, dsn, name string) (*pgx.Conn, error) {
	config, err := poolConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.RuntimeParams["application_name"] = name
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("reaching the database: %w", unavailable(err))
	}
	if _, err := conn.Exec(ctx, textForm, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// OpenSnapshot begins a backup of a database, which is not migrated first: a backup is what an upgrade can be taken back to. A schema
// that is newer than this program is refused, since it may name blobs that this one does not know of.
func OpenSnapshot(ctx context.Context, dsn string) (*Snapshot, error) {
	conn, err := connectAs(ctx, dsn, backupApplication)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{conn: conn}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(wrap(err, "reading the database"), s.Close())
	}
	return s, nil
}

func (s *Snapshot) open(ctx context.Context) error {
	// Before the snapshot: a sweep that asks from now on leaves the blobs, and one that has asked already leaves those of the snapshot.
	if _, err := s.conn.Exec(ctx, `SELECT pg_advisory_lock_shared($1)`, int64(blobsLock)); err != nil {
		return err
	}
	// A migration that ran between the snapshot and the locks on the tables would leave other tables than those that are listed.
	if _, err := s.conn.Exec(ctx, `SELECT pg_advisory_lock_shared($1)`, int64(migrationLock)); err != nil {
		return err
	}
	tx, err := s.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	s.tx = tx
	if err := s.look(ctx); err != nil {
		return err
	}
	names := make([]string, len(s.Tables))
	for i, t := range s.Tables {
		names[i] = pgx.Identifier{t.Name}.Sanitize()
	}
	if _, err := tx.Exec(ctx, `LOCK TABLE `+strings.Join(names, ", ")+` IN ACCESS SHARE MODE`); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `SELECT pg_advisory_unlock_shared($1)`, int64(migrationLock))
	return err
}

// look reads what there is.
func (s *Snapshot) look(ctx context.Context) error {
	if there, err := hasStudio(ctx, s.tx); err != nil {
		return err
	} else if !there {
		return ErrNoStudio
	}
	if err := checkSchema(ctx, s.tx); err != nil {
		return err
	}
	var err error
	if s.Schema, err = schemaOf(ctx, s.tx); err != nil {
		return err
	}
	if err := s.tx.QueryRow(ctx, `SELECT id::text FROM installation`).Scan(&s.Installation); err != nil {
		return err
	}
	if s.Tables, s.Bytes, err = tablesOf(ctx, s.tx); err != nil {
		return err
	}
	s.Tables = slices.DeleteFunc(s.Tables, func(t SavedTable) bool { return LeftOut[t.Name] != "" })
	s.Sequences, err = sequencesOf(ctx, s.tx)
	return err
}

// querying is a connection or a transaction that is asked for one row.
type querying interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// hasStudio reports whether the studio's tables are there.
func hasStudio(ctx context.Context, q querying) (studio bool, err error) {
	err = q.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL AND to_regclass('installation') IS NOT NULL`).Scan(&studio)
	return studio, wrap(err, "reading the database")
}

// schemaOf reads which migrations were applied.
func schemaOf(ctx context.Context, tx pgx.Tx) (v Schema, err error) {
	err = tx.QueryRow(ctx, `SELECT (SELECT max(version_id) FROM goose_db_version WHERE is_applied), (SELECT max(version) FROM river_migration WHERE line = 'main')`).Scan(&v.Studio, &v.River)
	return v, err
}

// tablesOf lists the tables of the schema that a connection works in, with the columns that are stored, and their bytes.
func tablesOf(ctx context.Context, tx pgx.Tx) (tables []SavedTable, bytes int64, err error) {
	rows, err := tx.Query(ctx, `
		SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum), pg_table_size(c.oid)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		GROUP BY c.oid ORDER BY c.relname`)
	if err != nil {
		return nil, 0, err
	}
	var t SavedTable
	var size int64
	_, err = pgx.ForEachRow(rows, []any{&t.Name, &t.Columns, &size}, func() error {
		tables, bytes = append(tables, SavedTable{Name: t.Name, Columns: slices.Clone(t.Columns)}), bytes+size
		return nil
	})
	return tables, bytes, err
}

// sequencesOf lists the sequences of the schema, except those of tables that are left out.
func sequencesOf(ctx context.Context, tx pgx.Tx) ([]SavedSequence, error) {
	rows, err := tx.Query(ctx, `
		SELECT s.relname, coalesce(t.relname, '') FROM pg_class s
		LEFT JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
		LEFT JOIN pg_class t ON t.oid = d.refobjid
		WHERE s.relnamespace = current_schema()::regnamespace AND s.relkind = 'S' ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	var all []SavedSequence
	var name, table string
	if _, err := pgx.ForEachRow(rows, []any{&name, &table}, func() error {
		if LeftOut[table] == "" {
			all = append(all, SavedSequence{Name: name})
		}
		return nil
	}); err != nil {
		return nil, err
	}
	for i := range all {
		if err := tx.QueryRow(ctx, `SELECT last_value, is_called FROM `+pgx.Identifier{all[i].Name}.Sanitize()).Scan(&all[i].Last, &all[i].Called); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Copy writes the rows of a table as PostgreSQL's COPY does in its text format, a row a line, and notes how many there are.
func (s *Snapshot) Copy(ctx context.Context, table *SavedTable, w io.Writer) error {
	tag, err := s.conn.PgConn().CopyTo(ctx, w, fmt.Sprintf(`COPY %s TO STDOUT`, columnsOf(*table)))
	table.Rows = tag.RowsAffected()
	if away(err) {
		err = unavailable(err)
	}
	return wrap(err, "copying the table %s", table.Name)
}

// columnsOf is a table with its columns, as COPY names them.
func columnsOf(t SavedTable) string {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = pgx.Identifier{c}.Sanitize()
	}
	return pgx.Identifier{t.Name}.Sanitize() + " (" + strings.Join(columns, ", ") + ")"
}

// Blobs returns the references to blobs of the snapshot's rows.
func (s *Snapshot) Blobs(ctx context.Context) ([]BlobUse, error) {
	rows, err := s.tx.Query(ctx, blobUses(s.Schema.Studio))
	if err != nil {
		return nil, wrap(err, "listing the blobs in use")
	}
	uses, err := pgx.CollectRows(rows, pgx.RowToStructByPos[BlobUse])
	return uses, wrap(err, "listing the blobs in use")
}

// End ends the transaction once all rows are read, so that the database may forget what has changed since. Blobs are still kept.
func (s *Snapshot) End(ctx context.Context) error { return s.tx.Commit(ctx) }

// Holds reports whether blobs were kept until now: not, if the connection broke.
func (s *Snapshot) Holds(ctx context.Context) bool { return s.conn.Ping(ctx) == nil }

// Close ends the connection, and with it the transaction and the lock.
func (s *Snapshot) Close() error { return s.conn.Close(context.Background()) }
