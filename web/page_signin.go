package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) error {
	if r.Context().Value(keyActor) != nil {
		http.Redirect(w, r, "/projects", http.StatusSeeOther)
		return nil
	}
	return s.showSignIn(w, r, http.StatusOK, templates.SignIn{Next: localAddress(r.URL.Query().Get("next"))})
}

func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request, status int, v templates.SignIn) error {
	for _, a := range s.config.Accounts {
		v.Accounts = append(v.Accounts, templates.Account(a))
	}
	party, _ := s.party(r) // without one there is no button
	v.Passkeys = party != nil
	if i := s.service.Institution(); i != nil && s.config.Institution != nil {
		v.Institution = i.Name
	}
	if someone, err := s.service.HasPeople(r.Context()); err == nil { // without a database the page stands all the same
		v.Nobody = !someone
	}
	return s.render(w, r, status, templates.SignInPage(s.frame(r, words.T(r.Context(), "Sign in")), v))
}

func (s *Server) doSignIn(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	next := localAddress(form.Get("next"))
	_, err = s.signIn(r, form.Get("email"), form.Get("password"), "")
	if errors.Is(err, annotator.ErrCodeNeeded) {
		http.Redirect(w, r, codePath+"?next="+url.QueryEscape(next), http.StatusSeeOther)
		return nil
	}
	if err != nil {
		f := outcome(err)
		if f.status >= 500 {
			return err
		}
		if f.retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.retry))
		}
		problem := words.Sentence(r.Context(), words.Say(r.Context(), f.detail))
		return s.showSignIn(w, r, f.status, templates.SignIn{Email: form.Get("email"), Next: next, Problem: problem})
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (s *Server) doSignOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.signOut(r.Context()); err != nil {
		return err
	}
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
	return nil
}

// localAddress is address if it stays within the studio ("/projects/birds"), else the front page:
// "//elsewhere" and "/\elsewhere" are other sites to a browser.
func localAddress(address string) string {
	if !strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") || strings.ContainsAny(address, "\\\r\n\t") {
		return "/projects"
	}
	return address
}
