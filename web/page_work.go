package web

import (
	"net/http"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// workPage shows what each person has done in the project, and to reviewers who takes part in it.
func (s *Server) workPage(v *visit) error {
	return s.showWork(v, http.StatusOK, templates.Members{})
}

func (s *Server) showWork(v *visit, status int, view templates.Members) error {
	people, err := s.service.Work(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	var members *templates.Members
	if v.actor.Role.May(annotator.RoleReviewer) {
		if view.Members, err = s.service.Members(v.Context(), v.actor, v.project.Slug); err != nil {
			return err
		}
		members = &view
	}
	title := words.T(v.Context(), "People of {name}", "name", v.project.Name)
	return s.render(v.ResponseWriter, v.Request, status, templates.WorkPage(v.frame(title, "queue"), people, members))
}

// addMember makes somebody a member of the project.
func (s *Server) addMember(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	m, err := s.service.AddMember(v.Context(), v.actor, v.project.Slug, form.Get("email"), annotator.Role(form.Get("role")))
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showWork(v, http.StatusUnprocessableEntity, templates.Members{Email: form.Get("email"), Role: form.Get("role"), Problem: sentenceOf(v.Context(), problem)})
	}
	v.say("{name} is a member.", "name", m.Name)
	return v.redirect(v.to("people#members"))
}

// changeMember gives a member another role, or takes them out of the project.
func (s *Server) changeMember(v *visit) error {
	id, err := v.id("user")
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	switch form.Get("action") {
	case "role":
		var m annotator.Member
		if m, err = s.service.SetMember(v.Context(), v.actor, v.project.Slug, id, annotator.Role(form.Get("role"))); err == nil {
			v.say("Changed {name}.", "name", m.Name)
		}
	case "remove":
		if err = s.service.RemoveMember(v.Context(), v.actor, v.project.Slug, id); err == nil {
			v.say("Taken out of the project.")
		}
		if id == v.actor.ID && err == nil && v.actor.Role != annotator.RoleAdmin { // who is not let in here any more
			return v.redirect("/projects")
		}
	default:
		return errBadForm
	}
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warn("Not changed: {problem}", "problem", words.Say(v.Context(), problem))
	}
	return v.redirect(v.to("people#members"))
}
