package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// agreementPage shows what several people paint, and how far they agree.
func (s *Server) agreementPage(v *visit) error {
	shared, err := s.service.Shared(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	return v.render(templates.AgreementPage(v.frame(words.T(v.Context(), "Agreement"), "review"), shared))
}

// sharedPage shows all maps of one image.
func (s *Server) sharedPage(v *visit) error {
	return s.showShared(v, http.StatusOK, templates.SharedView{})
}

func (s *Server) showShared(v *visit, status int, view templates.SharedView) error {
	image, err := v.id("image")
	if err != nil {
		return err
	}
	if view.SharedDetail, err = s.service.SharedImage(v.Context(), v.actor, v.project.Slug, image); err != nil {
		return err
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.SharedPage(v.frame(words.T(v.Context(), "Maps of {class}", "class", view.LabelName), "review"), view))
}

// adopt makes the mean of an image's maps, or one of them, what rounds learn from.
func (s *Server) adopt(v *visit) error {
	image, err := v.id("image")
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	a := annotator.Adoption{Edit: number(form.Get("edit")), Comment: form.Get("comment")}
	for _, source := range form["source"] {
		a.Sources = append(a.Sources, number(source))
	}
	t, err := s.service.Adopt(v.Context(), v.actor, v.project.Slug, image, a)
	if err != nil {
		status := outcome(err).status
		problem, told := problemText(err)
		if told != nil {
			return told
		}
		return s.showShared(v, status, templates.SharedView{Comment: a.Comment, Problem: sentenceOf(v.Context(), problem)})
	}
	v.say("Adopted as #{id}. Rounds learn from it.", "id", strconv.FormatInt(t.ID, 10))
	return v.redirect(v.to("agreement/%d", image))
}

// changeOverlap says which images several people paint, and how many tasks are checks.
func (s *Server) changeOverlap(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	view := templates.NewSettings(v.project.Project)
	for _, field := range []struct {
		name string
		set  func(n int64)
	}{
		{"check_share", func(n int64) { view.CheckShare = int(n) }}, {"share", func(n int64) { view.Overlap.Share = int(n) }}, {"painters", func(n int64) { view.Overlap.Painters = int(n) }}, {"seed", func(n int64) { view.Overlap.Seed = n }},
	} {
		bits := 32
		if field.name == "seed" {
			bits = 64
		}
		n, err := strconv.ParseInt(strings.TrimSpace(form.Get(field.name)), 10, bits)
		if err != nil {
			return s.refuseSettings(v, view, &annotator.ValidationError{Field: field.name, Message: fmt.Sprintf("%q is no whole number", form.Get(field.name))})
		}
		field.set(n)
	}
	p, err := s.service.ChangeProject(v.Context(), v.actor, v.project.Slug, annotator.ProjectChange{Overlap: &view.Overlap, CheckShare: &view.CheckShare})
	if err != nil {
		return s.refuseSettings(v, view, err)
	}
	v.say("Saved: {overlap}, {share} % of tasks are checks.", "overlap", words.Say(v.Context(), p.Overlap.String()), "share", p.CheckShare)
	return v.redirect(v.to("settings#overlap"))
}
