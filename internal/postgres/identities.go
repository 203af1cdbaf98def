package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// UserByIdentity implements annotator.IdentityStore.
func (s *Store) UserByIdentity(ctx context.Context, issuer, subject string) (annotator.User, error) {
	u, err := one(ctx, s, scanUser, `
		SELECT `+userColumns+` FROM users WHERE id = (SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2)`, issuer, subject)
	return u, wrap(err, "the person of an identity")
}

// Identities implements annotator.IdentityStore.
func (s *Store) Identities(ctx context.Context, userID int64) ([]annotator.Identity, error) {
	all, err := list(ctx, s, pgx.RowToStructByName[annotator.Identity], `
		SELECT id, user_id, issuer, subject, linked_at FROM identities WHERE user_id = $1 ORDER BY id`, userID)
	return all, wrap(err, "listing the identities of user %d", userID)
}

// InsertIdentity implements annotator.IdentityStore. The lock on the person makes it wait for their removal, after which they have none.
func (s *Store) InsertIdentity(ctx context.Context, i annotator.Identity) error {
	n, err := s.exec(ctx, `
		INSERT INTO identities (user_id, issuer, subject, linked_at)
		SELECT id, $2, $3, $4 FROM (SELECT id FROM users WHERE id = $1 AND removed_at IS NULL FOR KEY SHARE) u`, i.UserID, i.Issuer, i.Subject, i.LinkedAt)
	switch violated(err) {
	case "identities_subject_key", "identities_one_of_an_issuer":
		return fmt.Errorf("connecting user %d: %w", i.UserID, annotator.ErrConflict)
	}
	return changed(n, err, "user %d", i.UserID)
}

// DeleteIdentity implements annotator.IdentityStore.
func (s *Store) DeleteIdentity(ctx context.Context, userID, id int64) error {
	n, err := s.exec(ctx, `DELETE FROM identities WHERE user_id = $1 AND id = $2`, userID, id)
	return changed(n, err, "identity %d", id)
}

// HasPassword implements annotator.IdentityStore.
func (s *Store) HasPassword(ctx context.Context, userID int64) (bool, error) {
	has, err := one(ctx, s, pgx.RowTo[bool], `SELECT coalesce(password_hash, '') <> '' FROM users WHERE id = $1`, userID)
	return has, wrap(err, "user %d", userID)
}
