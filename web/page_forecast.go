package web

import (
	"net/http"

	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// forecastPage says whether painting is likely to pay.
func (s *Server) forecastPage(v *visit) error { return s.showForecast(v, http.StatusOK, "") }

// startForecast has it worked out anew.
func (s *Server) startForecast(v *visit) error {
	_, err := s.service.StartForecast(v.Context(), v.actor, v.project.Slug)
	if err == nil {
		return v.redirect(v.to("forecast"))
	}
	problem, told := problemText(err)
	if told != nil {
		return told
	}
	return s.showForecast(v, outcome(err).status, problem)
}

func (s *Server) showForecast(v *visit, status int, problem string) error {
	found, err := s.service.ForecastOf(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	view := templates.Forecast{ProjectForecast: found, Problem: problem}
	return s.render(v.ResponseWriter, v.Request, status, templates.ForecastPage(v.frame(words.T(v.Context(), "Will it pay?"), "rounds"), view))
}
