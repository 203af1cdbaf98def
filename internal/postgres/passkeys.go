package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

const passkeyColumns = `id, user_id, handle, credential, name, added_at, used_at`

var scanPasskey = pgx.RowToStructByName[annotator.Passkey]

// Passkeys implements annotator.PasskeyStore.
func (s *Store) Passkeys(ctx context.Context, userID int64) ([]annotator.Passkey, error) {
	all, err := list(ctx, s, scanPasskey, `SELECT `+passkeyColumns+` FROM passkeys WHERE user_id = $1 ORDER BY id`, userID)
	return all, wrap(err, "listing the passkeys of user %d", userID)
}

// PasskeyByHandle implements annotator.PasskeyStore.
func (s *Store) PasskeyByHandle(ctx context.Context, handle []byte) (annotator.Passkey, error) {
	k, err := one(ctx, s, scanPasskey, `SELECT `+passkeyColumns+` FROM passkeys WHERE handle = $1`, handle)
	return k, wrap(err, "a passkey")
}

// InsertPasskey implements annotator.PasskeyStore. The lock on the person makes it wait for their removal, after which they have none.
func (s *Store) InsertPasskey(ctx context.Context, k annotator.Passkey) (int64, error) {
	id, err := one(ctx, s, pgx.RowTo[int64], `
		INSERT INTO passkeys (user_id, handle, credential, name, added_at)
		SELECT id, $2, $3, $4, $5 FROM (SELECT id FROM users WHERE id = $1 AND removed_at IS NULL FOR KEY SHARE) u RETURNING id`,
		k.UserID, k.Handle, k.Credential, k.Name, k.AddedAt)
	if violated(err) == "passkeys_handle_key" {
		return 0, fmt.Errorf("adding a passkey: %w", annotator.ErrConflict)
	}
	return id, wrap(err, "adding a passkey of user %d", k.UserID)
}

// UsePasskey implements annotator.PasskeyStore.
func (s *Store) UsePasskey(ctx context.Context, k annotator.Passkey, at time.Time) error {
	n, err := s.exec(ctx, `UPDATE passkeys SET credential = $2, used_at = $3 WHERE id = $1`, k.ID, k.Credential, at)
	return changed(n, err, "passkey %d", k.ID)
}

// RenamePasskey implements annotator.PasskeyStore.
func (s *Store) RenamePasskey(ctx context.Context, userID, id int64, name string) error {
	n, err := s.exec(ctx, `UPDATE passkeys SET name = $3 WHERE user_id = $1 AND id = $2`, userID, id, name)
	return changed(n, err, "passkey %d", id)
}

// DeletePasskey implements annotator.PasskeyStore.
func (s *Store) DeletePasskey(ctx context.Context, userID, id int64) error {
	n, err := s.exec(ctx, `DELETE FROM passkeys WHERE user_id = $1 AND id = $2`, userID, id)
	return changed(n, err, "passkey %d", id)
}
