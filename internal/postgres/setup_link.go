package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// HasPeople implements annotator.SetupStore.
func (s *Store) HasPeople(ctx context.Context) (bool, error) {
	someone, err := one(ctx, s, pgx.RowTo[bool], `SELECT EXISTS (SELECT FROM users WHERE NOT generator)`)
	return someone, wrap(err, "looking for people")
}

// SaveSetupLink implements annotator.SetupStore.
func (s *Store) SaveSetupLink(ctx context.Context, hash []byte, expires time.Time) error {
	_, err := s.exec(ctx, `
		INSERT INTO setup_link (hash, expires_at) VALUES ($1, $2)
		ON CONFLICT (one) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at`, hash, expires)
	return wrap(err, "keeping the link of the first admin")
}

// LockSetupLink implements annotator.SetupStore.
func (s *Store) LockSetupLink(ctx context.Context) (hash []byte, expires time.Time, err error) {
	type link struct {
		Hash      []byte
		ExpiresAt time.Time
	}
	l, err := one(ctx, s, pgx.RowToStructByName[link], `SELECT hash, expires_at FROM setup_link FOR UPDATE`)
	return l.Hash, l.ExpiresAt, wrap(err, "the link of the first admin")
}

// DeleteSetupLink implements annotator.SetupStore.
func (s *Store) DeleteSetupLink(ctx context.Context) error {
	_, err := s.exec(ctx, `DELETE FROM setup_link`)
	return wrap(err, "ending the link of the first admin")
}
