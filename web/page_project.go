package web

import (
	"net/http"
	"strconv"

	"github.com/abn-studio/studio/annotator"
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
	v.say("Made the project %s.", p.Name)
	return v.redirect("/projects/" + p.Slug + "/queue") // whose empty page says what comes next
}

// trailPage is how many entries the service returns at once.
const trailPage = 100

func (s *Server) settingsPage(v *visit) error {
	return v.render(templates.SettingsPage(v.frame(v.project.Name, "settings")))
}

func (s *Server) activityPage(v *visit) error {
	before, _ := strconv.ParseInt(v.URL.Query().Get("before"), 10, 64) // anything but a number: from the newest
	view := templates.Activity{}
	var err error
	if view.Jobs, err = s.service.Jobs(v.Context(), v.actor, v.project.Slug); err != nil {
		return err
	}
	if view.Entries, err = s.service.Audit(v.Context(), v.actor, v.project.Slug, before); err != nil {
		return err
	}
	if n := len(view.Entries); n >= trailPage {
		view.Older = view.Entries[n-1].ID
	}
	if v.actor.Role.May(annotator.RoleAdmin) {
		if view.Workers, err = s.service.Workers(v.Context(), v.actor); err != nil {
			return err
		}
	}
	return v.render(templates.ActivityPage(v.frame("Activity", "activity"), view))
}
