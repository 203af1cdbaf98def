package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

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
