package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/abn-studio/studio/annotator"
)

// routes lists every address of the studio. Whoever adds one names the role it needs.
func (s *Server) routes(protection *http.CrossOriginProtection) http.Handler {
	const (
		annotators = annotator.RoleAnnotator
		reviewers  = annotator.RoleReviewer
		admins     = annotator.RoleAdmin
	)
	r := chi.NewRouter()
	r.Use(s.observe, s.secure)
	r.NotFound(s.plain(func(http.ResponseWriter, *http.Request) error { return annotator.ErrNotFound }))

	// For machines and browsers: no session, no page.
	r.Get("/healthz", s.healthz)
	r.Get("/readyz", s.plain(s.readyz))
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(s.config.Metrics, promhttp.HandlerOpts{}))
	r.Method(http.MethodGet, "/static/*", s.assets)
	r.Get("/favicon.ico", s.favicon)

	r.Group(func(r chi.Router) {
		r.Use(protection.Handler, s.sessions.loadAndSave, s.authenticate)
		r.Route(apiPrefix, func(r chi.Router) { newAPI(s, r) })

		r.Group(func(r chi.Router) {
			r.Use(bounded, compressed)
			r.NotFound(s.plain(func(http.ResponseWriter, *http.Request) error { return annotator.ErrNotFound }))
			r.Get("/", s.page(annotators, func(v *visit) error { return v.redirect("/projects") }))
			r.Get("/signin", s.plain(s.signInPage))
			r.Post("/signin", s.plain(s.doSignIn))
			r.Post("/signout", s.plain(s.doSignOut))

			r.Get("/projects", s.page(annotators, s.projectsPage))
			r.Post("/projects", s.page(admins, s.createProject))
			_ = reviewers
		})
	})
	return r
}
