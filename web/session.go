package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/mileusna/useragent"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
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
	sessionID    = "session" // the number of the annotator.Session of whoever is signed in
	sessionFlash = "flash"
	// Whose password was right, and until when they may give a code.
	sessionPending      = "pending"
	sessionPendingUntil = "pending until"
	sessionCeremony     = "ceremony" // what was begun with a passkey
	sessionLink         = "link"     // the state of the way on which somebody is who connects their account with the institution
)

// pageOf is the header in which a page that works through the API says whose it is, by their number.
const pageOf = "Studio-Page-Of"

// sessions keeps who is signed in. The cookie is marked Secure if the request came over TLS, to the studio or, as a trusted proxy says,
// to the proxy, or if the studio's public address is https.
type sessions struct {
	*scs.SessionManager
	secure     *scs.SessionManager // the same store and keys, with a Secure cookie
	always     bool
	trustProxy bool
	throttle   *throttle
	codes      *throttle // of codes that are asked for after the password
	ceremonies *throttle // of sign-ins by passkeys that are begun

	distrust sync.Once // for the warning about a proxy that is not trusted
}

// newSessions keeps sessions as c says; fail answers a request whose session cannot be read or kept.
func newSessions(c Config, fail func(http.ResponseWriter, *http.Request, error)) *sessions {
	m := scs.New()
	m.Store = c.SessionStore
	m.Lifetime = annotator.SessionLasts // no idle timeout: it would write to the database at every request
	m.HashTokenInStore = true           // nobody can sign in with a copy of the table
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
		codes:      newThrottle(c.Codes),
		ceremonies: newThrottle(Throttle{PerPair: 100, PerAccount: 100, PerAddress: 100, Refill: time.Second}),
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
// not signed in. Whoever is asked for a code, too, and gives none, is kept in mind by the browser's session (awaitCode) and gets
// annotator.ErrCodeNeeded.
func (s *Server) signIn(r *http.Request, email, password, code string) (annotator.User, error) {
	user, err := s.checkPassword(r, email, password)
	if err != nil {
		return annotator.User{}, err
	}
	needed, err := s.service.NeedsCode(r.Context(), user)
	switch {
	case err != nil:
		return annotator.User{}, err
	case !needed:
		return s.startSession(r, user, s.byPassword())
	case code != "":
		return s.finishCode(r, user.ID, code)
	}
	if err := s.awaitCode(r, user); err != nil {
		return annotator.User{}, fmt.Errorf("renewing the session: %w", err)
	}
	return annotator.User{}, annotator.ErrCodeNeeded
}

// byPassword is how somebody came in who typed their password just now.
func (s *Server) byPassword() annotator.Shown {
	return annotator.Shown{By: annotator.ByPassword, At: s.service.Now()}
}

// startSession signs a person in who is known to be the one they say they are, as they have shown. Whoever was signed in in this browser is signed out.
func (s *Server) startSession(r *http.Request, user annotator.User, shown annotator.Shown) (annotator.User, error) {
	ctx := r.Context()
	if err := s.endSession(ctx); err != nil {
		return annotator.User{}, err
	}
	session, err := s.service.BeginSessionBy(ctx, user, s.client(r), shown)
	if err != nil {
		return annotator.User{}, err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return annotator.User{}, fmt.Errorf("renewing the session: %w", err)
	}
	s.sessions.Put(ctx, sessionID, session.ID)
	s.metrics.signIns.WithLabelValues("accepted").Inc()
	user.LastSeenAt = &session.BeganAt
	return user, nil
}

// client is what a request comes from.
func (s *Server) client(r *http.Request) annotator.Client {
	said := useragent.Parse(text.Cut(r.UserAgent(), maxAgentRead))
	return annotator.Client{Browser: text.Cut(said.Name, maxAgentWord), System: text.Cut(said.OS, maxAgentWord), Address: text.Cut(s.sessions.address(r), maxAgentWord)}
}

// How many characters of a User-Agent are read, and how many a browser's name has at most.
const maxAgentRead, maxAgentWord = 512, 60

// session is the number of the session of a request, 0 where it has none.
func (s *Server) session(ctx context.Context) int64 { return s.sessions.GetInt64(ctx, sessionID) }

// endSession signs out whoever is signed in in a browser.
func (s *Server) endSession(ctx context.Context) error {
	id := s.session(ctx)
	if id == 0 {
		return nil
	}
	user, err := s.service.UserBySession(ctx, id)
	if err == nil {
		err = s.service.EndSession(ctx, user, id)
	}
	if errors.Is(err, annotator.ErrUnauthorized) || errors.Is(err, annotator.ErrNotFound) { // it has ended
		err = nil
	}
	return err
}

// checkPassword returns the user with this email address and password. It is throttled (withPassword).
func (s *Server) checkPassword(r *http.Request, email, password string) (annotator.User, error) {
	var user annotator.User
	err := s.withPassword(r, email, func() (err error) {
		if user, err = s.service.SignIn(r.Context(), email, password, s.client(r)); err != nil {
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
	n.Session = s.session(r.Context())
	err = s.withPassword(r, actor.Email, func() (err error) {
		secret, token, err = s.service.CreateToken(r.Context(), actor, actor.ID, n)
		return err
	})
	return secret, token, err
}

// changeUser changes a person. If the password is changed or the account disabled, the person's sessions end; the actor's own session
// continues under a new key.
func (s *Server) changeUser(r *http.Request, actor annotator.User, id int64, c annotator.UserChange) (user annotator.User, err error) {
	ctx := r.Context()
	c.Session = s.session(ctx)
	change := func() error {
		user, err = s.service.ChangeUser(ctx, actor, id, c)
		return err
	}
	if c.Password != nil {
		err = s.withPassword(r, actor.Email, change)
	} else {
		err = change()
	}
	if err == nil && c.Password != nil && c.Session != 0 && actor.ID == id {
		if err := s.sessions.RenewToken(ctx); err != nil {
			return user, fmt.Errorf("renewing the session: %w", err)
		}
	}
	return user, err
}

// signOut ends the session.
func (s *Server) signOut(ctx context.Context) error {
	if err := s.endSession(ctx); err != nil {
		return err
	}
	if err := s.sessions.Destroy(ctx); err != nil {
		return fmt.Errorf("ending the session: %w", err)
	}
	return nil
}

// who returns the user who sent a request: the owner of its bearer token, which is returned too, or the user of the session in ctx; the
// zero User if it has neither. annotator.ErrUnauthorized for an invalid token and for a session that was ended, or whose user is gone or disabled.
func (s *Server) who(ctx context.Context, r *http.Request) (annotator.User, *annotator.Token, error) {
	if secret, ok := bearer(r); ok {
		user, token, err := s.service.UserByToken(ctx, secret)
		if err != nil {
			return annotator.User{}, nil, fmt.Errorf("bearer token: %w", err)
		}
		return user, &token, nil
	}
	id := s.session(ctx)
	if id == 0 {
		return annotator.User{}, nil, nil
	}
	user, err := s.service.UserBySession(ctx, id)
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
			err = s.sessions.Destroy(ctx) // it was ended, or its user is gone or disabled
		}
		if err != nil {
			return err
		}
		if page := r.Header.Get(pageOf); page != "" && token == nil && page != strconv.FormatInt(user.ID, 10) {
			user = annotator.User{} // somebody else has signed in since, in another tab of the browser: nothing is done in their name
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
