package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// Sessions keeps the browsers' sessions (scs.Store, scs.CtxStore, scs.IterableStore) in the table of
// github.com/alexedwards/scs/pgxstore. Every request begins here, so during an outage it waits as long as the Store's Patience and no
// longer.
type Sessions struct{ store *Store }

// Sessions returns the sessions in the store's database.
func (s *Store) Sessions() Sessions { return Sessions{s} }

// FindCtx returns a session's data.
func (s Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	data, err = one(ctx, s.store, pgx.RowTo[[]byte], `SELECT data FROM sessions WHERE token = $1 AND current_timestamp < expiry`, token)
	if errors.Is(err, annotator.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, wrap(err, "looking for a session")
}

// CommitCtx keeps a session.
func (s Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, err := s.store.exec(ctx, `
		INSERT INTO sessions (token, data, expiry) VALUES ($1, $2, $3)
		ON CONFLICT (token) DO UPDATE SET data = EXCLUDED.data, expiry = EXCLUDED.expiry`, token, data, expiry)
	return wrap(err, "keeping a session")
}

// DeleteCtx ends a session.
func (s Sessions) DeleteCtx(ctx context.Context, token string) error {
	_, err := s.store.exec(ctx, `DELETE FROM sessions WHERE token = $1`, token)
	return wrap(err, "ending a session")
}

// Find is FindCtx without a context (scs.Store).
func (s Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context (scs.Store).
func (s Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a context (scs.Store).
func (s Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// All returns every session that has not expired, by its token.
func (s Sessions) All() (map[string][]byte, error) {
	type session struct {
		Token string
		Data  []byte
	}
	rows, err := list(context.Background(), s.store, pgx.RowToStructByName[session], `SELECT token, data FROM sessions WHERE current_timestamp < expiry`)
	all := make(map[string][]byte, len(rows))
	for _, r := range rows {
		all[r.Token] = r.Data
	}
	return all, wrap(err, "listing the sessions")
}

// RemoveExpiredSessions removes expired sessions and invitations; a worker calls it when it tidies.
func (s *Store) RemoveExpiredSessions(ctx context.Context) error {
	if _, err := s.exec(ctx, `DELETE FROM sessions WHERE expiry < current_timestamp`); err != nil {
		return wrap(err, "removing expired sessions")
	}
	if _, err := s.exec(ctx, `DELETE FROM user_sessions WHERE expires_at < current_timestamp`); err != nil {
		return wrap(err, "removing expired sessions of people")
	}
	_, err := s.exec(ctx, `DELETE FROM invitations WHERE expires_at < current_timestamp`)
	return wrap(err, "removing expired invitations")
}
