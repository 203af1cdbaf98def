package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/templates"
)

// visit is one request for a page by somebody signed in.
type visit struct {
	http.ResponseWriter
	*http.Request
	server  *Server
	actor   annotator.User
	project *annotator.ProjectSummary // of pages below /projects/{slug}
}

// page adapts a page that needs role.
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

// projectPage is page for what stands below /projects/{slug}: the project is looked up first.
func (s *Server) projectPage(role annotator.Role, h func(*visit) error) http.HandlerFunc {
	return s.page(role, func(v *visit) error {
		p, err := s.service.Project(v.Context(), v.actor, v.param("slug"))
		if err != nil {
			return err
		}
		v.project = &p
		return h(v)
	})
}

func (v *visit) param(name string) string { return chi.URLParam(v.Request, name) }

// id is a number in the address; what is no number is not found.
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

// to is an address within the project.
func (v *visit) to(format string, args ...any) string {
	return "/projects/" + v.project.Slug + "/" + fmt.Sprintf(format, args...)
}

// redirect answers a form that did its work (303), so that reloading does not do it again.
func (v *visit) redirect(address string) error {
	http.Redirect(v.ResponseWriter, v.Request, address, http.StatusSeeOther)
	return nil
}

// say keeps a sentence for the next page that the visitor sees.
func (v *visit) say(format string, args ...any) { v.note("", format, args...) }

// warn is say for what did not work.
func (v *visit) warn(format string, args ...any) { v.note("!", format, args...) }

func (v *visit) note(prefix, format string, args ...any) {
	v.server.sessions.Put(v.Context(), sessionFlash, prefix+fmt.Sprintf(format, args...))
}

// frame is what the visit's page stands in.
func (v *visit) frame(title, section string, scripts ...string) templates.Frame {
	f := v.server.frame(v.Request, title)
	f.Project, f.Section, f.Scripts = v.project, section, scripts
	if prefetched(v.Request) {
		return f // nobody reads it yet
	}
	if text := v.server.sessions.PopString(v.Context(), sessionFlash); text != "" {
		bad := strings.HasPrefix(text, "!")
		f.Notice = &templates.Notice{Text: strings.TrimPrefix(text, "!"), Bad: bad}
	}
	return f
}

// prefetched reports whether a browser fetches a page that nobody has asked to see yet.
func prefetched(r *http.Request) bool {
	return r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") == "prefetch" || r.Header.Get("X-Moz") == "prefetch"
}

// ownNavigation reports whether somebody opens a page themselves: by a link of the studio's own pages, an address they
// typed or a bookmark, and not because another site leads their browser here or embeds the address. Browsers say so in
// Sec-Fetch-Site, over https and on this machine; elsewhere the page they come from has to be the studio's.
func (s *Server) ownNavigation(r *http.Request) bool {
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		from, err := url.Parse(r.Referer())
		if err != nil || from.Host == "" {
			return false
		}
		return from.Host == r.Host || slices.Contains(s.origins, from.Scheme+"://"+from.Host)
	default:
		return false
	}
}

// frame is what any page stands in.
func (s *Server) frame(r *http.Request, title string) templates.Frame {
	f := templates.Frame{Title: title, Asset: s.assets.url, Release: s.config.Release, Now: time.Now()}
	if actor, ok := r.Context().Value(keyActor).(annotator.User); ok {
		f.User = &actor
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
	if err := c.Render(r.Context(), buffer); err != nil { // nothing is sent of a page that breaks half-way
		return fmt.Errorf("rendering the page: %w", err)
	}
	w.WriteHeader(status)
	_, _ = w.Write(buffer.Bytes()) // the client has gone if this fails
	return nil
}

// signInAddress is where a visitor without a session is sent; it brings them back afterwards.
func signInAddress(r *http.Request) string {
	if r.URL.Path == "/" {
		return "/signin"
	}
	return "/signin?next=" + url.QueryEscape(r.URL.RequestURI())
}

func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, f failure) {
	detail := f.detail
	if f.field != "" { // no form beside it says which
		field := f.field
		for _, place := range []string{"body.", "query.", "header."} {
			field = strings.TrimPrefix(field, place)
		}
		detail = field + ": " + detail
	}
	if f.retry > 0 && f.status == http.StatusServiceUnavailable && r.Method == http.MethodGet {
		w.Header().Set("Refresh", strconv.Itoa(f.retry))
		detail += ". This page tries again by itself"
	}
	page := templates.ErrorPage(s.frame(r, f.title), templates.Failure{
		Status: f.status, Title: f.title, Detail: detail, Request: requestID(r.Context())})
	if err := s.render(w, r, f.status, page); err != nil {
		if r.Context().Err() == nil { // else nobody waits for it any more
			s.log.Error("error page", "error", err)
		}
		http.Error(w, f.title, f.status)
	}
}

// problemText is the sentence a form shows for an error that its sender can mend; other errors come back as they are.
func problemText(err error) (string, error) {
	if errors.Is(err, context.Canceled) {
		return "", err
	}
	if f := outcome(err); f.status < 500 && f.status != http.StatusForbidden && f.status != http.StatusUnauthorized && f.status != http.StatusNotFound {
		return f.detail, nil
	}
	return "", err
}
