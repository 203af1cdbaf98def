package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// reviewsPage shows what waits for review. Nobody has a map to judge by opening a page: the button of the next one gives it.
func (s *Server) reviewsPage(v *visit) error {
	q := v.URL.Query()
	order := templates.ParseReviewOrder(q)
	page, err := s.service.Reviews(v.Context(), v.actor, v.project.Slug, annotator.ReviewQuery{Order: order, After: max(0, number(q.Get("after")))})
	if err != nil {
		return err
	}
	view := templates.NewReviews(page, order, v.actor)
	if q.Get("part") == "cards" {
		return v.render(templates.ReviewCards(v.frame(words.T(v.Context(), "Review"), "review"), view))
	}
	view.Judged, view.Accepted = s.judged(v), accepted(q)
	if view.Reasons, err = s.service.ReasonCounts(v.Context(), v.actor, v.project.Slug); err != nil {
		return err
	}
	return v.render(templates.ReviewsPage(v.frame(words.T(v.Context(), "Review"), "review"), view))
}

// nextReview gives the visitor the next map to judge, and opens it or, with part=review, answers with its part of the page alone: the script
// of the page before asks for it ahead. The form may leave a map (release), and names those that are not wanted (except).
func (s *Server) nextReview(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	if id := number(form.Get("release")); id > 0 {
		if err := s.service.ReleaseReview(v.Context(), v.actor, id); err != nil && outcome(err).status >= 500 {
			return err // else it was somebody else's, or is judged: it is left in any case
		}
	}
	var except []int64
	for _, text := range form["except"] {
		except = append(except, number(text))
	}
	order := templates.ParseReviewOrder(form)
	judged := number(form.Get("judged")) // of the next page's address
	t, err := s.service.NextReviewIn(v.Context(), v.actor, v.project.Slug, order, number(form.Get("after")), except...)
	part := form.Get("part") == reviewPart
	var limit *annotator.LeaseLimitError
	switch {
	case errors.Is(err, annotator.ErrNoTask) && part:
		v.WriteHeader(http.StatusNoContent)
		return nil
	case errors.Is(err, annotator.ErrNoTask):
		v.say("Nothing else waits for you to review.")
		return v.redirect(v.review(order, 0, judged))
	case errors.As(err, &limit) && !part:
		v.warn("No map was taken: {why}.", "why", words.Say(v.Context(), limit.Error()))
		return v.redirect(v.review(order, 0, 0))
	case err != nil:
		return err
	case part:
		return s.showReview(v, http.StatusOK, templates.Review{Task: &t, Order: order})
	}
	return v.redirect(v.review(order, t.ID, judged))
}

// review is the address of what waits in an order or, with a task, of that task's page, beside which the task that was judged before it
// can be taken back; 0: none.
func (v *visit) review(order annotator.ReviewOrder, task, judged int64) string {
	address := templates.ReviewAddress(templates.Frame{Project: v.project}, order, task)
	if judged > 0 {
		return withQuery(address, "judged", strconv.FormatInt(judged, 10))
	}
	return address
}

// reviewPart asks for the part of a review's page that belongs to one map.
const reviewPart = "review"

// number reads a number of a form or an address; 0 where it is none.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
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
	return s.showReview(v, http.StatusOK, templates.Review{Task: &t, Judged: s.judged(v), Order: templates.ParseReviewOrder(v.URL.Query())})
}

func (s *Server) showReview(v *visit, status int, view templates.Review) error {
	revisions, err := s.service.Revisions(v.Context(), v.actor, view.Task.ID)
	if err != nil {
		return err
	}
	view.Revisions, view.Waiting = revisions, v.project.ToReview
	view.Refused, view.Corrects = view.Task.MayJudge(v.actor), view.Task.MayCorrect(v.actor) == nil
	title := words.T(v.Context(), "Review #{id}", "id", strconv.FormatInt(view.Task.ID, 10))
	if v.FormValue("part") == reviewPart {
		f := s.frame(v.Request, title) // and not the visit's, whose notice is for the next whole page
		f.Project, f.Section = v.project, "review"
		return s.render(v.ResponseWriter, v.Request, status, templates.ReviewDesk(f, view))
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.ReviewPage(v.frame(title, "review", "review"), view))
}

// correctPage opens a map in review in the editor, for its reviewer to change and approve.
func (s *Server) correctPage(v *visit) error {
	t, err := s.taskOf(v)
	if err != nil {
		return err
	}
	view := templates.Editor{Task: tidy(v.Context(), t), Corrects: true, Order: templates.ParseReviewOrder(v.URL.Query())}
	if view.Clicks, err = s.service.HasSegmenter(v.Context(), v.actor); err != nil {
		return err
	}
	switch refused := t.MayCorrect(v.actor); {
	case errors.Is(refused, annotator.ErrForbidden):
		view.Reason = words.T(v.Context(), "You painted a part of this: somebody else judges it")
	case refused != nil:
		view.Reason = readOnlyReason(v.Context(), t)
	case t.Lease != nil && !t.Lease.Mine:
		view.Reason = words.T(v.Context(), "{name} is reviewing this one", "name", t.Lease.UserName)
	}
	return v.render(templates.EditorPage(v.frame(words.T(v.Context(), "Correct #{id} {class}", "id", strconv.FormatInt(t.ID, 10), "class", t.LabelName), "review", "editor"), view))
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
	order := templates.ParseReviewOrder(form)
	edit, err := strconv.ParseInt(form.Get("edit"), 10, 64)
	if err != nil || t.Edit == nil || t.Edit.ID != edit {
		return s.showReview(v, http.StatusConflict, templates.Review{Task: &t, Order: order, Comment: form.Get("comment"),
			Problem: "A newer map has been submitted meanwhile; this is it."})
	}
	verdict := annotator.Verdict(form.Get("verdict"))
	var reasons []annotator.Reason
	for _, word := range form["reason"] {
		reasons = append(reasons, annotator.Reason(word))
	}
	if _, err := s.service.Review(v.Context(), v.actor, edit, verdict, form.Get("comment"), reasons...); err != nil {
		status := outcome(err).status
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		if t, err = s.taskOf(v); err != nil { // as it is now: somebody else may have it, or have judged it
			return err
		}
		return s.showReview(v, status, templates.Review{Task: &t, Order: order, Comment: form.Get("comment"), Reasons: reasons, Problem: problem})
	}
	next, err := s.service.NextReviewIn(v.Context(), v.actor, v.project.Slug, order, t.ID)
	var limit *annotator.LeaseLimitError
	switch {
	case errors.Is(err, annotator.ErrNoTask), errors.As(err, &limit):
		return v.redirect(v.review(order, 0, t.ID))
	case err != nil:
		return err
	}
	return v.redirect(v.review(order, next.ID, t.ID))
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
	back := v.review(templates.ParseReviewOrder(form), t.ID, 0)
	edit, err := strconv.ParseInt(form.Get("edit"), 10, 64)
	if err != nil || t.Edit == nil || t.Edit.ID != edit {
		v.warn("Nothing was taken back: #{id} has a newer map.", "id", strconv.FormatInt(t.ID, 10))
		return v.redirect(back)
	}
	if _, err := s.service.Retract(v.Context(), v.actor, edit); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warn("The verdict stays: {why}.", "why", words.Say(v.Context(), problem))
		return v.redirect(back)
	}
	v.say("The verdict on #{id} is taken back; it waits for another one.", "id", strconv.FormatInt(t.ID, 10))
	return v.redirect(back)
}
