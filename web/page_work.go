package web

import "github.com/abn-studio/studio/templates"

// workPage shows what each person has done in the project.
func (s *Server) workPage(v *visit) error {
	people, err := s.service.Work(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	return v.render(templates.WorkPage(v.frame("People of "+v.project.Name, "queue"), people))
}
