package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// codePath is the page that asks for a code after the password.
const codePath = "/signin/code"

// pendingLasts is how long somebody whose password was right may take to give a code.
const pendingLasts = 5 * time.Minute

// awaitCode keeps in a browser's session whose password was right there, until they give a code. The session gets a new key, as at a sign-in.
func (s *Server) awaitCode(r *http.Request, user annotator.User) error {
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	s.sessions.Put(r.Context(), sessionPending, user.ID)
	s.sessions.Put(r.Context(), sessionPendingUntil, s.service.Now().Add(pendingLasts).Unix())
	return nil
}

// pending is whose password was right in this browser a moment ago, and who is to give a code; 0: nobody.
func (s *Server) pending(r *http.Request) int64 {
	if s.service.Now().Unix() >= s.sessions.GetInt64(r.Context(), sessionPendingUntil) {
		return 0
	}
	return s.sessions.GetInt64(r.Context(), sessionPending)
}

// finishCode signs in whose password was right a moment ago, by a code. Codes have a throttle of their own, since somebody who guesses them
// has the password.
func (s *Server) finishCode(r *http.Request, userID int64, code string) (user annotator.User, err error) {
	err = s.withCode(r, userID, func() error {
		user, err = s.service.CheckCode(r.Context(), userID, code, s.client(r))
		return err
	})
	if err != nil {
		return annotator.User{}, err
	}
	s.sessions.Remove(r.Context(), sessionPending)
	s.sessions.Remove(r.Context(), sessionPendingUntil)
	return s.startSession(r, user, annotator.Shown{By: annotator.ByCode, At: s.service.Now()})
}

// withCode bounds how often codes of a person are tried; do checks one.
func (s *Server) withCode(r *http.Request, userID int64, do func() error) error {
	address := addressKey(s.sessions.address(r))
	giveBack, wait := s.sessions.codes.take(strconv.FormatInt(userID, 10), address)
	if wait > 0 {
		s.metrics.signIns.WithLabelValues("throttled").Inc()
		return &throttledError{after: wait}
	}
	err := do()
	if errors.Is(err, annotator.ErrWrongCode) {
		s.metrics.signIns.WithLabelValues("refused").Inc()
		s.log.WarnContext(r.Context(), "a wrong code was refused", "address", address)
		return err
	}
	giveBack()
	return err
}

// codePage asks who has typed their password for a code.
func (s *Server) codePage(w http.ResponseWriter, r *http.Request) error {
	return s.showCode(w, r, http.StatusOK, localAddress(r.URL.Query().Get("next")), "")
}

func (s *Server) showCode(w http.ResponseWriter, r *http.Request, status int, next, problem string) error {
	if s.pending(r) == 0 {
		return s.showSignIn(w, r, http.StatusUnauthorized, templates.SignIn{Next: next, Problem: words.T(r.Context(), "Type your password first: a code is asked for within five minutes.")})
	}
	return s.render(w, r, status, templates.CodePage(s.frame(r, words.T(r.Context(), "Sign in")), next, problem))
}

// doCode takes the code.
func (s *Server) doCode(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	next := localAddress(form.Get("next"))
	id := s.pending(r)
	if id == 0 {
		return s.showCode(w, r, http.StatusUnauthorized, next, "")
	}
	if _, err := s.finishCode(r, id, form.Get("code")); err != nil {
		f := outcome(err)
		if f.status >= 500 {
			return err
		}
		if f.retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.retry))
		}
		return s.showCode(w, r, f.status, next, words.Sentence(r.Context(), words.Say(r.Context(), f.detail)))
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// factorForm reads a form of the second factor and calls do with the password and the code in it; what it refuses is shown beside the form.
func (s *Server) factorForm(v *visit, do func(password, code string) error) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	err = s.withPassword(v.Request, v.actor.Email, func() error {
		return s.withCode(v.Request, v.actor.ID, func() error { return do(form.Get("current"), form.Get("code")) })
	})
	if err == nil {
		return nil
	}
	view := templates.AccountView{Field: "factor"}
	if view.Problem, err = problemText(err); err != nil {
		return err
	}
	return s.showAccount(v, view)
}

// beginFactor shows the secret of a second factor to be set up.
func (s *Server) beginFactor(v *visit) error {
	return s.factorForm(v, func(password, _ string) error {
		if _, err := s.service.BeginFactor(v.Context(), v.actor, password); err != nil {
			return err
		}
		return s.showAccount(v, templates.AccountView{Field: "factor"})
	})
}

// confirmFactor turns it on, and shows recovery codes.
func (s *Server) confirmFactor(v *visit) error {
	return s.factorForm(v, func(_, code string) error {
		codes, err := s.service.ConfirmFactor(v.Context(), v.actor, code)
		if err != nil {
			return err
		}
		return s.showAccount(v, templates.AccountView{Field: "factor", Recovery: codes})
	})
}

// newRecoveryCodes shows new recovery codes.
func (s *Server) newRecoveryCodes(v *visit) error {
	return s.factorForm(v, func(password, code string) error {
		codes, err := s.service.NewRecoveryCodes(v.Context(), v.actor, password, code)
		if err != nil {
			return err
		}
		return s.showAccount(v, templates.AccountView{Field: "factor", Recovery: codes})
	})
}

// endFactor turns it off.
func (s *Server) endFactor(v *visit) error {
	return s.factorForm(v, func(password, code string) error {
		if err := s.service.EndFactor(v.Context(), v.actor, password, code); err != nil {
			return err
		}
		v.say("Turned off: your password alone lets you in.")
		return v.redirect("/account#factor")
	})
}

// takeOffFactor turns another person's off.
func (s *Server) takeOffFactor(v *visit) error {
	id, err := v.id("user")
	if err != nil {
		return err
	}
	switch err := s.service.TakeOffFactor(v.Context(), v.actor, id); {
	case errors.Is(err, annotator.ErrNotFound):
		v.warn("No code is asked for any more.")
	case errors.Is(err, annotator.ErrConflict):
		v.warnOf(outcome(err).detail)
	case err != nil:
		return err
	default:
		v.say("Taken off: their password alone lets them in.")
	}
	return v.redirect("/people/" + v.param("user") + "/ways")
}
