package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

const sessionColumns = `id, user_id, began_at, seen_at, expires_at, browser, system, address, shown_at`

var scanSession = pgx.RowToStructByName[annotator.Session]

// InsertSession implements annotator.SessionStore. The lock on the person makes it wait for their removal, after which they have none.
func (s *Store) InsertSession(ctx context.Context, n annotator.Session) (int64, error) {
	id, err := one(ctx, s, pgx.RowTo[int64], `
		INSERT INTO user_sessions (user_id, began_at, seen_at, expires_at, browser, system, address, shown_at)
		SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM (SELECT id FROM users WHERE id = $1 AND removed_at IS NULL FOR KEY SHARE) u RETURNING id`,
		n.UserID, n.BeganAt, n.SeenAt, n.ExpiresAt, n.Browser, n.System, n.Address, n.ShownAt)
	return id, wrap(err, "adding a session of user %d", n.UserID)
}

// Session implements annotator.SessionStore.
func (s *Store) Session(ctx context.Context, id int64, now time.Time) (annotator.Session, error) {
	session, err := one(ctx, s, scanSession, `SELECT `+sessionColumns+` FROM user_sessions WHERE id = $1 AND expires_at > $2`, id, now)
	return session, wrap(err, "session %d", id)
}

// UserBySession implements annotator.SessionStore. It records that a session is used at most every ten minutes, and where it cannot, as on a
// full disk, the pages can still be read.
func (s *Store) UserBySession(ctx context.Context, id int64, now time.Time) (annotator.User, error) {
	type seen struct {
		annotator.User
		SeenAt time.Time
	}
	u, err := one(ctx, s, pgx.RowToStructByName[seen], `
		SELECT u.id, u.email, u.name, u.role, u.disabled, u.generator, u.created_at, u.last_seen_at, u.removed_at, s.seen_at
		FROM user_sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND s.expires_at > $2`, id, now)
	if err == nil && now.Sub(u.SeenAt) > 10*time.Minute {
		_, _ = s.exec(ctx, `UPDATE user_sessions SET seen_at = greatest(seen_at, $2) WHERE id = $1`, id, now)
	}
	return u.User, wrap(err, "the person of a session")
}

// OpenSessions implements annotator.SessionStore.
func (s *Store) OpenSessions(ctx context.Context, userID int64, now time.Time) ([]annotator.Session, error) {
	all, err := list(ctx, s, scanSession, `
		SELECT `+sessionColumns+` FROM user_sessions WHERE user_id = $1 AND expires_at > $2 ORDER BY seen_at DESC, id DESC`, userID, now)
	return all, wrap(err, "listing the sessions of user %d", userID)
}

// EndSession implements annotator.SessionStore.
func (s *Store) EndSession(ctx context.Context, id int64) (annotator.Session, error) {
	ended, err := one(ctx, s, scanSession, `DELETE FROM user_sessions WHERE id = $1 RETURNING `+sessionColumns, id)
	return ended, wrap(err, "session %d", id)
}

// EndSessions implements annotator.SessionStore.
func (s *Store) EndSessions(ctx context.Context, userID, except int64) (int, error) {
	n, err := s.exec(ctx, `DELETE FROM user_sessions WHERE user_id = $1 AND id <> $2`, userID, except)
	return int(n), wrap(err, "ending the sessions of user %d", userID)
}

// ProlongSession implements annotator.SessionStore.
func (s *Store) ProlongSession(ctx context.Context, id int64, until time.Time) error {
	_, err := s.exec(ctx, `UPDATE user_sessions SET expires_at = $2 WHERE id = $1`, id, until)
	return wrap(err, "prolonging session %d", id)
}
