package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/oidc"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// institutionPath sends a browser to the institution's provider, InstitutionBack is where that sends it back: the redirect address that the
// studio is registered with there.
const (
	institutionPath = "/signin/institution"
	InstitutionBack = institutionPath + "/callback"
)

// wayOut is what a browser keeps while it is at the provider.
type wayOut struct {
	oidc.Way
	Next string // where to go afterwards
	Link bool   // to connect the account of who is signed in; their session names the state then (sessionLink)
}

// home is the studio's own address, as people reach it.
func (s *Server) home(r *http.Request) string {
	if home := strings.TrimRight(s.config.PublicURL, "/"); home != "" {
		return home
	}
	if s.sessions.overTLS(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// wayCookie is the cookie of a way out. Under TLS its name keeps other hosts of the same domain from setting it.
func (s *Server) wayCookie(r *http.Request) *http.Cookie {
	c := &http.Cookie{Name: "studio-way", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(oidc.WayLasts.Seconds())}
	if s.sessions.overTLS(r) {
		c.Name, c.Secure = "__Host-"+c.Name, true
	}
	return c
}

// wayTo begins a way to the provider and returns the address to send the browser to.
func (s *Server) wayTo(w http.ResponseWriter, r *http.Request, out wayOut) (address string, err error) {
	if s.config.Institution == nil {
		return "", annotator.ErrNotFound
	}
	if address, out.Way, err = s.config.Institution.Begin(s.home(r)+InstitutionBack, out.Again); err != nil {
		return "", err
	}
	kept, err := json.Marshal(out)
	if err != nil {
		return "", err
	}
	if out.Link {
		s.sessions.Put(r.Context(), sessionLink, out.State)
	}
	c := s.wayCookie(r)
	c.Value = base64.RawURLEncoding.EncodeToString(kept)
	http.SetCookie(w, c)
	return address, nil
}

// wayBack reads what the browser kept, which is good once.
func (s *Server) wayBack(w http.ResponseWriter, r *http.Request) (out wayOut) {
	c := s.wayCookie(r)
	if kept, err := r.Cookie(c.Name); err == nil {
		if data, err := base64.RawURLEncoding.DecodeString(kept.Value); err == nil && json.Unmarshal(data, &out) != nil {
			out = wayOut{}
		}
	}
	c.MaxAge = -1
	http.SetCookie(w, c)
	return out
}

// toInstitution sends a browser to the institution's provider; with again=1 whoever is signed in is to show there once more who they are.
func (s *Server) toInstitution(w http.ResponseWriter, r *http.Request) error {
	out := wayOut{Next: localAddress(r.URL.Query().Get("next"))}
	_, in := r.Context().Value(keyActor).(annotator.User)
	out.Again = in && r.URL.Query().Get("again") == "1"
	address, err := s.wayTo(w, r, out)
	if err != nil {
		return s.notVouchedFor(w, r, out, err)
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

// fromInstitution signs in whom the provider vouches for, or connects their account.
func (s *Server) fromInstitution(w http.ResponseWriter, r *http.Request) error {
	if s.config.Institution == nil {
		return annotator.ErrNotFound
	}
	ctx, out := r.Context(), s.wayBack(w, r)
	linking := s.sessions.PopString(ctx, sessionLink)
	actor, in := ctx.Value(keyActor).(annotator.User)
	if (out.Link || out.Again) && !in || out.Link && (linking == "" || linking != out.State) {
		return s.notVouchedFor(w, r, out, oidc.ErrStale)
	}
	var v annotator.Vouched
	err := s.withKey(r, institutionPath, func(err error) bool { return errors.Is(err, oidc.ErrRefused) || errors.Is(err, oidc.ErrInvalid) }, func() (err error) {
		v, err = s.config.Institution.Finish(ctx, out.Way, r.URL.Query())
		return err
	})
	if err != nil {
		return s.notVouchedFor(w, r, out, err)
	}
	if out.Link {
		if err := s.service.LinkIdentity(ctx, actor, v, s.client(r)); err != nil {
			return s.notVouchedFor(w, r, out, err)
		}
		s.sessions.Put(ctx, sessionFlash, words.T(ctx, "Connected: {institution} signs you in from now on, too.", "institution", s.service.Institution().Name))
		http.Redirect(w, r, "/account#ways", http.StatusSeeOther)
		return nil
	}
	user, err := s.service.SignInBy(ctx, v, s.client(r))
	if err == nil && out.Again && user.ID != actor.ID {
		err = &annotator.RefusedError{Why: annotator.RefusedOther}
	}
	if err != nil {
		return s.notVouchedFor(w, r, out, err)
	}
	if _, err := s.startSession(r, user, annotator.Shown{By: annotator.ByInstitution, At: v.ShownAt}); err != nil {
		return err
	}
	http.Redirect(w, r, localAddress(out.Next), http.StatusSeeOther)
	return nil
}

// notVouchedFor says on the sign-in page, or to who is signed in on the page Account, why nobody was signed in, and what to do.
func (s *Server) notVouchedFor(w http.ResponseWriter, r *http.Request, out wayOut, err error) error {
	ctx := r.Context()
	status, problem := s.unvouched(ctx, err)
	if problem == "" {
		return err
	}
	s.metrics.signIns.WithLabelValues("refused").Inc()
	s.log.WarnContext(ctx, "sign-in by the institution refused", "error", text.Cut(err.Error(), maxErrorLogged))
	if _, in := ctx.Value(keyActor).(annotator.User); in {
		s.sessions.Put(ctx, sessionFlash, "!"+problem)
		http.Redirect(w, r, "/account#ways", http.StatusSeeOther)
		return nil
	}
	return s.showSignIn(w, r, status, templates.SignIn{Next: localAddress(out.Next), Problem: problem})
}

// unvouched says why the institution signed nobody in, and what to do; "" for an error of the studio's own.
func (s *Server) unvouched(ctx context.Context, err error) (status int, problem string) {
	institution := s.service.Institution()
	if institution == nil {
		return 0, ""
	}
	name := institution.Name
	var refused *annotator.RefusedError
	switch {
	case errors.Is(err, oidc.ErrAway):
		return http.StatusServiceUnavailable, words.T(ctx, "{institution} does not answer. Try again in a moment; who has a password can sign in with it.", "institution", name)
	case errors.Is(err, oidc.ErrStale):
		return http.StatusBadRequest, words.T(ctx, "That sign-in was not begun in this browser, or too long ago. Begin again.")
	case errors.Is(err, oidc.ErrRefused):
		return http.StatusForbidden, words.T(ctx, "{institution} did not sign you in. Begin again, or ask whoever runs the studio.", "institution", name)
	case errors.Is(err, oidc.ErrInvalid):
		return http.StatusForbidden, words.T(ctx, "What {institution} answered is not valid, so nobody was signed in. Tell whoever runs the studio: the log has the reason.", "institution", name)
	case errors.As(err, &refused):
		return http.StatusForbidden, refusalWords(ctx, refused.Why, name)
	}
	return 0, ""
}

func refusalWords(ctx context.Context, why annotator.Refusal, name string) string {
	switch why {
	case annotator.RefusedGroup:
		return words.T(ctx, "{institution} knows you, but none of your groups there is let into this studio. Ask whoever runs the studio which group it is, and to be put into it.", "institution", name)
	case annotator.RefusedAddress:
		return words.T(ctx, "{institution} gives the studio no e-mail address of yours. Ask whoever runs the studio to have it released (scope email).", "institution", name)
	case annotator.RefusedUnverified:
		return words.T(ctx, "{institution} does not say that your e-mail address is verified. Verify it there and sign in again, or ask whoever runs the studio.", "institution", name)
	case annotator.RefusedAccount:
		return words.T(ctx, "There is an account with your e-mail address already. Sign in with its password, and connect it with {institution} on the page Account.", "institution", name)
	case annotator.RefusedDisabled:
		return words.T(ctx, "Your account is disabled. Ask an admin of the studio to let you in again.")
	case annotator.RefusedOther:
		return words.T(ctx, "At {institution} you are signed in as somebody else than here. Sign out there first.", "institution", name)
	case annotator.RefusedTaken:
		return words.T(ctx, "{institution} knows you as the owner of another account of this studio, or your account as somebody else's. Ask an admin to end that connection.", "institution", name)
	}
	return ""
}

// linkIdentity sends whoever is signed in, and has shown that it is them, to the institution's provider to connect their account. The policy
// of pages lets no form lead to another site, so a page leads there.
func (s *Server) linkIdentity(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	err = s.withPassword(v.Request, v.actor.Email, func() error {
		return s.service.CheckPresence(v.Context(), v.actor, form.Get("current"), s.session(v.Context()))
	})
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showAccount(v, templates.AccountView{Field: "ways", Problem: problem})
	}
	out := wayOut{Link: true, Next: "/account#ways"}
	address, err := s.wayTo(v.ResponseWriter, v.Request, out)
	if err != nil {
		return s.notVouchedFor(v.ResponseWriter, v.Request, out, err)
	}
	v.ResponseWriter.Header().Set("Refresh", "0; url="+address)
	return v.render(templates.ToInstitutionPage(v.frame(words.T(v.Context(), "Account"), "account"), s.service.Institution().Name, address))
}

// unlinkIdentity ends that an institution signs in whoever asks.
func (s *Server) unlinkIdentity(v *visit) error {
	id, err := v.id("identity")
	if err != nil {
		return err
	}
	return s.unlinked(v, v.actor.ID, id, "/account#ways")
}

// unlinkIdentityOf ends it for another person.
func (s *Server) unlinkIdentityOf(v *visit) error {
	user, err := v.id("user")
	if err != nil {
		return err
	}
	id, err := v.id("identity")
	if err != nil {
		return err
	}
	return s.unlinked(v, user, id, "/people/"+v.param("user")+"/ways")
}

func (s *Server) unlinked(v *visit, user, id int64, back string) error {
	if err := s.service.UnlinkIdentity(v.Context(), v.actor, user, id); err != nil {
		if errors.Is(err, annotator.ErrNotFound) {
			v.warn("That is connected no longer.")
			return v.redirect(back)
		}
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warnOf(problem)
		return v.redirect(back)
	}
	v.say("Disconnected.")
	return v.redirect(back)
}

// waysPage says how another person signs in.
func (s *Server) waysPage(v *visit) error {
	id, err := v.id("user")
	if err != nil {
		return err
	}
	person, err := s.service.Person(v.Context(), v.actor, id)
	if err != nil {
		return err
	}
	ways, err := s.service.SignInWays(v.Context(), v.actor, id)
	if err != nil {
		return err
	}
	return v.render(templates.WaysPage(v.frame(words.T(v.Context(), "Ways to sign in"), "people"), person, ways))
}

// presence says how the visitor shows that it is them.
func (s *Server) presence(v *visit, ways annotator.SignInWays) (templates.Presence, error) {
	p := templates.Presence{Password: ways.Password, Back: v.URL.Path}
	if i := s.service.Institution(); i != nil && s.config.Institution != nil {
		p.Institution = i.Name
	}
	if p.Password {
		return p, nil
	}
	err := s.service.CheckPresence(v.Context(), v.actor, "", s.session(v.Context()))
	if p.Lately = err == nil; errors.Is(err, annotator.ErrShowAgain) {
		err = nil
	}
	return p, err
}
