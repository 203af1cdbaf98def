package web

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// showSettings shows a project's page; an admin sees how much of whose maps is reviewed.
func (s *Server) showSettings(v *visit, status int, view templates.Settings) error {
	if v.actor.Role.May(annotator.RoleLead) {
		report, err := s.service.Sampling(v.Context(), v.actor, v.project.Slug)
		if err != nil {
			return err
		}
		view.Authors = report.Authors
		members, err := s.service.Members(v.Context(), v.actor, v.project.Slug)
		if err != nil {
			return err
		}
		for _, m := range members {
			if !m.Disabled {
				view.Members++
			}
		}
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.SettingsPage(v.frame(v.project.Name, "settings"), view))
}

// changeSampling changes how much of people's maps is reviewed.
func (s *Server) changeSampling(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	view := templates.NewSettings(v.project.Project)
	view.Share, view.Newcomer = strings.TrimSpace(form.Get("share")), strings.TrimSpace(form.Get("newcomer"))
	var sampling annotator.Sampling
	for _, field := range []struct {
		to   *int
		text string
	}{{&sampling.Share, view.Share}, {&sampling.Newcomer, view.Newcomer}} {
		if *field.to, err = strconv.Atoi(field.text); err != nil {
			return s.refuseSettings(v, view, &annotator.ValidationError{Field: "sampling", Message: fmt.Sprintf("%q is no whole number", field.text)})
		}
	}
	p, err := s.service.ChangeProject(v.Context(), v.actor, v.project.Slug, annotator.ProjectChange{Sampling: &sampling})
	if err != nil {
		return s.refuseSettings(v, view, err)
	}
	v.say("Reviewed: {sampling}.", "sampling", words.Say(v.Context(), p.Sampling.String()))
	return v.redirect(v.to("settings"))
}
