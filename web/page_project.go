package web

import (
	"net/http"

	"github.com/abn-studio/studio/templates"
)

func (s *Server) projectsPage(v *visit) error {
	projects, err := s.service.Projects(v.Context(), v.actor)
	if err != nil {
		return err
	}
	return v.render(templates.ProjectsPage(v.frame("Projects", "projects"), templates.Projects{Projects: projects}))
}

func (s *Server) createProject(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	p, err := s.service.CreateProject(v.Context(), v.actor, form.Get("slug"), form.Get("name"), form.Get("description"))
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		projects, err := s.service.Projects(v.Context(), v.actor)
		if err != nil {
			return err
		}
		view := templates.Projects{Projects: projects, Form: &templates.ProjectForm{
			Slug: form.Get("slug"), Name: form.Get("name"), Description: form.Get("description"), Problem: problem}}
		return s.render(v.ResponseWriter, v.Request, http.StatusUnprocessableEntity, templates.ProjectsPage(v.frame("Projects", "projects"), view))
	}
	v.say("Made the project %s. Add a model and images to it next.", p.Name)
	return v.redirect("/projects/" + p.Slug + "/settings")
}
