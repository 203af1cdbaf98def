package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// InsertAudit implements annotator.AuditStore. In the same transaction it queues the line for the webhooks that take it.
func (s *Store) InsertAudit(ctx context.Context, projectID *int64, actor annotator.User, e annotator.AuditEntry) error {
	err := s.inTx(ctx, func(tx *Store) error {
		deliveries, err := list(ctx, tx, pgx.RowTo[int64], `
			WITH line AS (
				INSERT INTO audit (at, project_id, actor_id, actor, action, subject, detail)
				VALUES ($1, $2, nullif($3::bigint, 0), $4, $5, $6, $7) RETURNING id
			)
			INSERT INTO webhook_deliveries (webhook_id, audit_id, created_at)
			SELECT w.id, line.id, $1 FROM line, webhooks w
			WHERE w.off_at IS NULL AND (w.project_id IS NULL OR w.project_id = $2)
				AND CASE WHEN $5 = $9 THEN 'webhook ' || w.id = $6 ELSE w.kinds = '{}' OR w.kinds && $8 END
			RETURNING id`,
			e.At, projectID, actor.ID, actor.Name, e.Action, e.Subject, e.Detail, texts(annotator.KindsOf(e.Action)), annotator.WebhookTest)
		if err != nil {
			return err
		}
		return tx.enqueueDeliveries(ctx, deliveries)
	})
	return wrap(err, "writing the audit trail (%s of %s)", e.Action, e.Subject)
}

// subjectName is the column of a line a's person, if it is about one. Names are looked up as they are now: who was removed has none left.
const subjectName = `coalesce(CASE WHEN a.subject ~ '^user [1-9][0-9]{0,17}$' THEN
	(SELECT u.name || CASE WHEN EXISTS (SELECT FROM users o WHERE o.id <> u.id AND lower(o.name) = lower(u.name)) THEN ' (' || a.subject || ')' ELSE '' END
		FROM users u WHERE u.id = substr(a.subject, 6)::bigint) END, '') AS subject_name`

// entryColumns are those of annotator.AuditEntry.
const entryColumns = `a.id, a.at, a.actor, a.action, a.subject, a.detail, ` + subjectName

// trailOf selects lines of the whole studio's trail, with the conditions of the filter's fields that are set, so that their indexes are used.
func trailOf(f annotator.TrailFilter) (sql string, args []any) {
	var where []string
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	if f.Person != 0 {
		add(`(a.actor_id = ? OR a.subject = ?)`, f.Person, fmt.Sprintf("user %d", f.Person))
	}
	if actions := f.Actions(); actions != nil {
		add(`a.action LIKE ANY (?)`, actions)
	}
	if f.Project != "" {
		add(`(p.slug = ? OR a.project_id IS NULL AND a.subject = ?)`, f.Project, "project "+f.Project)
	}
	if !f.Since.IsZero() {
		add(`a.at >= ?`, f.Since)
	}
	if !f.Until.IsZero() {
		add(`a.at < ?`, f.Until)
	}
	return `SELECT a.id, a.at, coalesce(a.actor_id, 0) AS actor_id, a.actor, coalesce(p.slug, '') AS project, a.action, a.subject, a.detail, ` + subjectName + `
		FROM audit a LEFT JOIN projects p ON p.id = a.project_id WHERE ` + strings.Join(append(where, "true"), " AND "), args
}

// TrailBefore implements annotator.AuditStore.
func (s *Store) TrailBefore(ctx context.Context, f annotator.TrailFilter, before int64, limit int) ([]annotator.TrailLine, error) {
	sql, args := trailOf(f)
	if before > 0 {
		sql += fmt.Sprintf(" AND a.id < %d", before)
	}
	lines, err := list(ctx, s, pgx.RowToStructByName[annotator.TrailLine], fmt.Sprintf("%s ORDER BY a.id DESC LIMIT %d", sql, limit), args...)
	return lines, wrap(err, "reading the trail")
}

// TrailAfter implements annotator.AuditStore.
func (s *Store) TrailAfter(ctx context.Context, f annotator.TrailFilter, after int64, limit int) ([]annotator.TrailLine, error) {
	sql, args := trailOf(f)
	lines, err := list(ctx, s, pgx.RowToStructByName[annotator.TrailLine], fmt.Sprintf("%s AND a.id > %d ORDER BY a.id LIMIT %d", sql, after, limit), args...)
	return lines, wrap(err, "reading the trail")
}

// AuditEntries implements annotator.AuditStore.
func (s *Store) AuditEntries(ctx context.Context, projectID, before int64, limit int) ([]annotator.AuditEntry, error) {
	entries, err := list(ctx, s, pgx.RowToStructByName[annotator.AuditEntry], `
		SELECT `+entryColumns+` FROM audit a
		WHERE a.project_id = $1 AND ($2::bigint = 0 OR a.id < $2) ORDER BY a.id DESC LIMIT $3`, projectID, before, limit)
	return entries, wrap(err, "reading the audit trail of project %d", projectID)
}
