package web

import (
	"github.com/abn-studio/studio/annotator"
)

// QueuesPath is where River's own page of its queues is.
const QueuesPath = "/jobs"

// queues hands a request to River's page, which serves its files and the API that it asks. It is no page of ours: it has its own look, in
// English alone (ADR 44). The policy of our pages holds for it as well.
func (s *Server) queues(v *visit) error {
	if s.config.Queues == nil {
		return annotator.ErrNotFound
	}
	s.config.Queues.ServeHTTP(v.ResponseWriter, v.Request)
	return nil
}
