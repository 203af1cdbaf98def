package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// LockFactor implements annotator.FactorStore.
func (s *Store) LockFactor(ctx context.Context, userID int64) (annotator.Factor, error) {
	f, err := one(ctx, s, pgx.RowToStructByName[annotator.Factor], `
		SELECT user_id, secret, begun_at, confirmed_at, last_step FROM second_factors WHERE user_id = $1 FOR UPDATE`, userID)
	return f, wrap(err, "the second factor of user %d", userID)
}

// SaveFactor implements annotator.FactorStore. The lock on the person makes it wait for their removal, after which they have none.
func (s *Store) SaveFactor(ctx context.Context, f annotator.Factor) error {
	n, err := s.exec(ctx, `
		INSERT INTO second_factors (user_id, secret, begun_at, confirmed_at, last_step)
		SELECT id, $2, $3, $4, $5 FROM (SELECT id FROM users WHERE id = $1 AND removed_at IS NULL FOR KEY SHARE) u
		ON CONFLICT (user_id) DO UPDATE SET secret = EXCLUDED.secret, begun_at = EXCLUDED.begun_at, confirmed_at = EXCLUDED.confirmed_at, last_step = EXCLUDED.last_step`,
		f.UserID, f.Secret, f.BegunAt, f.ConfirmedAt, f.LastStep)
	return changed(n, err, "user %d", f.UserID)
}

// DeleteFactor implements annotator.FactorStore.
func (s *Store) DeleteFactor(ctx context.Context, userID int64) error {
	n, err := s.exec(ctx, `DELETE FROM second_factors WHERE user_id = $1`, userID)
	return changed(n, err, "the second factor of user %d", userID)
}

// FactorOf implements annotator.FactorStore.
func (s *Store) FactorOf(ctx context.Context, userID int64) (on bool, recovery int, err error) {
	type factor struct {
		On       bool
		Recovery int
	}
	f, err := one(ctx, s, pgx.RowToStructByPos[factor], `
		SELECT EXISTS (SELECT FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL), (SELECT count(*) FROM recovery_codes WHERE user_id = $1)::int`, userID)
	return f.On, f.Recovery, wrap(err, "the second factor of user %d", userID)
}

// ReplaceRecoveryCodes implements annotator.FactorStore.
func (s *Store) ReplaceRecoveryCodes(ctx context.Context, userID int64, hashes [][]byte) error {
	return s.inTx(ctx, func(tx *Store) error {
		if _, err := tx.exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, userID); err != nil {
			return wrap(err, "removing the recovery codes of user %d", userID)
		}
		_, err := tx.exec(ctx, `INSERT INTO recovery_codes (user_id, hash) SELECT $1, unnest($2::bytea[])`, userID, hashes)
		return wrap(err, "adding recovery codes of user %d", userID)
	})
}

// UseRecoveryCode implements annotator.FactorStore.
func (s *Store) UseRecoveryCode(ctx context.Context, userID int64, hash []byte) error {
	n, err := s.exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2`, userID, hash)
	return changed(n, err, "a recovery code of user %d", userID)
}
