package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/orders"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) projectsPage(v *visit) error {
	return s.showProjects(v, http.StatusOK, nil)
}

// showProjects shows the front page, with a form that was refused where there is one.
func (s *Server) showProjects(v *visit, status int, form *templates.ProjectForm) error {
	view := templates.Projects{Form: form}
	for state, list := range map[annotator.ProjectState]*[]annotator.ProjectSummary{
		annotator.ProjectOpen: &view.Projects, annotator.ProjectClosed: &view.Closed, annotator.ProjectDeleted: &view.Deleted,
	} {
		if state == annotator.ProjectDeleted && !v.actor.Role.May(annotator.RoleAdmin) {
			continue
		}
		var err error
		if *list, err = s.service.Projects(v.Context(), v.actor, state); err != nil {
			return err
		}
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.ProjectsPage(v.frame(words.T(v.Context(), "Projects"), "projects"), view))
}

func (s *Server) createProject(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	p, err := s.service.MakeProject(v.Context(), v.actor, annotator.NewProject{Slug: form.Get("slug"), Name: form.Get("name"), Description: form.Get("description"), Apart: form.Get("everybody") != "true"})
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showProjects(v, http.StatusUnprocessableEntity, &templates.ProjectForm{
			Slug: form.Get("slug"), Name: form.Get("name"), Description: form.Get("description"), Apart: form.Get("everybody") != "true", Problem: problem})
	}
	v.say("Made the project {name}.", "name", p.Name)
	return v.redirect("/projects/" + p.Slug + "/queue") // whose empty page says what comes next
}

// trailPage is how many entries the service returns at once.
const trailPage = 100

func (s *Server) settingsPage(v *visit) error {
	return s.showSettings(v, http.StatusOK, templates.NewSettings(v.project.Project))
}

// changeProject gives the project another name, description or time of feedback.
func (s *Server) changeProject(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	view := templates.NewSettings(v.project.Project)
	view.Name, view.Description = form.Get("name"), form.Get("description")
	if form.Has("feedback") { // a page from before it was a choice has none
		view.Feedback = annotator.Feedback(form.Get("feedback"))
	}
	view.SecondReviewer = form.Get("second_reviewer") == "true"
	_, err = s.service.ChangeProject(v.Context(), v.actor, v.project.Slug, annotator.ProjectChange{Name: &view.Name, Description: &view.Description, Feedback: &view.Feedback, SecondReviewer: &view.SecondReviewer})
	if err != nil {
		return s.refuseSettings(v, view, err)
	}
	v.say("Saved.")
	return v.redirect(v.to("settings"))
}

// changeMix changes how much of each order painters are given.
func (s *Server) changeMix(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	view := templates.NewSettings(v.project.Project)
	view.Mix = orders.Mix{}
	for _, order := range orders.All() {
		share := strings.TrimSpace(form.Get(string(order)))
		if share == "" {
			continue
		}
		if view.Mix[order], err = strconv.Atoi(share); err != nil {
			return s.refuseSettings(v, view, &annotator.ValidationError{Field: "mix", Message: fmt.Sprintf("%q is no whole number of per cent", share)})
		}
	}
	p, err := s.service.ChangeProject(v.Context(), v.actor, v.project.Slug, annotator.ProjectChange{Mix: view.Mix})
	if err != nil {
		return s.refuseSettings(v, view, err)
	}
	v.say("Painters are given {mix}.", "mix", words.Say(v.Context(), p.Mix.String()))
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
	v.say("Class {index} is called {name}.", "index", view.Class, "name", p.Classes[view.Class].Name)
	return v.redirect(v.to("settings"))
}

// putAway closes the project, opens it again, or deletes it.
func (s *Server) putAway(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	slug, name := v.project.Slug, v.project.Name
	switch form.Get("action") {
	case "close":
		if _, err = s.service.CloseProject(v.Context(), v.actor, slug); err == nil {
			v.say("{name} is closed. All of it can be read.", "name", name)
			return v.redirect(v.to("settings"))
		}
	case "reopen":
		if _, err = s.service.ReopenProject(v.Context(), v.actor, slug); err == nil {
			v.say("{name} is open again.", "name", name)
			return v.redirect(v.to("settings"))
		}
	case "delete":
		p, failed := s.service.DeleteProject(v.Context(), v.actor, slug, form.Get("name"))
		if err = failed; err == nil {
			v.say("{name} is deleted. Until {date} it can be restored, below.", "name", name, "date", words.Date(v.Context(), p.PurgesAt()))
			return v.redirect("/projects")
		}
	default:
		return errBadForm
	}
	view := templates.NewSettings(v.project.Project)
	view.Deleting = form.Get("action") == "delete"
	return s.refuseSettings(v, view, err)
}

// changeDeleted restores a deleted project, or removes its files for good.
func (s *Server) changeDeleted(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	slug := v.param("slug")
	switch form.Get("action") {
	case "restore":
		p, failed := s.service.RestoreProject(v.Context(), v.actor, slug)
		if err = failed; err == nil {
			v.say("{name} is back.", "name", p.Name)
			return v.redirect("/projects/" + slug + "/settings")
		}
	case "purge":
		if err = s.service.PurgeProject(v.Context(), v.actor, slug, form.Get("name")); err == nil {
			v.say("The files of {name} are removed.", "name", form.Get("name"))
			return v.redirect("/projects")
		}
	default:
		return errBadForm
	}
	problem, err := problemText(err)
	if err != nil {
		return err
	}
	v.warnOf(problem)
	return v.redirect("/projects")
}

// refuseSettings shows the page with what is wrong with a form on it.
func (s *Server) refuseSettings(v *visit, view templates.Settings, refused error) error {
	problem, err := problemText(refused)
	if err != nil {
		return err
	}
	view.Problem = sentenceOf(v.Context(), problem)
	return s.showSettings(v, outcome(refused).status, view)
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
	return v.render(templates.ActivityPage(v.frame(words.T(v.Context(), "Activity"), "activity"), view))
}
