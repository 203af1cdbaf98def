package annotator

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/abn-studio/studio/internal/text"
)

// SessionLasts is how long a browser stays signed in.
const SessionLasts = 7 * 24 * time.Hour

// Client is what a request comes from: the browser and the system it runs on, in words, "" where it does not say, and its whole address.
type Client struct {
	Browser string `json:"browser"`
	System  string `json:"system"`
	Address string `json:"address"`
}

// String is what the trail keeps of it, for good: the address is shortened.
func (o Client) String() string {
	var parts []string
	for _, part := range []string{o.Browser, o.System, shortAddress(o.Address)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// shortAddress is an address without what tells one machine of a network from another: the last byte of IPv4, all after the first 48 bits of
// IPv6.
func shortAddress(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()[:strings.LastIndexByte(a.String(), '.')] + ".x"
	}
	p, _ := a.Prefix(48)
	return p.Masked().Addr().String() + "x"
}

// Session is a browser in which somebody is signed in.
type Session struct {
	ID        int64     `json:"id"`
	UserID    int64     `json:"user_id"`
	BeganAt   time.Time `json:"began_at"`
	SeenAt    time.Time `json:"seen_at" doc:"To within ten minutes."`
	ExpiresAt time.Time `json:"expires_at"`
	Client
	Current bool       `json:"current" db:"-" doc:"It is the one that asks."`
	ShownAt *time.Time `json:"-"` // when the person last showed who they are; nil: nobody knows
}

// Shown says how somebody who signs in has shown who they are, and when, as far as that is known.
type Shown struct {
	By Means
	At time.Time
}

// Means is how somebody signs in, as the trail says it.
type Means string

// The means. The trail takes a password for granted.
const (
	ByPassword    Means = ""
	ByCode        Means = "with a code"
	ByPasskey     Means = "by a passkey"
	ByInstitution Means = "by the institution"
)

// PresenceLasts is how long after they showed who they are somebody is taken to be still there, where they have no password to type.
const PresenceLasts = 10 * time.Minute

// SessionStore keeps in which browsers people are signed in.
type SessionStore interface {
	// InsertSession adds one; ErrNotFound where the person has been removed.
	InsertSession(ctx context.Context, s Session) (id int64, err error)
	// Session returns one that is open; ErrNotFound once it has ended.
	Session(ctx context.Context, id int64, now time.Time) (Session, error)
	// UserBySession returns whose session it is, and notes that it was seen; ErrNotFound once it has ended.
	UserBySession(ctx context.Context, id int64, now time.Time) (User, error)
	// OpenSessions lists a person's, the one seen last first.
	OpenSessions(ctx context.Context, userID int64, now time.Time) ([]Session, error)
	// EndSession ends one and returns it; ErrNotFound for one that has ended.
	EndSession(ctx context.Context, id int64) (Session, error)
	// EndSessions ends a person's, but one (0: all of them), and returns how many those were.
	EndSessions(ctx context.Context, userID, except int64) (int, error)
	// ProlongSession says when a session ends by itself.
	ProlongSession(ctx context.Context, id int64, until time.Time) error
}

// BeginSession signs a person in, whom the caller knows to be the one they say they are, by a password of just now.
func (s *Service) BeginSession(ctx context.Context, user User, from Client) (Session, error) {
	return s.BeginSessionBy(ctx, user, from, Shown{By: ByPassword, At: s.now()})
}

// BeginSessionBy is BeginSession by other means.
func (s *Service) BeginSessionBy(ctx context.Context, user User, from Client, shown Shown) (Session, error) {
	if _, err := signedIn(user, nil); err != nil {
		return Session{}, err
	}
	now := s.now()
	session := Session{UserID: user.ID, BeganAt: now, SeenAt: now, ExpiresAt: now.Add(SessionLasts), Client: from}
	if !shown.At.IsZero() {
		session.ShownAt = &shown.At
	}
	detail := from.String()
	if shown.By != ByPassword {
		detail = strings.TrimSuffix(string(shown.By)+"; "+detail, "; ")
	}
	err := s.store.InTx(ctx, func(tx Store) (err error) {
		if err = tx.TouchUser(ctx, user.ID, now); err != nil {
			return err
		}
		if session.ID, err = tx.InsertSession(ctx, session); err != nil {
			return err
		}
		return s.audit(ctx, tx, user, nil, "session.start", userSubject(user.ID), detail)
	})
	if err != nil {
		return Session{}, fmt.Errorf("signing user %d in: %w", user.ID, err)
	}
	return session, nil
}

// UserBySession returns whose session it is; ErrUnauthorized once it has ended, or for somebody who is gone or disabled.
func (s *Service) UserBySession(ctx context.Context, id int64) (User, error) {
	return signedIn(s.store.UserBySession(ctx, id, s.now()))
}

// Sessions lists in which browsers a person is signed in, the one seen last first (an admin anybody's, everybody their own). current is that
// of the request, 0 where it has none.
func (s *Service) Sessions(ctx context.Context, actor User, userID, current int64) ([]Session, error) {
	if err := mayOf(actor, userID); err != nil {
		return nil, err
	}
	if _, err := s.store.User(ctx, userID); err != nil {
		return nil, err
	}
	all, err := s.store.OpenSessions(ctx, userID, s.now())
	for i := range all {
		all[i].Current = all[i].ID == current
	}
	return all, err
}

// EndSession signs somebody out of one browser, which is refused at its next request (an admin anybody, everybody themself).
func (s *Service) EndSession(ctx context.Context, actor User, id int64) error {
	if err := may(actor, RoleAnnotator); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx Store) error {
		session, err := tx.EndSession(ctx, id)
		if err != nil {
			return err
		}
		if mayOf(actor, session.UserID) != nil { // somebody else's: the answer must not tell that it exists
			return ErrNotFound
		}
		return s.audit(ctx, tx, actor, nil, "session.end", userSubject(session.UserID), session.String())
	})
	if err != nil {
		return fmt.Errorf("ending session %d: %w", id, err)
	}
	return nil
}

// EndSessions signs a person out of all browsers but one, which is of the session except (0: of all), and returns how many those were (an
// admin anybody, everybody themself).
func (s *Service) EndSessions(ctx context.Context, actor User, userID, except int64) (ended int, err error) {
	if err := mayOf(actor, userID); err != nil {
		return 0, err
	}
	if _, err := s.store.User(ctx, userID); err != nil {
		return 0, err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		ended, err = s.endSessions(ctx, tx, actor, userID, except, "")
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ending the sessions of user %d: %w", userID, err)
	}
	return ended, nil
}

// endSessions ends sessions inside the transaction of the change because of which they end.
func (s *Service) endSessions(ctx context.Context, tx Store, actor User, userID, except int64, why string) (int, error) {
	n, err := tx.EndSessions(ctx, userID, except)
	if err != nil || n == 0 {
		return n, err
	}
	detail := fmt.Sprintf("%s sessions", text.Count(n))
	if n == 1 {
		detail = "1 session"
	}
	if why != "" {
		detail += "; " + why
	}
	return n, s.audit(ctx, tx, actor, nil, "session.end", userSubject(userID), detail)
}

// NobodysAddress is what the trail says of an address that nobody has, with which somebody failed to sign in.
const NobodysAddress = "an address that nobody has"

// somebody is who fails to sign in, in the trail: nobody knows who it is.
var somebody = User{Name: "somebody"}

// refuseSignIn writes down that a sign-in failed. What was typed as the address is kept of no one: an address of nobody may be a password
// that was typed into the wrong field, of which a hash could be guessed.
func (s *Service) refuseSignIn(ctx context.Context, user User, from Client) error {
	subject, detail := NobodysAddress, "wrong address"
	switch {
	case user.Disabled:
		subject, detail = userSubject(user.ID), "disabled account"
	case user.ID != 0:
		subject, detail = userSubject(user.ID), "wrong password"
	}
	if err := s.tellFailure(ctx, subject, detail, from); err != nil {
		return err
	}
	return ErrUnauthorized
}

// tellFailure writes down that a sign-in failed, unless too many have.
func (s *Service) tellFailure(ctx context.Context, subject, detail string, from Client) error {
	write, more := s.failures.take(shortAddress(from.Address), s.now())
	if !write {
		return nil
	}
	if where := from.String(); where != "" {
		detail += "; " + where
	}
	if more > 0 {
		detail += "; " + fmt.Sprintf("%s before it are not listed", text.Count(more))
	}
	return s.audit(ctx, s.store, somebody, nil, "session.fail", subject, detail)
}

// failures bounds how many lines of the trail, which are kept for good, failed sign-ins make. It asks for nothing of the account, so that
// how long an answer takes tells nothing of it.
type failures struct {
	mu     sync.Mutex
	all    allowance
	of     map[string]allowance // by where they come from
	missed int                  // since the last line
}

// allowance is when a bucket of lines will be full again.
type allowance struct{ full time.Time }

// The buckets: of one network 20 lines at once and one a minute, of all together 200 and one in ten seconds.
const (
	failuresOfOne, failureOfOneIn = 20, time.Minute
	failuresOfAll, failureOfAllIn = 200, 10 * time.Second
	networksWatched               = 4096
)

func (a allowance) take(now time.Time, burst int, each time.Duration) (allowance, bool) {
	if a.full.Before(now) {
		a.full = now
	}
	next := a.full.Add(each)
	if next.Sub(now) > time.Duration(burst)*each {
		return a, false
	}
	return allowance{next}, true
}

// take reports whether a failure is written down, and how many before it were not.
func (f *failures) take(network string, now time.Time) (write bool, more int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.of) >= networksWatched {
		for name, a := range f.of {
			if len(f.of) < networksWatched && a.full.After(now) {
				continue
			}
			delete(f.of, name)
		}
	}
	all, some := f.all.take(now, failuresOfAll, failureOfAllIn)
	of, one := f.of[network].take(now, failuresOfOne, failureOfOneIn)
	if !some || !one {
		f.missed++
		return false, 0
	}
	if f.of == nil {
		f.of = map[string]allowance{}
	}
	f.all, f.of[network] = all, of
	more, f.missed = f.missed, 0
	return true, more
}
