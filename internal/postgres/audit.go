package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// InsertAudit implements annotator.AuditStore.
func (s *Store) InsertAudit(ctx context.Context, projectID *int64, actor annotator.User, e annotator.AuditEntry) error {
	_, err := s.exec(ctx, `
		INSERT INTO audit (at, project_id, actor_id, actor, action, subject, detail)
		VALUES ($1, $2, nullif($3::bigint, 0), $4, $5, $6, $7)`,
		e.At, projectID, actor.ID, actor.Name, e.Action, e.Subject, e.Detail)
	return wrap(err, "writing the audit trail (%s of %s)", e.Action, e.Subject)
}

// AuditEntries implements annotator.AuditStore.
func (s *Store) AuditEntries(ctx context.Context, projectID, before int64, limit int) ([]annotator.AuditEntry, error) {
	entries, err := list(ctx, s, pgx.RowToStructByName[annotator.AuditEntry], `
		SELECT id, at, actor, action, subject, detail FROM audit
		WHERE project_id = $1 AND ($2::bigint = 0 OR id < $2) ORDER BY id DESC LIMIT $3`, projectID, before, limit)
	return entries, wrap(err, "reading the audit trail of project %d", projectID)
}
