package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/abn-studio/studio/annotator"
)

// contextKey keys the values this package puts into a request's context.
type contextKey int

const (
	keyActor contextKey = iota
	keyToken
	keyRequestID
	keyRecord
)

// The session's own keys.
const (
	sessionUser  = "user"
	sessionFlash = "flash"
)

// sessions keeps who is signed in. The cookie is marked Secure where the request came over TLS, by
// itself or by a trusted proxy's word, or where the studio's public address is https.
type sessions struct {
	*scs.SessionManager
	secure     *scs.SessionManager // the same store and keys, with a Secure cookie
	always     bool
	trustProxy bool
	throttle   *throttle

	distrust sync.Once // warns of the first request that seems to come through a proxy which is not trusted
}

// newSessions keeps sessions as c says; fail answers a request whose session cannot be read or kept.
func newSessions(c Config, fail func(http.ResponseWriter, *http.Request, error)) *sessions {
	m := scs.New()
	m.Store = c.SessionStore
	m.Lifetime = 7 * 24 * time.Hour // no idle timeout: it would write to the database at every request
	m.HashTokenInStore = true       // a copy of the table signs nobody in
	m.Cookie.Name = "studio"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		fail(w, r, fmt.Errorf("session: %w", err))
	}
	secure := *m
	secure.Cookie.Secure = true
	return &sessions{
		SessionManager: m, secure: &secure,
		always:     strings.HasPrefix(c.PublicURL, "https://"),
		trustProxy: c.TrustProxy,
		throttle:   newThrottle(c.SignIn),
	}
}

// loadAndSave reads the session before next and writes it after.
func (s *sessions) loadAndSave(next http.Handler) http.Handler {
	plain, secure := s.LoadAndSave(next), s.secure.LoadAndSave(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.overTLS(r) {
			secure.ServeHTTP(w, r)
			return
		}
		plain.ServeHTTP(w, r)
	})
}

func (s *sessions) overTLS(r *http.Request) bool {
	return s.always || r.TLS != nil || s.trustProxy && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// address is who connects: the peer, or what a trusted proxy says it forwards for.
func (s *sessions) address(r *http.Request) string {
	if s.trustProxy {
		// The last entry of the last line is the one the proxy added itself; those before it are the client's own words.
		if lines := r.Header.Values("X-Forwarded-For"); len(lines) > 0 {
			last := lines[len(lines)-1]
			if a, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])); err == nil {
				return a.String()
			}
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// proxyAdvice is what both warnings of an untrusted proxy end with.
const proxyAdvice = "if a proxy stands before the studio and sets X-Forwarded-For and X-Forwarded-Proto, set STUDIO_TRUST_PROXY=true; " +
	"until then everybody behind it counts as one address when sign-ins are throttled"

// watchProxies warns once of a header that a proxy adds, where no proxy is trusted.
func (s *Server) watchProxies(r *http.Request) {
	if s.sessions.trustProxy || r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == "" {
		return
	}
	s.sessions.distrust.Do(func() {
		s.log.Warn("a request carries a proxy's headers and no proxy is trusted: " + proxyAdvice)
	})
}

// throttledError is a sign-in refused because too many failed before it.
type throttledError struct{ after time.Duration }

func (e *throttledError) Error() string {
	return fmt.Sprintf("too many failed sign-ins: try again in %d s", int(e.after.Seconds()+1))
}

// signIn checks a password and starts a session under a new token, so that a token known before
// (session fixation) is worth nothing after.
func (s *Server) signIn(r *http.Request, email, password string) (annotator.User, error) {
	ctx := r.Context()
	user, err := s.checkPassword(r, email, password)
	if err != nil {
		return annotator.User{}, err
	}
	return user, s.startSession(ctx, user)
}

// startSession signs a person in whose password is known to be right.
func (s *Server) startSession(ctx context.Context, user annotator.User) error {
	if err := s.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("renewing the session: %w", err)
	}
	s.sessions.Put(ctx, sessionUser, user.ID)
	s.metrics.signIns.WithLabelValues("accepted").Inc()
	return nil
}

// checkPassword says whose the password is. The throttle is asked before the password is looked at, so that tries that come all
// at once are not all judged.
func (s *Server) checkPassword(r *http.Request, email, password string) (annotator.User, error) {
	var user annotator.User
	err := s.withPassword(r, email, func() (err error) {
		if user, err = s.service.SignIn(r.Context(), email, password); err != nil {
			return fmt.Errorf("signing in: %w", err)
		}
		return nil
	})
	if errors.Is(err, annotator.ErrUnauthorized) {
		err = errBadPassword
	}
	return user, err
}

// withPassword does what a password is needed for: signing in, and setting passwords and making tokens, for which people
// type their present one. All of it is throttled together, or one would be the way around the other.
func (s *Server) withPassword(r *http.Request, email string, do func() error) error {
	address := addressKey(s.sessions.address(r))
	giveBack, wait := s.sessions.throttle.take(accountKey(email), address)
	if wait > 0 {
		s.metrics.signIns.WithLabelValues("throttled").Inc()
		return &throttledError{after: wait}
	}
	err := do()
	if errors.Is(err, annotator.ErrUnauthorized) || errors.Is(err, annotator.ErrWrongPassword) {
		s.metrics.signIns.WithLabelValues("refused").Inc()
		s.log.Warn("sign-in refused", "address", address, "request", requestID(r.Context()))
		return err
	}
	giveBack() // right, or not judged
	if errors.Is(err, annotator.ErrBusy) {
		s.metrics.signIns.WithLabelValues("busy").Inc()
	}
	return err
}

// makeBearer makes a bearer token of the actor's own.
func (s *Server) makeBearer(r *http.Request, actor annotator.User, n annotator.NewToken) (secret string, token annotator.Token, err error) {
	err = s.withPassword(r, actor.Email, func() (err error) {
		secret, token, err = s.service.CreateToken(r.Context(), actor, actor.ID, n)
		return err
	})
	return secret, token, err
}

// changeUser changes a person and, where the password is changed or the account disabled, ends
// whatever sessions they have open; the actor's own goes on under a new token.
func (s *Server) changeUser(r *http.Request, actor annotator.User, id int64, c annotator.UserChange) (user annotator.User, err error) {
	ctx := r.Context()
	change := func() error {
		user, err = s.service.ChangeUser(ctx, actor, id, c)
		return err
	}
	if c.Password != nil {
		err = s.withPassword(r, actor.Email, change)
	} else {
		err = change()
	}
	if err != nil || c.Password == nil && (c.Disabled == nil || !*c.Disabled) {
		return user, err
	}
	if err := s.sessions.endAll(id); err != nil {
		return user, fmt.Errorf("ending the sessions of user %d: %w", id, err)
	}
	if s.sessions.GetInt64(ctx, sessionUser) == id {
		if err := s.sessions.RenewToken(ctx); err != nil {
			return user, fmt.Errorf("renewing the session: %w", err)
		}
	}
	return user, nil
}

// endAll deletes every session of a user from the store.
func (s *sessions) endAll(user int64) error {
	_, err := EndSessions(s.Store, user)
	return err
}

// EndSessions deletes every session of a user from the store that servers keep theirs in, and returns how many there were.
// Whoever changes a password without a server calls it, as the command line does.
func EndSessions(sessions scs.Store, user int64) (int, error) {
	store, ok := sessions.(scs.IterableStore)
	if !ok {
		return 0, fmt.Errorf("the session store %T cannot list its sessions", sessions)
	}
	all, err := store.All()
	if err != nil {
		return 0, err
	}
	ended := 0
	for token, data := range all {
		_, values, err := scs.GobCodec{}.Decode(data)
		if err != nil {
			return ended, err
		}
		if values[sessionUser] == user {
			if err := sessions.Delete(token); err != nil { // the store's own key: a hash of the cookie's token
				return ended, err
			}
			ended++
		}
	}
	return ended, nil
}

// signOut ends the session.
func (s *Server) signOut(r *http.Request) error {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return fmt.Errorf("ending the session: %w", err)
	}
	return nil
}

// who returns the user who sent a request: the owner of its bearer token, which is returned too, or the user of the session in ctx;
// the zero User where there is neither. ErrUnauthorized for an invalid token and for a session whose user is gone or disabled.
func (s *Server) who(ctx context.Context, r *http.Request) (annotator.User, *annotator.Token, error) {
	if secret, ok := bearer(r); ok {
		user, token, err := s.service.UserByToken(ctx, secret)
		if err != nil {
			return annotator.User{}, nil, fmt.Errorf("bearer token: %w", err)
		}
		return user, &token, nil
	}
	id := s.sessions.GetInt64(ctx, sessionUser)
	if id == 0 {
		return annotator.User{}, nil, nil
	}
	user, err := s.service.UserByID(ctx, id)
	if err != nil {
		return annotator.User{}, nil, fmt.Errorf("user of the session: %w", err)
	}
	return user, nil, nil
}

// authenticate puts the user of a bearer token or session into the request's context; without either
// the request goes on without a user. A wrong bearer token is refused at once.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return s.plain(func(w http.ResponseWriter, r *http.Request) error {
		ctx := r.Context()
		user, token, err := s.who(ctx, r)
		if _, sent := bearer(r); err != nil && !sent && errors.Is(err, annotator.ErrUnauthorized) {
			err = s.sessions.Destroy(ctx) // gone or disabled since they signed in
		}
		if err != nil {
			return err
		}
		if user.ID != 0 {
			ctx = context.WithValue(ctx, keyActor, user)
			if token != nil {
				ctx = context.WithValue(ctx, keyToken, *token)
			}
			if rec, ok := ctx.Value(keyRecord).(*record); ok {
				rec.user = user.ID
			}
		}
		next.ServeHTTP(w, r.WithContext(ctx))
		return nil
	})
}

// still is asked while a request goes on for long: whether who sent it may still do what needs role. Their session or
// token may have ended meanwhile, by a new password too, their account been disabled, their role been taken.
func (s *Server) still(r *http.Request, role annotator.Role) func(context.Context) error {
	began, _ := r.Context().Value(keyActor).(annotator.User)
	return func(ctx context.Context) error {
		// The request's own context holds the session as it was when the request came.
		fresh, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		var session string
		if cookie, err := r.Cookie(s.sessions.Cookie.Name); err == nil {
			session = cookie.Value
		}
		fresh, err := s.sessions.Load(fresh, session)
		if err != nil {
			return fmt.Errorf("reading the session again: %w", err)
		}
		user, _, err := s.who(fresh, r)
		if err != nil {
			return err
		}
		if user.ID != began.ID {
			return fmt.Errorf("the session has ended: %w", annotator.ErrUnauthorized)
		}
		_, err = actorFor(context.WithValue(fresh, keyActor, user), role)
		return err
	}
}

// actorFor returns who is asking if they may do what needs role; ErrUnauthorized or ErrForbidden if not.
func actorFor(ctx context.Context, role annotator.Role) (annotator.User, error) {
	actor, ok := ctx.Value(keyActor).(annotator.User)
	if !ok {
		return annotator.User{}, annotator.ErrUnauthorized
	}
	if !actor.Role.May(role) {
		return annotator.User{}, fmt.Errorf("%w: this needs the role %s, yours is %s", annotator.ErrForbidden, role, actor.Role)
	}
	return actor, nil
}
