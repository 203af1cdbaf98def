package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/internal/logs"
	"github.com/abn-studio/studio/internal/text"
)

// record is what the access log and the metrics record of a request.
type record struct {
	http.ResponseWriter
	status int
	bytes  int64
	user   int64
	wrote  bool
}

// WriteHeader notes the status.
func (r *record) WriteHeader(status int) {
	if !r.wrote && status >= 200 {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (r *record) Write(p []byte) (int, error) {
	if !r.wrote {
		r.status, r.wrote = http.StatusOK, true
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *record) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Flush passes a flush on: event streams need it.
func (r *record) Flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

// The largest lengths, in characters, of what is logged of a request. Its sender chooses the address and parts of the errors, and must
// not be able to fill the log.
const (
	maxPathLogged   = 200
	maxMethodLogged = 16
	maxErrorLogged  = 1000
)

// observe gives a request its id (a trusted proxy's, if that has a valid form), recovers from a panic, and at the end writes a line of
// the access log and updates the metrics.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !s.sessions.trustProxy || !requestIDForm.MatchString(id) {
			id = rand.Text()[:16]
		}
		rec := &record{ResponseWriter: w, status: http.StatusOK}
		parent := ""
		if s.sessions.trustProxy {
			parent = r.Header.Get("Traceparent")
		}
		ctx, traced := s.config.Tracer.Request(logs.WithRequest(r.Context(), id), knownMethod(r.Method), parent)
		ctx = context.WithValue(ctx, keyRecord, rec)
		r = r.WithContext(ctx)
		w.Header().Set("X-Request-Id", id)
		s.watchProxies(r)
		start := time.Now()
		defer func() {
			if v := recover(); v != nil && v != any(http.ErrAbortHandler) {
				s.log.ErrorContext(ctx, "panic", "panic", text.Cut(fmt.Sprint(v), maxErrorLogged), "stack", string(debug.Stack()))
				s.fail(rec, r, fmt.Errorf("panic: %v", v))
			}
			took := time.Since(start)
			pattern := chi.RouteContext(ctx).RoutePattern()
			s.metrics.observe(r.Method, pattern, rec.status, took)
			traced(pattern, rec.status)
			s.log.InfoContext(ctx, "request", "method", text.Cut(r.Method, maxMethodLogged), "path", text.Cut(r.URL.Path, maxPathLogged), "route", pattern,
				"status", rec.status, "bytes", rec.bytes, "ms", float64(took.Microseconds())/1000, "user", rec.user)
		}()
		next.ServeHTTP(rec, r)
	})
}

// policy is the Content-Security-Policy of every page: nothing inline, nothing from elsewhere.
// blob: and data: pictures are what a canvas makes of a map.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers that tell a browser to be strict.
func (s *Server) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
		if s.sessions.overTLS(r) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// maxForm bounds what a page's form may send; the API bounds its bodies per operation.
const maxForm = 256 << 10

// bounded limits the body of a form.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// plain adapts a handler that returns an error.
func (s *Server) plain(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}
