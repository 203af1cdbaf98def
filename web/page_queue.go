package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // where the machine has none

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// sheetSize is how many cards one page of the queue holds.
const sheetSize = 60

func (s *Server) queuePage(v *visit) error {
	q := templates.ParseQueueQuery(v.URL.Query())
	filter := q.Filter(v.project.Slug)
	filter.Limit = sheetSize
	page, err := s.service.Tasks(v.Context(), v.actor, filter)
	if err != nil {
		return err
	}
	view := templates.Queue{Query: q, Page: page}
	if v.URL.Query().Get("part") == "cards" { // scrolling asks only for the next cards
		return v.render(templates.QueueCards(v.frame(words.T(v.Context(), "Queue"), "queue"), view))
	}
	if view.Facets, err = s.service.Facets(v.Context(), v.actor, filter); err != nil {
		return err
	}
	if view.Today, err = s.service.DayProgress(v.Context(), v.actor, v.project.Slug, "", zoneOf(v.Request)); err != nil {
		return err
	}
	if v.actor.Role.May(annotator.RoleReviewer) {
		if view.Painters, err = s.service.Painters(v.Context(), v.actor, v.project.Slug); err != nil {
			return err
		}
		view.Undo, _ = strconv.ParseInt(v.URL.Query().Get("undo"), 10, 64) // anything else is nothing
	}
	return v.render(templates.QueuePage(v.frame(words.T(v.Context(), "{project} queue", "project", v.project.Name), "queue"), view))
}

// zoneOf is the time zone of a visitor, which their browser has told in a cookie; "" where it has not, or one that is not known here.
func zoneOf(r *http.Request) string {
	cookie, err := r.Cookie("zone")
	if err != nil {
		return ""
	}
	zone, err := url.PathUnescape(cookie.Value)
	if err != nil || zone == "Local" {
		return ""
	}
	if _, err := time.LoadLocation(zone); err != nil {
		return ""
	}
	return zone
}

// nextTask takes the next task of the selection that the visitor looks at, and opens it.
func (s *Server) nextTask(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	q := templates.ParseQueueQuery(form)
	queue := v.to("%s", q.Address())
	t, err := s.service.NextTask(v.Context(), v.actor, q.Filter(v.project.Slug))
	if errors.Is(err, annotator.ErrNoTask) {
		if q.Filtered() {
			v.say("Nothing of this selection is left to paint: it is done, in review or with somebody else.")
		} else {
			v.say("Nothing is left to paint: every task is done, in review or with somebody else.")
		}
		return v.redirect(queue)
	}
	var limit *annotator.LeaseLimitError
	if errors.As(err, &limit) {
		v.warn("No task was taken: {why}.", "why", words.Say(v.Context(), limit.Error()))
		return v.redirect(queue)
	}
	if err != nil {
		return err
	}
	return v.redirect(v.to("%s", q.TaskAddress(t.ID)))
}

// bulkWords says what was done with n tasks at once, to whom if they were assigned; "" for what is no such action.
func bulkWords(ctx context.Context, action annotator.BulkAction, n int, name string) string {
	switch action {
	case annotator.BulkSkip:
		return words.N(ctx, n, "Skipped {n} task", "Skipped {n} tasks")
	case annotator.BulkRelease:
		return words.N(ctx, n, "Gave back {n} task", "Gave back {n} tasks")
	case annotator.BulkReopen:
		return words.N(ctx, n, "Reopened {n} task", "Reopened {n} tasks")
	case annotator.BulkAssign:
		return words.N(ctx, n, "Assigned {n} task to {name}", "Assigned {n} tasks to {name}", "name", name)
	case annotator.BulkUnassign:
		return words.N(ctx, n, "Unassigned {n} task", "Unassigned {n} tasks")
	}
	return ""
}

// bulkTasks applies one action to every selected task, or to all of the selection that the visitor looks at.
func (s *Server) bulkTasks(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	back := localAddress(form.Get("back"))
	change := annotator.BulkChange{Action: annotator.BulkAction(form.Get("action")), Reason: strings.TrimSpace(form.Get("reason")),
		All: form.Get("all") != "", Filter: templates.ParseQueueQuery(form).Filter(v.project.Slug)}
	if bulkWords(v.Context(), change.Action, 0, "") == "" {
		return fmt.Errorf("%w: %q is nothing that can be done with tasks", errBadForm, change.Action)
	}
	change.User, _ = strconv.ParseInt(form.Get("user"), 10, 64) // none: the service asks for one
	for _, text := range form["task"] {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			change.Tasks = append(change.Tasks, id)
		}
	}
	if change.Action == annotator.BulkSkip && change.Reason == "" {
		v.warn("Say why they should be skipped.")
		return v.redirect(back)
	}
	if !change.All && len(change.Tasks) == 0 {
		v.warn("No task was selected.")
		return v.redirect(back)
	}
	done, err := s.service.ChangeTasks(v.Context(), v.actor, v.project.Slug, change)
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warnOf(problem)
		return v.redirect(back)
	}
	what := bulkWords(v.Context(), change.Action, done.Changed, done.Name)
	switch {
	case done.LeftOut > 0 && done.Why == "":
		v.warn("{what}; {n} left out: somebody else was changing them, or they are gone.", "what", what, "n", done.LeftOut)
	case done.LeftOut > 0:
		v.warn("{what}; {n} left out: {why}.", "what", what, "n", done.LeftOut, "why", words.Say(v.Context(), done.Why))
	default:
		v.note("", words.Sentence(v.Context(), what))
	}
	if done.Undo > 0 {
		return v.redirect(withQuery(back, "undo", strconv.FormatInt(done.Undo, 10)))
	}
	return v.redirect(back)
}

// undoAssignment gives tasks back to whom they were assigned before.
func (s *Server) undoAssignment(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(form.Get("undo"), 10, 64)
	if err != nil {
		return errBadForm
	}
	n, err := s.service.UndoAssignment(v.Context(), v.actor, v.project.Slug, id)
	switch {
	case errors.Is(err, annotator.ErrConflict):
		v.warnOf(outcome(err).detail)
	case err != nil:
		return err
	default:
		v.note("", words.N(v.Context(), n, "{n} task is offered as before.", "{n} tasks are offered as before."))
	}
	return v.redirect(localAddress(form.Get("back")))
}

// taskOf returns a task of the visited project; annotator.ErrNotFound for a task of another project.
func (s *Server) taskOf(v *visit) (annotator.TaskDetail, error) {
	id, err := v.id("task")
	if err != nil {
		return annotator.TaskDetail{}, err
	}
	t, err := s.service.Task(v.Context(), v.actor, id)
	if err == nil && t.ProjectID != v.project.ID {
		err = fmt.Errorf("task %d: %w", id, annotator.ErrNotFound)
	}
	return t, err
}

// editorPage opens a task to look at. Nobody takes a task by opening its page: the first stroke does. The address carries the queue's
// selection, in which the editor goes on.
func (s *Server) editorPage(v *visit) error {
	t, err := s.taskOf(v)
	if err != nil {
		return err
	}
	view := templates.Editor{Task: tidy(v.Context(), t), Query: templates.ParseQueueQuery(v.URL.Query())}
	if view.Clicks, err = s.service.HasSegmenter(v.Context(), v.actor); err != nil {
		return err
	}
	mine := t.State == annotator.TaskLeased && t.Lease != nil && t.Lease.Mine
	returned := t.State == annotator.TaskChangesRequested && t.AuthorID != nil && *t.AuthorID == v.actor.ID
	inReview := t.State == annotator.TaskSubmitted && t.AuthorID != nil && *t.AuthorID == v.actor.ID // a stroke takes it back
	if !mine && !returned && !inReview && t.State != annotator.TaskOpen {
		view.Reason = readOnlyReason(v.Context(), t)
	}
	title := fmt.Sprintf("#%d %s", t.ID, t.LabelName)
	v.ResponseWriter.Header().Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	return v.render(templates.EditorPage(v.frame(title, "queue", "editor"), view))
}

// readOnlyReason returns the text of the bar that says why a task cannot be painted.
func readOnlyReason(ctx context.Context, t annotator.TaskDetail) string {
	switch {
	case t.State == annotator.TaskLeased && t.Lease != nil:
		return words.T(ctx, "{name} is painting this one", "name", t.Lease.UserName)
	case t.State == annotator.TaskSubmitted:
		return words.T(ctx, "In review: nothing can be changed")
	case t.State == annotator.TaskApproved:
		return words.T(ctx, "Approved: nothing can be changed")
	case t.State == annotator.TaskSkipped:
		return words.T(ctx, "Skipped: {reason}", "reason", words.Say(ctx, t.SkipReason))
	default:
		return words.T(ctx, "Somebody else has it")
	}
}
