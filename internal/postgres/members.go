package postgres

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// projectOf finds the project of a thing, $2, by its kind.
var projectOf = map[annotator.ThingKind]string{
	annotator.ThingProject: `SELECT id FROM projects WHERE slug = $2 AND deleted_at IS NULL`,
	annotator.ThingImage:   `SELECT project_id FROM images WHERE id = $2`,
	annotator.ThingTask:    `SELECT project_id FROM tasks WHERE id = $2`,
	annotator.ThingEdit:    `SELECT k.project_id FROM edits e JOIN tasks k ON k.id = e.task_id WHERE e.id = $2`,
	annotator.ThingRound:   `SELECT project_id FROM rounds WHERE id = $2`,
	annotator.ThingVersion: `SELECT project_id FROM versions WHERE id = $2`,
	annotator.ThingUpload:  `SELECT project_id FROM uploads WHERE id = $2`,
	annotator.ThingVerdict: `SELECT project_id FROM label_verdicts WHERE id = $2`,
}

// MemberRole implements annotator.MemberStore.
func (s *Store) MemberRole(ctx context.Context, userID int64, of annotator.Thing) (annotator.Role, error) {
	project, known := projectOf[of.Kind]
	if !known {
		return "", fmt.Errorf("the project of %s: the database does not know such things", of)
	}
	var key any = of.ID
	if of.Kind == annotator.ThingProject {
		key = of.Word
	}
	role, err := one(ctx, s, pgx.RowTo[annotator.Role], `
		SELECT m.role FROM memberships m JOIN projects p ON p.id = m.project_id AND p.deleted_at IS NULL
		WHERE m.user_id = $1 AND m.project_id = (`+project+`)`, userID, key)
	return role, wrap(err, "user %d in the project of %s", userID, of)
}

// Members implements annotator.MemberStore.
func (s *Store) Members(ctx context.Context, projectID int64) ([]annotator.Member, error) {
	all, err := list(ctx, s, pgx.RowToStructByPos[annotator.Member], `
		SELECT u.id, u.name, m.role, m.added_at, coalesce(b.name, ''), u.disabled
		FROM memberships m JOIN users u ON u.id = m.user_id LEFT JOIN users b ON b.id = m.added_by
		WHERE m.project_id = $1 ORDER BY array_position(ARRAY['lead', 'reviewer', 'annotator'], m.role), lower(u.name), u.id`, projectID)
	return all, wrap(err, "listing the members of project %d", projectID)
}

// Memberships implements annotator.MemberStore.
func (s *Store) Memberships(ctx context.Context, userID int64) ([]annotator.Membership, error) {
	all, err := list(ctx, s, pgx.RowToStructByPos[annotator.Membership], `
		SELECT p.slug, p.name, m.role FROM memberships m JOIN projects p ON p.id = m.project_id AND p.deleted_at IS NULL
		WHERE m.user_id = $1 ORDER BY lower(p.name), p.id`, userID)
	return all, wrap(err, "listing the projects of user %d", userID)
}

// SetMember implements annotator.MemberStore. The lock on the person makes it wait for their removal, after which they join nothing.
func (s *Store) SetMember(ctx context.Context, projectID, userID int64, role annotator.Role, by *int64, at time.Time) error {
	n, err := s.exec(ctx, `
		INSERT INTO memberships (project_id, user_id, role, added_at, added_by)
		SELECT $1, id, $3, $5, $4 FROM (SELECT id FROM users WHERE id = $2 AND removed_at IS NULL AND NOT generator FOR KEY SHARE) u
		ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role`, projectID, userID, role, by, at)
	return changed(n, err, "making user %d a member of project %d", userID, projectID)
}

// JoinEverybody implements annotator.MemberStore.
func (s *Store) JoinEverybody(ctx context.Context, projectID int64, by *int64, at time.Time) (int, error) {
	n, err := s.exec(ctx, `
		INSERT INTO memberships (project_id, user_id, role, added_at, added_by)
		SELECT $1, id, CASE role WHEN 'admin' THEN 'lead' ELSE role END, $3, $2
		FROM (SELECT id, role FROM users WHERE removed_at IS NULL AND NOT generator ORDER BY id FOR KEY SHARE) u
		ON CONFLICT DO NOTHING`, projectID, by, at)
	return int(n), wrap(err, "making everybody a member of project %d", projectID)
}

// RemoveMember implements annotator.MemberStore.
func (s *Store) RemoveMember(ctx context.Context, projectID, userID int64) error {
	n, err := s.exec(ctx, `DELETE FROM memberships WHERE project_id = $1 AND user_id = $2`, projectID, userID)
	return changed(n, err, "member %d of project %d", userID, projectID)
}

// FreeMember implements annotator.MemberStore. Nothing of a closed project changes: its leases have ended, and what is assigned is looked at
// when it is opened again.
func (s *Store) FreeMember(ctx context.Context, projectID, userID int64, at time.Time) error {
	err := s.inTx(ctx, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `UPDATE tasks SET assigned_to = NULL, assigned_at = NULL WHERE project_id = $1 AND assigned_to = $2 AND `+inOpenProject, projectID, userID); err != nil {
			return err
		}
		tasks, err := list(ctx, tx, scanTask, `
			SELECT `+taskColumns+` FROM `+taskTables+` WHERE t.project_id = $1 AND (t.author_id = $2 OR t.reviewer_id = $2) AND t.`+inOpenProject+`
			ORDER BY t.id FOR UPDATE OF t`, projectID, userID)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if freed := t.Without(userID, at); !reflect.DeepEqual(freed, t) {
				if err := tx.UpdateTask(ctx, freed); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return wrap(err, "giving back what user %d has in project %d", userID, projectID)
}

// ProjectsToJoin implements annotator.MemberStore.
func (s *Store) ProjectsToJoin(ctx context.Context) ([]annotator.Project, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (p annotator.Project, err error) {
		err = row.Scan(&p.ID, &p.Slug)
		return p, err
	}, `SELECT id, slug FROM projects WHERE deleted_at IS NULL ORDER BY id FOR KEY SHARE`)
	return all, wrap(err, "listing the projects that somebody may join")
}
