package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

func (s *Server) routes(protection *http.CrossOriginProtection) http.Handler {
	r := chi.NewRouter()
	r.Use(s.observe, s.secure, protection.Handler)
	r.Route(apiPrefix, func(r chi.Router) { newAPI(s, r) })
	return r
}
