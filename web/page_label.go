package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// suspectsShown is how many suspects the page lists.
const suspectsShown = 60

// suspectsPage lists images whose labels are probably wrong.
func (s *Server) suspectsPage(v *visit) error {
	found, err := s.service.Suspects(v.Context(), v.actor, v.project.Slug, suspectsShown)
	if err != nil {
		return err
	}
	return v.render(templates.SuspectsPage(v.frame(words.T(v.Context(), "Suspect labels"), "review"), found))
}

// nextSuspect goes on to the most suspect label that is left; where none is, to the list.
func (s *Server) nextSuspect(v *visit) error {
	found, err := s.service.Suspects(v.Context(), v.actor, v.project.Slug, 1)
	if err != nil {
		return err
	}
	if len(found.Suspects) == 0 {
		return v.redirect(v.to("suspects"))
	}
	return v.redirect(v.to("images/%d?suspect=%d", found.Suspects[0].Image.ID, found.Suspects[0].Suggested))
}

// labelsPage lists what was said of labels.
func (s *Server) labelsPage(v *visit) error {
	before, _ := strconv.ParseInt(v.URL.Query().Get("before"), 10, 64) // anything but a number: from the newest
	all, err := s.service.LabelVerdicts(v.Context(), v.actor, v.project.Slug, annotator.LabelFilter{Before: max(0, before)})
	if err != nil {
		return err
	}
	view := templates.Labels{Verdicts: all}
	if len(all) == annotator.DefaultPage {
		view.Older = all[len(all)-1].ID
	}
	if v.actor.Role.May(annotator.RoleReviewer) {
		_, err := s.service.NextLabelVerdict(v.Context(), v.actor, v.project.Slug, 0)
		if view.Next = err == nil; err != nil && !errors.Is(err, annotator.ErrNoTask) {
			return err
		}
	}
	return v.render(templates.LabelsPage(v.frame(words.T(v.Context(), "Labels"), "review"), view))
}

// nextLabel opens what waits longest, or the one after ?after=; where none waits, the list.
func (s *Server) nextLabel(v *visit) error {
	after, _ := strconv.ParseInt(v.URL.Query().Get("after"), 10, 64) // anything but a number: from the first
	next, err := s.service.NextLabelVerdict(v.Context(), v.actor, v.project.Slug, after)
	if errors.Is(err, annotator.ErrNoTask) && after > 0 { // from the beginning again
		next, err = s.service.NextLabelVerdict(v.Context(), v.actor, v.project.Slug, 0)
	}
	switch {
	case errors.Is(err, annotator.ErrNoTask):
		return v.redirect(v.to("labels"))
	case err != nil:
		return err
	}
	return v.redirect(v.to("labels/%d", next.ID))
}

// labelOf returns the verdict of the address, which is one of the project's.
func (s *Server) labelOf(v *visit) (annotator.LabelVerdict, error) {
	id, err := v.id("verdict")
	if err != nil {
		return annotator.LabelVerdict{}, err
	}
	verdict, err := s.service.LabelVerdict(v.Context(), v.actor, id)
	if err == nil && verdict.ProjectID != v.project.ID {
		err = fmt.Errorf("verdict %s on a label: %w", text.Count(id), annotator.ErrNotFound)
	}
	return verdict, err
}

func (s *Server) labelPage(v *visit) error {
	verdict, err := s.labelOf(v)
	if err != nil {
		return err
	}
	return s.showLabel(v, http.StatusOK, templates.Label{Verdict: verdict})
}

func (s *Server) showLabel(v *visit, status int, view templates.Label) (err error) {
	if view.Image, view.Prediction, err = s.service.Image(v.Context(), v.actor, view.Verdict.ImageID, nil); err != nil {
		return err
	}
	if view.History, err = s.service.LabelHistory(v.Context(), v.actor, view.Verdict.ImageID); err != nil {
		return err
	}
	view.Refused = view.Verdict.MayJudge(v.actor)
	return s.render(v.ResponseWriter, v.Request, status, templates.LabelPage(v.frame(words.Say(v.Context(), view.Verdict.Text()), "review"), view))
}

// judgeLabel decides a verdict and goes on to the next that waits; its author may take it back instead.
func (s *Server) judgeLabel(v *visit) error {
	verdict, err := s.labelOf(v)
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	says := form.Get("verdict")
	if says == "withdraw" {
		_, err = s.service.WithdrawLabel(v.Context(), v.actor, verdict.ID)
	} else {
		_, err = s.service.JudgeLabel(v.Context(), v.actor, verdict.ID, annotator.LabelJudgement(says), form.Get("comment"))
	}
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showLabel(v, http.StatusUnprocessableEntity, templates.Label{Verdict: verdict, Comment: form.Get("comment"), Problem: problem})
	}
	switch annotator.LabelJudgement(says) {
	case annotator.LabelConfirm:
		v.say("Confirmed: {what}.", "what", words.Say(v.Context(), verdict.Text()))
	case annotator.LabelReject:
		v.say("The label stays.")
	default:
		v.say("Taken back.")
		return v.redirect(v.to("images/%d", verdict.ImageID))
	}
	return v.redirect(v.to("labels/next?after=%d", verdict.ID))
}

// proposeLabel says what is wrong with an image's label.
func (s *Server) proposeLabel(v *visit) error {
	id, err := v.id("image")
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	typed := templates.LabelForm{Says: form.Get("says"), Class: form.Get("class"), Comment: form.Get("comment"), Suggested: form.Get("suspect")}
	p := annotator.LabelProposal{Says: annotator.LabelAnswer(typed.Says), Comment: typed.Comment}
	if p.Says == annotator.LabelIsClass {
		index, found := annotator.ClassFinder(v.project.Classes)(typed.Class)
		if !found {
			typed.Problem = strconv.Quote(typed.Class) + " is no class of the project: choose one of the list"
			return s.showImage(v, id, http.StatusUnprocessableEntity, typed)
		}
		p.Class = &index
	}
	verdict, err := s.service.ProposeLabel(v.Context(), v.actor, id, p)
	if err != nil {
		if typed.Problem, err = problemText(err); err != nil {
			return err
		}
		return s.showImage(v, id, http.StatusUnprocessableEntity, typed)
	}
	if verdict.State == annotator.LabelVouched {
		v.say("You say that it is right.")
	} else {
		v.say("A reviewer decides: {what}.", "what", words.Say(v.Context(), verdict.Text()))
	}
	if typed.Suggested != "" {
		return v.redirect(v.to("suspects/next"))
	}
	return v.redirect(v.to("images/%d", id))
}
