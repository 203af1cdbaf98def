package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// InsertInvitation implements annotator.InvitationStore.
func (s *Store) InsertInvitation(ctx context.Context, i annotator.Invitation, hash []byte) (id int64, err error) {
	err = s.inTx(ctx, func(tx *Store) error {
		id, err = one(ctx, tx, pgx.RowTo[int64], `
			INSERT INTO invitations (hash, email, role, project_id, invited_by, created_at, expires_at)
			VALUES ($1, $2, $3, (SELECT id FROM projects WHERE slug = $4 AND deleted_at IS NULL), nullif($5::bigint, 0), $6, $7) RETURNING id`,
			hash, i.Email, i.Role, i.Within, i.ByID, i.CreatedAt, i.ExpiresAt)
		if err != nil {
			return err
		}
		for _, p := range i.Projects {
			n, err := tx.exec(ctx, `
				INSERT INTO invitation_projects (invitation_id, project_id, role)
				SELECT $1, id, $3 FROM projects WHERE slug = $2 AND deleted_at IS NULL`, id, p.Project, p.Role)
			if err := changed(n, err, "project %q", p.Project); err != nil {
				return err
			}
		}
		return nil
	})
	return id, wrap(err, "adding an invitation")
}

const invitationColumns = `i.id, i.email, i.role, i.created_at, i.expires_at, coalesce(i.invited_by, 0), coalesce(u.name, 'command line'), coalesce(p.slug, '')`

// scanInvitation reads an invitation without the projects that it is to.
func scanInvitation(row pgx.CollectableRow) (i annotator.Invitation, err error) {
	err = row.Scan(&i.ID, &i.Email, &i.Role, &i.CreatedAt, &i.ExpiresAt, &i.ByID, &i.By, &i.Within)
	i.Projects = []annotator.Joining{}
	return i, err
}

// joinings adds to invitations the projects that they are to.
func (s *Store) joinings(ctx context.Context, all []annotator.Invitation) error {
	at := map[int64]int{}
	ids := make([]int64, len(all))
	for n, i := range all {
		at[i.ID], ids[n] = n, i.ID
	}
	type joining struct {
		ID            int64
		Project, Name string
		Role          annotator.Role
	}
	rows, err := list(ctx, s, pgx.RowToStructByPos[joining], `
		SELECT j.invitation_id, p.slug, p.name, j.role FROM invitation_projects j JOIN projects p ON p.id = j.project_id AND p.deleted_at IS NULL
		WHERE j.invitation_id = ANY ($1) ORDER BY lower(p.name), p.id`, ids)
	for _, r := range rows {
		i := &all[at[r.ID]]
		i.Projects = append(i.Projects, annotator.Joining{Project: r.Project, Name: r.Name, Role: r.Role})
	}
	return err
}

// Invitations implements annotator.InvitationStore.
func (s *Store) Invitations(ctx context.Context, within string, now time.Time) ([]annotator.Invitation, error) {
	all, err := list(ctx, s, scanInvitation, `
		SELECT `+invitationColumns+` FROM invitations i LEFT JOIN users u ON u.id = i.invited_by LEFT JOIN projects p ON p.id = i.project_id
		WHERE i.expires_at > $2 AND ($1::text = '' OR p.slug = $1) ORDER BY i.id DESC`, within, now)
	if err == nil {
		err = s.joinings(ctx, all)
	}
	return all, wrap(err, "listing invitations")
}

// LockInvitation implements annotator.InvitationStore.
func (s *Store) LockInvitation(ctx context.Context, hash []byte, now time.Time) (annotator.Invitation, error) {
	i, err := one(ctx, s, scanInvitation, `
		SELECT `+invitationColumns+` FROM invitations i LEFT JOIN users u ON u.id = i.invited_by LEFT JOIN projects p ON p.id = i.project_id
		WHERE i.hash = $1 AND i.expires_at > $2 FOR UPDATE OF i`, hash, now)
	if err != nil {
		return i, wrap(err, "an invitation")
	}
	all := []annotator.Invitation{i}
	err = s.joinings(ctx, all)
	return all[0], wrap(err, "the projects of invitation %d", i.ID)
}

// DeleteInvitation implements annotator.InvitationStore.
func (s *Store) DeleteInvitation(ctx context.Context, id int64, within string) error {
	n, err := s.exec(ctx, `
		DELETE FROM invitations WHERE id = $1 AND ($2::text = '' OR project_id = (SELECT id FROM projects WHERE slug = $2))`, id, within)
	return changed(n, err, "invitation %d", id)
}
