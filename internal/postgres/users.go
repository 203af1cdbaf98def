package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

const userColumns = `id, email, name, role, disabled, generator, created_at, last_seen_at, removed_at`

var scanUser = pgx.RowToStructByName[annotator.User]

// User implements annotator.UserStore.
func (s *Store) User(ctx context.Context, id int64) (annotator.User, error) {
	u, err := one(ctx, s, scanUser, `SELECT `+userColumns+` FROM users WHERE id = $1`, id)
	return u, wrap(err, "user %d", id)
}

// UserByEmail implements annotator.UserStore.
func (s *Store) UserByEmail(ctx context.Context, email string) (annotator.User, string, error) {
	type withHash struct {
		annotator.User
		Hash string
	}
	u, err := one(ctx, s, pgx.RowToStructByName[withHash], `
		SELECT `+userColumns+`, coalesce(password_hash, '') AS hash FROM users WHERE lower(email) = lower($1)`, email)
	return u.User, u.Hash, wrap(err, "user %q", email)
}

// UserByTokenHash implements annotator.UserStore. It records a use at most every ten minutes.
func (s *Store) UserByTokenHash(ctx context.Context, hash []byte, now time.Time) (annotator.User, annotator.Token, error) {
	var t annotator.Token
	u, err := one(ctx, s, func(row pgx.CollectableRow) (u annotator.User, err error) {
		err = row.Scan(&u.ID, &u.Email, &u.Name, &u.Role, &u.Disabled, &u.Generator, &u.CreatedAt, &u.LastSeenAt, &u.RemovedAt,
			&t.ID, &t.UserID, &t.Name, &t.Scopes, &t.CreatedAt, &t.ExpiresAt, &t.LastUsedAt, &t.RevokedAt)
		return u, err
	}, `
		WITH used AS (
			UPDATE tokens SET last_used_at = now() WHERE hash = $1 AND revoked_at IS NULL AND expires_at > $2
				AND (last_used_at IS NULL OR last_used_at < now() - interval '10 minutes')
		)
		SELECT u.id, u.email, u.name, u.role, u.disabled, u.generator, u.created_at, u.last_seen_at, u.removed_at,
			t.id, t.user_id, t.name, t.scopes, t.created_at, t.expires_at, t.last_used_at, t.revoked_at
		FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = $1`, hash, now)
	return u, t, wrap(err, "the token's owner")
}

const tokenColumns = `id, user_id, name, scopes, created_at, expires_at, last_used_at, revoked_at`

var scanToken = pgx.RowToStructByName[annotator.Token]

// Tokens implements annotator.UserStore.
func (s *Store) Tokens(ctx context.Context, userID int64) ([]annotator.Token, error) {
	all, err := list(ctx, s, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id DESC`, userID)
	return all, wrap(err, "listing the tokens of user %d", userID)
}

// RevokeToken implements annotator.UserStore.
func (s *Store) RevokeToken(ctx context.Context, id int64, at time.Time) (annotator.Token, error) {
	var token annotator.Token
	err := s.inTx(ctx, func(tx *Store) (err error) {
		token, err = one(ctx, tx, scanToken, `UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING `+tokenColumns, id, at)
		return err
	})
	return token, wrap(err, "token %d", id)
}

// RevokeTokens implements annotator.UserStore.
func (s *Store) RevokeTokens(ctx context.Context, userID int64, at time.Time) (int, error) {
	n, err := s.exec(ctx, `UPDATE tokens SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL`, userID, at)
	return int(n), wrap(err, "revoking the tokens of user %d", userID)
}

// Users implements annotator.UserStore: people first, then generators, then who was removed, each by name.
func (s *Store) Users(ctx context.Context) ([]annotator.User, error) {
	all, err := list(ctx, s, scanUser, `SELECT `+userColumns+` FROM users ORDER BY removed_at IS NOT NULL, generator, lower(name), id`)
	return all, wrap(err, "listing users")
}

// InsertUser implements annotator.UserStore.
func (s *Store) InsertUser(ctx context.Context, u annotator.User, passwordHash string) (annotator.User, error) {
	var added annotator.User
	err := s.inTx(ctx, func(tx *Store) (err error) {
		added, err = one(ctx, tx, scanUser, `
			INSERT INTO users (email, name, role, password_hash, generator, created_at)
			VALUES ($1, $2, $3, nullif($4, ''), $5, $6)
			RETURNING `+userColumns, u.Email, u.Name, u.Role, passwordHash, u.Generator, u.CreatedAt)
		return err
	})
	if violated(err) == "users_email_key" {
		return annotator.User{}, fmt.Errorf("adding user %q: the address is taken: %w", u.Email, annotator.ErrConflict)
	}
	return added, wrap(err, "adding user %q", u.Email)
}

// UpdateUser implements annotator.UserStore.
func (s *Store) UpdateUser(ctx context.Context, u annotator.User, passwordHash *string) error {
	n, err := s.exec(ctx, `
		UPDATE users SET name = $2, role = $3, disabled = $4, password_hash = coalesce($5, password_hash)
		WHERE id = $1`, u.ID, u.Name, u.Role, u.Disabled, passwordHash)
	return changed(n, err, "changing user %d", u.ID)
}

// LockAdmins implements annotator.UserStore.
func (s *Store) LockAdmins(ctx context.Context) ([]int64, error) {
	ids, err := list(ctx, s, pgx.RowTo[int64], `
		SELECT id FROM users WHERE role = 'admin' AND NOT disabled AND NOT generator ORDER BY id FOR UPDATE`)
	return ids, wrap(err, "locking the admins")
}

// TouchUser implements annotator.UserStore.
func (s *Store) TouchUser(ctx context.Context, id int64, seen time.Time) error {
	n, err := s.exec(ctx, `UPDATE users SET last_seen_at = $2 WHERE id = $1`, id, seen)
	return changed(n, err, "user %d", id)
}

// InsertToken implements annotator.UserStore.
func (s *Store) InsertToken(ctx context.Context, t annotator.Token, hash []byte) (int64, error) {
	var id int64
	err := s.inTx(ctx, func(tx *Store) (err error) {
		id, err = one(ctx, tx, pgx.RowTo[int64], `
			INSERT INTO tokens (user_id, name, scopes, created_at, expires_at, hash)
			SELECT id, $2, $3, $4, $5, $6 FROM (SELECT id FROM users WHERE id = $1 AND removed_at IS NULL FOR KEY SHARE) u RETURNING id`,
			t.UserID, t.Name, texts(t.Scopes), t.CreatedAt, t.ExpiresAt, hash)
		return err
	})
	return id, wrap(err, "adding a token of user %d", t.UserID)
}

// GeneratorUser finds or makes the user in whose name a program's edits or reviews are stored. That user cannot sign in. Its role is
// reviewer, so that one program may review what another made.
func (s *Store) GeneratorUser(ctx context.Context, name string) (annotator.User, error) {
	var u annotator.User
	err := s.inTx(ctx, func(tx *Store) (err error) {
		// The address is in a domain that can never exist (RFC 2606).
		if _, err = tx.q.Exec(ctx, `
			INSERT INTO users (email, name, role, generator)
			VALUES (replace(lower($1), ' ', '-') || '@generator.invalid', $1, 'reviewer', true)
			ON CONFLICT (lower(email)) DO NOTHING`, name); err != nil {
			return err
		}
		u, err = one(ctx, tx, scanUser, `
			SELECT `+userColumns+` FROM users
			WHERE generator AND lower(email) = replace(lower($1), ' ', '-') || '@generator.invalid'`, name)
		return err
	})
	return u, wrap(err, "generator %q", name)
}
