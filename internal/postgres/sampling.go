package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// SamplingSeed implements annotator.SamplingStore.
func (s *Store) SamplingSeed(ctx context.Context, projectID int64) (string, error) {
	seed, err := one(ctx, s, pgx.RowTo[string], `SELECT sampling_seed::text FROM projects WHERE id = $1`, projectID)
	return seed, wrap(err, "the seed of project %d", projectID)
}

// AuthorsWork implements annotator.SamplingStore.
func (s *Store) AuthorsWork(ctx context.Context, projectID, userID int64) ([]annotator.AuthorWork, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (a annotator.AuthorWork, err error) {
		err = row.Scan(&a.UserID, &a.Name, &a.Approved, &a.SentBack, &a.Reviewed, &a.Passed)
		return a, err
	}, `
		WITH judged AS (
			SELECT e.author_id AS author, r.id, r.verdict, r.rule, coalesce(d.why, '') AS why, j.generator
			FROM reviews r JOIN edits e ON e.id = r.edit_id JOIN tasks t ON t.id = e.task_id JOIN users j ON j.id = r.reviewer_id LEFT JOIN draws d ON d.edit_id = e.id
			WHERE t.project_id = $1 AND r.taken_back_at IS NULL AND e.corrects IS NULL AND ($2 = 0 OR e.author_id = $2)
		), back AS (
			SELECT author, max(id) AS id FROM judged WHERE verdict = $3 AND why = ANY ($5) GROUP BY author
		)
		SELECT u.id, u.name, coalesce(x.approved, 0), b.id IS NOT NULL, coalesce(x.reviewed, 0), coalesce(x.passed, 0)
		FROM (SELECT DISTINCT e.author_id FROM edits e JOIN tasks t ON t.id = e.task_id WHERE t.project_id = $1 AND e.submitted_at IS NOT NULL AND e.corrects IS NULL AND ($2 = 0 OR e.author_id = $2)) a
		JOIN users u ON u.id = a.author_id AND NOT u.generator
		LEFT JOIN back b ON b.author = u.id
		LEFT JOIN LATERAL (
			SELECT count(*) FILTER (WHERE g.verdict = $4 AND g.rule = '' AND NOT g.generator AND (b.id IS NULL OR g.id > b.id)) AS approved,
				count(*) FILTER (WHERE g.rule = '' AND NOT g.generator) AS reviewed, count(*) FILTER (WHERE g.rule <> '') AS passed
			FROM judged g WHERE g.author = u.id
		) x ON true
		ORDER BY lower(u.name), u.id`,
		projectID, userID, annotator.VerdictReject, annotator.VerdictApprove, texts([]annotator.DrawWhy{annotator.DrawDrawn, annotator.DrawSentBack, annotator.DrawAgain}))
	return all, wrap(err, "what the authors of project %d did", projectID)
}

// InsertDraw implements annotator.SamplingStore.
func (s *Store) InsertDraw(ctx context.Context, d annotator.Draw) error {
	_, err := s.exec(ctx, `INSERT INTO draws (edit_id, share, place, why) VALUES ($1, $2, $3, $4)`, d.EditID, d.Share, d.Place, d.Why)
	return wrap(err, "drawing edit %d", d.EditID)
}
