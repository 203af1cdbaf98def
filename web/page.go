package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/logs"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// visit is a request for a page by a person who is signed in.
type visit struct {
	http.ResponseWriter
	*http.Request
	server  *Server
	actor   annotator.User
	project *annotator.ProjectSummary // of pages below /projects/{slug}
}

// page adapts the handler of a page that needs a role.
func (s *Server) page(role annotator.Role, h func(*visit) error) http.HandlerFunc {
	return s.plain(func(w http.ResponseWriter, r *http.Request) error {
		if err := permit(r.Context(), role, browserOnly, "pages are for browsers, scripts have "+apiPrefix); err != nil {
			return err
		}
		actor, err := actorFor(r.Context(), role)
		if err != nil {
			return err
		}
		return h(&visit{ResponseWriter: w, Request: r, server: s, actor: actor})
	})
}

// projectPage adapts the handler of a page below /projects/{slug} that needs a role in that project. It looks up the project first. The visit's
// actor has their role there.
func (s *Server) projectPage(role annotator.Role, h func(*visit) error) http.HandlerFunc {
	return s.page(annotator.RoleAnnotator, func(v *visit) error {
		actor, err := s.service.Within(v.Context(), v.actor, role, annotator.ThingProject.Called(v.param("slug")))
		if err != nil {
			return err
		}
		p, err := s.service.Project(v.Context(), actor, v.param("slug"))
		if err != nil {
			return err
		}
		v.actor, v.project = actor, &p
		return h(v)
	})
}

func (v *visit) param(name string) string { return chi.URLParam(v.Request, name) }

// id returns a number in the address; annotator.ErrNotFound if it is not a number.
func (v *visit) id(name string) (int64, error) {
	n, err := strconv.ParseInt(v.param(name), 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is no number of anything: %w", v.param(name), annotator.ErrNotFound)
	}
	return n, nil
}

// form reads the posted form.
func (v *visit) form() (url.Values, error) { return readForm(v.Request) }

func readForm(r *http.Request) (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errBadForm, err)
	}
	if err := checkValues("body", r.PostForm); err != nil {
		return nil, err
	}
	return r.PostForm, nil
}

// to returns an address within the project.
func (v *visit) to(format string, args ...any) string {
	return "/projects/" + v.project.Slug + "/" + fmt.Sprintf(format, args...)
}

// redirect answers a form that succeeded with a redirect (303), so that reloading the next page does not send the form again.
func (v *visit) redirect(address string) error {
	http.Redirect(v.ResponseWriter, v.Request, address, http.StatusSeeOther)
	return nil
}

// say shows a text of the catalogue (words.T) on the next page that the visitor sees.
func (v *visit) say(key string, args ...any) { v.note("", words.T(v.Context(), key, args...)) }

// warn shows a text of the catalogue, as a failure, on the next page that the visitor sees.
func (v *visit) warn(key string, args ...any) { v.note("!", words.T(v.Context(), key, args...)) }

// warnOf shows what another package says, as a failure, on the next page that the visitor sees.
func (v *visit) warnOf(problem string) {
	v.note("!", words.Sentence(v.Context(), words.Say(v.Context(), problem)))
}

func (v *visit) note(prefix, text string) {
	v.server.sessions.Put(v.Context(), sessionFlash, prefix+text)
}

// frame returns the frame of the visit's page.
func (v *visit) frame(title, section string, scripts ...string) templates.Frame {
	f := v.server.frame(v.Request, title)
	f.Project, f.Section, f.Scripts, f.Role = v.project, section, scripts, v.actor.Role
	if prefetched(v.Request) {
		return f // keep the notice until the page is shown
	}
	if text := v.server.sessions.PopString(v.Context(), sessionFlash); text != "" {
		bad := strings.HasPrefix(text, "!")
		f.Notice = &templates.Notice{Text: strings.TrimPrefix(text, "!"), Bad: bad}
	}
	return f
}

// prefetched reports whether a browser only fetches a page ahead, before the visitor opens it.
func prefetched(r *http.Request) bool {
	return r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") == "prefetch" || r.Header.Get("X-Moz") == "prefetch"
}

// frame returns the frame of any page.
func (s *Server) frame(r *http.Request, title string) templates.Frame {
	f := templates.Frame{Title: title, Address: pageAddress(r), Asset: s.assets.url, Release: s.config.Release, Now: s.service.Now()}
	if actor, ok := r.Context().Value(keyActor).(annotator.User); ok {
		f.User, f.Role = &actor, actor.Role
	}
	if c, err := r.Cookie("theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		f.Theme = c.Value
	}
	return f
}

// render answers with a page.
func (v *visit) render(c templ.Component) error {
	return v.server.render(v.ResponseWriter, v.Request, http.StatusOK, c)
}

func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	buffer := templ.GetBuffer()
	defer templ.ReleaseBuffer(buffer)
	if err := c.Render(r.Context(), buffer); err != nil { // a page that fails half-way is not sent
		return fmt.Errorf("rendering the page: %w", err)
	}
	w.WriteHeader(status)
	_, _ = w.Write(buffer.Bytes()) // the client has gone if this fails
	return nil
}

// signInAddress returns the address of the sign-in page for a visitor without a session. After signing in they return to this request's
// page.
func signInAddress(r *http.Request) string {
	if r.URL.Path == "/" {
		return "/signin"
	}
	return "/signin?next=" + url.QueryEscape(r.URL.RequestURI())
}

func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, f failure) {
	ctx := r.Context()
	detail := words.Say(ctx, f.detail)
	if f.field != "" { // the page has no form that shows which field is wrong
		field := f.field
		for _, place := range []string{"body.", "query.", "header."} {
			field = strings.TrimPrefix(field, place)
		}
		detail = field + ": " + detail
	}
	if f.retry > 0 && f.status == http.StatusServiceUnavailable && r.Method == http.MethodGet {
		w.Header().Set("Refresh", strconv.Itoa(f.retry))
		detail = words.Sentence(ctx, detail) + " " + words.T(ctx, "This page tries again by itself")
	}
	title := words.Say(ctx, f.title)
	page := templates.ErrorPage(s.frame(r, title), templates.Failure{
		Status: f.status, Title: title, Detail: detail, Request: logs.Request(r.Context())})
	if err := s.render(w, r, f.status, page); err != nil {
		if r.Context().Err() == nil { // unless the client has gone
			s.log.ErrorContext(r.Context(), "error page", "error", err)
		}
		http.Error(w, f.title, f.status)
	}
}

// problemText returns the sentence that a form shows for an error which its sender can correct. Other errors are returned as err.
func problemText(err error) (string, error) {
	if errors.Is(err, context.Canceled) {
		return "", err
	}
	if f := outcome(err); f.status < 500 && f.status != http.StatusForbidden && f.status != http.StatusUnauthorized && f.status != http.StatusNotFound {
		return f.detail, nil
	}
	return "", err
}
