package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// CountTaken implements annotator.CheckStore.
func (s *Store) CountTaken(ctx context.Context, projectID, userID int64) (int, error) {
	n, err := one(ctx, s, pgx.RowTo[int], `SELECT count(*) FROM tasks WHERE author_id = $2 AND project_id = $1`, projectID, userID)
	return n, wrap(err, "counting what user %d was given in project %d", userID, projectID)
}

// InsertCheck implements annotator.CheckStore. A revision that is submitted again has its score already.
func (s *Store) InsertCheck(ctx context.Context, editID int64, c annotator.CheckScore) error {
	_, err := s.exec(ctx, `INSERT INTO check_scores (edit_id, inside, area, pointing) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		editID, min(1, max(0, c.Inside)), min(1, max(0, c.Area)), c.Pointing)
	return wrap(err, "the score of edit %d", editID)
}
