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
	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
)

// contextKey keys the values this package puts into a request's context.
type contextKey int

const (
	keyActor contextKey = iota
	keyToken
	keyRecord
)

// The session's own keys.
const (
	sessionUser  = "user"
	sessionFlash = "flash"
)

// sessions keeps who is signed in. The cookie is marked Secure if the request came over TLS, to the studio or, as a trusted proxy says,
// to the proxy, or if the studio's public address is https.
type sessions struct {
	*scs.SessionManager
	secure     *scs.SessionManager // the same store and keys, with a Secure cookie
	always     bool
	trustProxy bool
	throttle   *throttle

	distrust sync.Once // for the warning about a proxy that is not trusted
}

// newSessions keeps sessions as c says; fail answers a request whose session cannot be read or kept.
func newSessions(c Config, fail func(http.ResponseWriter, *http.Request, error)) *sessions {
	m := scs.New()
	m.Store = c.SessionStore
	m.Lifetime = 7 * 24 * time.Hour // no idle timeout: it would write to the database at every request
	m.HashTokenInStore = true       // nobody can sign in with a copy of the table
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

// address returns the client's address: the peer's, or the one for which a trusted proxy says it forwards.
func (s *sessions) address(r *http.Request) string {
	if s.trustProxy {
		// The proxy itself added the last entry of the last line. The client may have written those before it.
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

// proxyAdvice is the end of both warnings about an untrusted proxy.
const proxyAdvice = "if a proxy stands before the studio and sets X-Forwarded-For and X-Forwarded-Proto, set STUDIO_TRUST_PROXY=true; " +
	"until then everybody behind it counts as one address when sign-ins are throttled"

// watchProxies warns once of a request with a proxy's header, if proxies are not trusted.
func (s *Server) watchProxies(r *http.Request) {
	if s.sessions.trustProxy || r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == "" {
		return
	}
	s.sessions.distrust.Do(func() {
		s.log.WarnContext(r.Context(), "a request carries a proxy's headers and no proxy is trusted: "+proxyAdvice)
	})
}

// throttledError is the error of a sign-in that is refused because too many have failed before it.
type throttledError struct{ after time.Duration }

func (e *throttledError) Error() string {
	return fmt.Sprintf("too many failed sign-ins: try again in %d s", int(e.after.Seconds()+1))
}

// signIn checks a password and starts a session under a new token, so that a token that somebody planted before (session fixation) is
// not signed in.
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

// checkPassword returns the user with this email address and password. It is throttled (withPassword).
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

// withPassword calls do, which checks a password: to sign in, or, for new passwords and tokens, the present one. All of these share one
// throttle, so that none can be used to guess more often. The throttle is asked before the password is checked, so that of many
// tries at once only a few are checked.
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
		s.log.WarnContext(r.Context(), "sign-in refused", "address", address)
		return err
	}
	giveBack() // the password was right, or was not checked
	if errors.Is(err, annotator.ErrBusy) {
		s.metrics.signIns.WithLabelValues("busy").Inc()
	}
	return err
}

// makeBearer makes a bearer token for the actor.
func (s *Server) makeBearer(r *http.Request, actor annotator.User, n annotator.NewToken) (secret string, token annotator.Token, err error) {
	err = s.withPassword(r, actor.Email, func() (err error) {
		secret, token, err = s.service.CreateToken(r.Context(), actor, actor.ID, n)
		return err
	})
	return secret, token, err
}

// changeUser changes a person. If the password is changed or the account disabled, the person's sessions end; the actor's own session
// continues under a new token.
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

// removeUser removes a person and ends their sessions.
func (s *Server) removeUser(ctx context.Context, actor annotator.User, id int64, typed string) (annotator.User, error) {
	user, err := s.service.RemovePerson(ctx, actor, id, typed)
	if err != nil {
		return user, err
	}
	if err := s.sessions.endAll(id); err != nil {
		return user, fmt.Errorf("ending the sessions of user %d: %w", id, err)
	}
	return user, nil
}

// endAll deletes every session of a user from the store.
func (s *sessions) endAll(user int64) error {
	_, err := EndSessions(s.Store, user)
	return err
}

// EndSessions deletes every session of a user from the store of sessions, and returns how many there were. The command line calls it
// when it changes a password, since no server does it then.
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
			if err := sessions.Delete(token); err != nil { // by the store's key, a hash of the cookie's token
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

// who returns the user who sent a request: the owner of its bearer token, which is returned too, or the user of the session in ctx; the
// zero User if it has neither. annotator.ErrUnauthorized for an invalid token and for a session whose user is gone or disabled.
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
			err = s.sessions.Destroy(ctx) // the user is gone or disabled since they signed in
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

// still returns a function that checks, during a long request, whether its sender may still do what needs role, in the project that its
// address names a thing of. Meanwhile their session or token may have ended, as by a new password, their account may have been disabled,
// their role changed, or they were taken out of the project.
func (s *Server) still(r *http.Request, role annotator.Role) func(context.Context) error {
	began, _ := r.Context().Value(keyActor).(annotator.User)
	return func(ctx context.Context) error {
		// The request's context has the session as it was at the start, so it is read again.
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
		fresh = context.WithValue(fresh, keyActor, user)
		if of, is := thingOf(chi.RouteContext(r.Context()).RoutePattern(), func(name string) string { return chi.URLParam(r, name) }); is {
			_, err = s.service.Within(fresh, user, role, of)
		} else {
			_, err = actorFor(fresh, role)
		}
		return err
	}
}

// actorFor returns the user of the request if they have the role; annotator.ErrUnauthorized or ErrForbidden if not.
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
