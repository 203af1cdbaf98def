package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/templates"
)

// nextReview opens the edit that waits longest, or the one after ?after=, or says that none waits.
func (s *Server) nextReview(v *visit) error {
	after, _ := strconv.ParseInt(v.URL.Query().Get("after"), 10, 64) // anything but a number: from the first
	t, err := s.service.NextReview(v.Context(), v.actor, v.project.Slug, after)
	if errors.Is(err, annotator.ErrNoTask) && after > 0 { // from the beginning again
		t, err = s.service.NextReview(v.Context(), v.actor, v.project.Slug, 0)
	}
	switch {
	case errors.Is(err, annotator.ErrNoTask):
		return v.render(templates.ReviewPage(v.frame("Review", "review"), templates.Review{Judged: s.judged(v)}))
	case err != nil:
		return err
	}
	if judged := v.URL.Query().Get("judged"); judged != "" {
		return v.redirect(v.to("review/%d?judged=%s", t.ID, url.QueryEscape(judged)))
	}
	return v.redirect(v.to("review/%d", t.ID))
}

// judged returns the task of ?judged=, on which the visitor's last verdict was; nil without one.
func (s *Server) judged(v *visit) *annotator.TaskDetail {
	id, err := strconv.ParseInt(v.URL.Query().Get("judged"), 10, 64)
	if err != nil {
		return nil
	}
	t, err := s.service.Task(v.Context(), v.actor, id)
	if err != nil || t.ProjectID != v.project.ID {
		return nil
	}
	return &t
}

func (s *Server) reviewPage(v *visit) error {
	t, err := s.taskOf(v)
	if err != nil {
		return err
	}
	return s.showReview(v, http.StatusOK, templates.Review{Task: &t, Judged: s.judged(v)})
}

func (s *Server) showReview(v *visit, status int, view templates.Review) error {
	revisions, err := s.service.Revisions(v.Context(), v.actor, view.Task.ID)
	if err != nil {
		return err
	}
	view.Revisions, view.Waiting = revisions, v.project.InReview
	view.Refused = view.Task.MayJudge(v.actor)
	title := "Review #" + strconv.FormatInt(view.Task.ID, 10)
	return s.render(v.ResponseWriter, v.Request, status, templates.ReviewPage(v.frame(title, "review", "review"), view))
}

// judge takes a verdict and goes on to the next edit that waits.
func (s *Server) judge(v *visit) error {
	t, err := s.taskOf(v)
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	edit, err := strconv.ParseInt(form.Get("edit"), 10, 64)
	if err != nil || t.Edit == nil || t.Edit.ID != edit {
		return s.showReview(v, http.StatusConflict, templates.Review{Task: &t, Comment: form.Get("comment"),
			Problem: "A newer map has been submitted meanwhile; this is it."})
	}
	verdict := annotator.Verdict(form.Get("verdict"))
	if _, err := s.service.Review(v.Context(), v.actor, edit, verdict, form.Get("comment")); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showReview(v, http.StatusUnprocessableEntity, templates.Review{Task: &t, Comment: form.Get("comment"), Problem: problem})
	}
	return v.redirect(v.to("review?after=%d&judged=%d", t.ID, t.ID))
}

// retract takes a verdict back, and shows the edit, which waits for one again.
func (s *Server) retract(v *visit) error {
	t, err := s.taskOf(v)
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	edit, err := strconv.ParseInt(form.Get("edit"), 10, 64)
	if err != nil || t.Edit == nil || t.Edit.ID != edit {
		v.warn("Nothing was taken back: #%d has a newer map.", t.ID)
		return v.redirect(v.to("review/%d", t.ID))
	}
	if _, err := s.service.Retract(v.Context(), v.actor, edit); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warn("The verdict stays: %s.", problem)
		return v.redirect(v.to("review/%d", t.ID))
	}
	v.say("The verdict on #%d is taken back; it waits for another one.", t.ID)
	return v.redirect(v.to("review/%d", t.ID))
}
