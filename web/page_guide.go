package web

import (
	"net/http"

	"github.com/abn-studio/studio/internal/guide"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// guidePage shows painters good and bad maps.
func (s *Server) guidePage(v *visit) error {
	examples, err := guide.Read()
	if err != nil {
		return err
	}
	return s.render(v.ResponseWriter, v.Request, http.StatusOK, templates.GuidePage(v.frame(words.T(v.Context(), "How to paint a map"), "guide"), examples))
}
