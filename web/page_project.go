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
	return v.render(templates.SettingsPage(v.frame(v.project.Name, "settings"), templates.NewSettings(v.project.Project)))
}

// changeProject gives the project another name or description.
func (s *Server) changeProject(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	view := templates.NewSettings(v.project.Project)
	view.Name, view.Description = form.Get("name"), form.Get("description")
	_, err = s.service.ChangeProject(v.Context(), v.actor, v.project.Slug, annotator.ProjectChange{Name: &view.Name, Description: &view.Description})
	if err != nil {
		return s.refuseSettings(v, view, err)
	}
	v.say("Saved.")
	return v.redirect(v.to("settings"))
}

// renameClass changes how people read a class.
func (s *Server) renameClass(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	view := templates.NewSettings(v.project.Project)
	view.ClassName = form.Get("class_name")
	if view.Class, err = strconv.Atoi(form.Get("class")); err != nil {
		return s.refuseSettings(v, view, &annotator.ValidationError{Field: "class", Message: "choose a class"})
	}
	p, err := s.service.RenameClass(v.Context(), v.actor, v.project.Slug, view.Class, view.ClassName)
	if err != nil {
		return s.refuseSettings(v, view, err)
	}
	v.say("Class %d is called %s.", view.Class, p.Classes[view.Class].Name)
	return v.redirect(v.to("settings"))
}

// refuseSettings shows the page with what is wrong with a form on it.
func (s *Server) refuseSettings(v *visit, view templates.Settings, refused error) error {
	problem, err := problemText(refused)
	if err != nil {
		return err
	}
	view.Problem = sentenceOf(problem)
	return s.render(v.ResponseWriter, v.Request, outcome(refused).status, templates.SettingsPage(v.frame(v.project.Name, "settings"), view))
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
