package web

import (
	"errors"
	"net/http"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/takeout"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) newMapsPage(v *visit) error {
	return s.showMaps(v, http.StatusOK, templates.BringMaps{})
}

func (s *Server) showMaps(v *visit, status int, view templates.BringMaps) error {
	view.MaxBytes, view.Suffixes, view.Naming = s.config.MaxModelBytes, takeout.ReadSuffixes, takeout.Naming
	return s.render(v.ResponseWriter, v.Request, status, templates.BringMapsPage(v.frame(words.T(v.Context(), "Bring maps"), "settings"), view))
}

// bringMaps receives maps, and shows what became of them or what is wrong.
func (s *Server) bringMaps(v *visit) error {
	asked, report, err := s.receiveMaps(v.ResponseWriter, v.Request, v.actor, v.project.Slug)
	view := templates.BringMaps{Choices: asked.Choices, SkipUnknown: asked.SkipUnknown}
	if err == nil {
		view.Report = &report
		return s.showMaps(v, http.StatusOK, view)
	}
	status := outcome(err).status
	var invalid *annotator.ValidationError
	if errors.As(err, &invalid) {
		view.Field = invalid.Field
	}
	problem, err := problemText(err)
	if err != nil {
		return err
	}
	view.Problem = sentenceOf(v.Context(), problem)
	return s.showMaps(v, status, view)
}
