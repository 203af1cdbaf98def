package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// SetupPath is the page that makes the first admin; the log's link has its key as the query "key". Access logs have no queries.
const SetupPath = "/setup"

// setupPage asks who the first admin is.
func (s *Server) setupPage(w http.ResponseWriter, r *http.Request) error {
	key := r.URL.Query().Get("key")
	err := s.withSetupKey(r, func() error { return s.service.CheckSetupLink(r.Context(), key) })
	return s.showSetup(w, r, templates.Setup{Key: key}, err)
}

// setUp makes the first admin and signs them in.
func (s *Server) setUp(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	view := templates.Setup{Key: form.Get("key"), Name: form.Get("name"), Email: form.Get("email")}
	var user annotator.User
	err = s.withSetupKey(r, func() (err error) {
		user, err = s.service.CreateFirstAdmin(r.Context(), view.Key, annotator.NewUser{Name: view.Name, Email: view.Email, Password: form.Get("password")})
		return err
	})
	if err != nil {
		return s.showSetup(w, r, view, err)
	}
	if _, err := s.startSession(r, user, s.byPassword()); err != nil {
		return err
	}
	http.Redirect(w, r, "/projects", http.StatusSeeOther)
	return nil
}

// withSetupKey bounds how often keys are tried from an address.
func (s *Server) withSetupKey(r *http.Request, do func() error) error {
	return s.withKey(r, SetupPath, func(err error) bool {
		var refused *annotator.SetupError
		return errors.As(err, &refused) && refused.Wrong
	}, do)
}

// withKey bounds how often keys of a path's links are tried from an address; do is known to have been given a wrong one by its error.
func (s *Server) withKey(r *http.Request, path string, wrong func(error) bool, do func() error) error {
	address := addressKey(s.sessions.address(r))
	giveBack, wait := s.sessions.throttle.take(path+" "+address, address)
	if wait > 0 {
		return &throttledError{after: wait}
	}
	err := do()
	if wrong(err) {
		s.log.WarnContext(r.Context(), "a wrong link was refused", "path", path, "address", address)
		return err
	}
	giveBack()
	return err
}

// showSetup renders the page, with what is wrong with the link or the form.
func (s *Server) showSetup(w http.ResponseWriter, r *http.Request, view templates.Setup, refused error) error {
	status := http.StatusOK
	if refused != nil {
		f := outcome(refused)
		if f.status >= 500 {
			return refused
		}
		status = f.status
		if f.retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.retry))
		}
		view.Problem, view.Field = f.detail, f.field
		if f.field == "" { // the link's
			view.Closed, view.Problem = true, words.Sentence(r.Context(), words.Say(r.Context(), f.detail))
		}
		var link *annotator.SetupError
		view.Done = errors.As(refused, &link) && link.Done
	}
	return s.render(w, r, status, templates.SetupPage(s.frame(r, words.T(r.Context(), "The first admin")), view))
}
