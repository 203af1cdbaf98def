package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// paintedSeconds is how many seconds the author of an edit e had painted since they opened the task, as its provenance says. Words of a
// program count for nothing.
const paintedSeconds = `CASE WHEN json_typeof(e.provenance->'seconds') = 'number' THEN least(86400, greatest(0, (e.provenance->>'seconds')::numeric))::float8 ELSE 0 END`

// addedSeconds is what a revision adds to the one before it by the same author: all of it where the task was opened again.
const addedSeconds = `CASE WHEN before <= seconds THEN seconds - before ELSE seconds END`

// Work implements annotator.WorkStore. What a program made or adopted is nobody's work, and what a rule approved nobody
// judged. Of several scores of a check the first counts: the map that was made before anybody commented on it.
func (s *Store) Work(ctx context.Context, projectID int64, user *int64, checkedBefore time.Time) ([]annotator.PersonWork, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (w annotator.PersonWork, err error) {
		var approved, checks, pointed, pointing int
		var inside, area *float64
		if err = row.Scan(&w.UserID, &w.Name, &w.Images, &w.Minutes, &w.Judged, &approved, &checks, &inside, &area, &pointed, &pointing); err != nil {
			return w, err
		}
		if w.Judged > 0 {
			rate := float64(approved) / float64(w.Judged)
			w.Rate = &rate
		}
		if checks > 0 {
			w.Checks = &annotator.Checks{Images: checks, Inside: *inside, Area: *area, Pointed: pointed, Pointing: pointing}
		}
		return w, nil
	}, `
		WITH own AS (
			SELECT e.id, e.task_id, e.author_id AS who, t.image_id, e.revision, e.created_at, e.submitted_at, `+paintedSeconds+` AS seconds
			FROM edits e JOIN tasks t ON t.id = e.task_id WHERE t.project_id = $1 AND e.corrects IS NULL AND ($2::bigint IS NULL OR e.author_id = $2)
		), submitted AS (
			SELECT who, count(DISTINCT image_id) AS images FROM own WHERE submitted_at IS NOT NULL GROUP BY 1
		), added AS (
			SELECT who, task_id, seconds, lag(seconds, 1, 0) OVER (PARTITION BY task_id, who ORDER BY revision) AS before FROM own
		), spent AS (
			SELECT who, avg(seconds) / 60 AS minutes FROM (
				SELECT who, task_id, sum(`+addedSeconds+`) AS seconds FROM added a
				WHERE EXISTS (SELECT FROM own o WHERE o.task_id = a.task_id AND o.who = a.who AND o.submitted_at IS NOT NULL) GROUP BY 1, 2) m
			WHERE seconds > 0 GROUP BY 1
		), judged AS (
			SELECT o.who, count(*) AS n, count(*) FILTER (WHERE r.verdict = 'approve') AS approved
			FROM own o JOIN reviews r ON r.edit_id = o.id WHERE r.taken_back_at IS NULL AND r.rule = '' GROUP BY 1
		), checked AS (
			SELECT who, count(*) AS n, avg(inside) AS inside, avg(area) AS area, count(pointing) AS pointed, count(*) FILTER (WHERE pointing) AS pointing
			FROM (SELECT DISTINCT ON (o.who, o.image_id) o.who, c.inside, c.area, c.pointing FROM own o JOIN check_scores c ON c.edit_id = o.id WHERE o.created_at < $3 ORDER BY o.who, o.image_id, o.id) c GROUP BY 1
		)
		SELECT u.id, u.name, s.images::int, p.minutes::float8, coalesce(j.n, 0)::int, coalesce(j.approved, 0)::int,
			coalesce(c.n, 0)::int, c.inside::float8, c.area::float8, coalesce(c.pointed, 0)::int, coalesce(c.pointing, 0)::int
		FROM submitted s JOIN users u ON u.id = s.who LEFT JOIN spent p ON p.who = u.id LEFT JOIN judged j ON j.who = u.id LEFT JOIN checked c ON c.who = u.id
		WHERE NOT u.generator ORDER BY 3 DESC, lower(u.name), u.id`, projectID, user, checkedBefore)
	return all, wrap(err, "what people have done in project %d", projectID)
}
