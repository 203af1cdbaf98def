package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// DayProgress implements annotator.DayStore. What revisions add to the time is paintedSeconds and addedSeconds.
func (s *Store) DayProgress(ctx context.Context, projectID int64, d annotator.Day, user *int64) ([]annotator.DayProgress, error) {
	all, err := list(ctx, s, pgx.RowToStructByPos[annotator.DayProgress], `
		WITH submitted AS (
			SELECT e.author_id AS who, count(DISTINCT e.task_id) AS n FROM edits e JOIN tasks t ON t.id = e.task_id
			WHERE e.submitted_at >= $2 AND e.submitted_at < $3 AND t.project_id = $1 GROUP BY 1
		), judged AS (
			SELECT e.author_id AS who, count(*) FILTER (WHERE r.verdict = 'reject') AS returned, count(*) FILTER (WHERE r.verdict = 'approve') AS approved
			FROM reviews r JOIN edits e ON e.id = r.edit_id JOIN tasks t ON t.id = e.task_id
			WHERE r.created_at >= $2 AND r.created_at < $3 AND r.taken_back_at IS NULL AND t.project_id = $1 GROUP BY 1
		), revisions AS (
			SELECT e.author_id AS who, e.created_at, e.seconds, lag(e.seconds, 1, 0) OVER (PARTITION BY e.task_id, e.author_id ORDER BY e.revision) AS before
			FROM (SELECT e.task_id, e.author_id, e.revision, e.created_at, `+paintedSeconds+` AS seconds
				FROM edits e WHERE task_id IN (
					SELECT e.task_id FROM edits e JOIN tasks t ON t.id = e.task_id WHERE e.created_at >= $2 AND e.created_at < $3 AND t.project_id = $1)) e
		), spent AS (
			SELECT who, sum(`+addedSeconds+`) AS seconds
			FROM revisions WHERE created_at >= $2 AND created_at < $3 GROUP BY 1
		)
		SELECT u.id, u.name, coalesce(a.n, 0)::int, (coalesce(c.seconds, 0) / 60)::float8, coalesce(b.returned, 0)::int, coalesce(b.approved, 0)::int
		FROM users u LEFT JOIN submitted a ON a.who = u.id LEFT JOIN judged b ON b.who = u.id LEFT JOIN spent c ON c.who = u.id
		WHERE NOT u.generator AND (a.n > 0 OR b.who IS NOT NULL OR c.seconds > 0) AND ($4::bigint IS NULL OR u.id = $4)
		ORDER BY 3 DESC, 4 DESC, lower(u.name), u.id`, projectID, d.From, d.To, user)
	return all, wrap(err, "what people did in project %d", projectID)
}
