package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// RowsRead is how many rows of each table the store's connection has read since its statistics were written down last.
func (s *Store) RowsRead(ctx context.Context) (map[string]int, error) {
	rows, err := s.q.Query(ctx, `SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables`)
	if err != nil {
		return nil, err
	}
	read := map[string]int{}
	var table string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&table, &n}, func() error {
		read[table] += n
		return nil
	})
	return read, err
}

// StandStill makes PostgreSQL end a transaction at once when it stands still, and returns the number of its process there.
func StandStill(ctx context.Context, tx annotator.Store) (pid int, err error) {
	of := tx.(*Store)
	if _, err := of.q.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 1`); err != nil {
		return 0, err
	}
	return one(ctx, of, pgx.RowTo[int], `SELECT pg_backend_pid()`)
}

// PersonalColumns are the columns by which rows name people.
func PersonalColumns() (all []string) {
	for _, of := range personal {
		all = append(all, of.by...)
	}
	return all
}

// NextChunksOf is NextChunks with pages of step images.
func (s *Store) NextChunksOf(ctx context.Context, jobID int64, step int) error {
	return s.nextChunks(ctx, jobID, step)
}

// NamesLike is what a search is looked for by.
var NamesLike = namesLike
