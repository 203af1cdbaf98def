package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// healthz says that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok\n")
}

// readyz says whether requests can be served: 503 while the database cannot be reached or a folder cannot be written to.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	switch err := s.config.Ready(ctx); {
	case errors.Is(err, annotator.ErrFull):
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "not ready: "+err.Error()+"\nFree some space; nothing that is there is lost.", http.StatusServiceUnavailable)
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", annotator.ErrUnavailable, err)
	}
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ready\n")
	return nil
}
