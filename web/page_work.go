package web

import (
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// workPage shows what each person has done in the project.
func (s *Server) workPage(v *visit) error {
	people, err := s.service.Work(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	return v.render(templates.WorkPage(v.frame(words.T(v.Context(), "People of {name}", "name", v.project.Name), "queue"), people))
}
