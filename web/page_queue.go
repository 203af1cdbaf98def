package web

import (
	"errors"
	"fmt"
	"github.com/abn-studio/studio/internal/words"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // where the machine has none

	"github.com/abn-studio/studio/annotator"
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
		return v.render(templates.QueueCards(v.frame("Queue", "queue"), view))
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
	return v.render(templates.QueuePage(v.frame(v.project.Name+" queue", "queue"), view))
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
		v.warn("No task was taken: %s.", limit)
		return v.redirect(queue)
	}
	if err != nil {
		return err
	}
	return v.redirect(v.to("%s", q.TaskAddress(t.ID)))
}

// taskVerbs are the actions on several tasks at once, and how the notice afterwards begins.
var taskVerbs = map[annotator.BulkAction]string{annotator.BulkSkip: "Skipped", annotator.BulkRelease: "Gave back", annotator.BulkReopen: "Reopened",
	annotator.BulkAssign: "Assigned", annotator.BulkUnassign: "Unassigned"}

// bulkTasks applies one action to every selected task, or to all of the selection that the visitor looks at.
func (s *Server) bulkTasks(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	back := localAddress(form.Get("back"))
	change := annotator.BulkChange{Action: annotator.BulkAction(form.Get("action")), Reason: strings.TrimSpace(form.Get("reason")),
		All: form.Get("all") != "", Filter: templates.ParseQueueQuery(form).Filter(v.project.Slug)}
	verb, known := taskVerbs[change.Action]
	if !known {
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
		v.warn("%s", sentenceOf(v.Context(), problem))
		return v.redirect(back)
	}
	what := verb + " " + templates.Plural(done.Changed, "task")
	if done.Name != "" {
		what += " to " + done.Name
	}
	switch {
	case done.LeftOut > 0 && done.Why == "":
		v.warn("%s; %s left out: somebody else was changing them, or they are gone.", what, templates.Count(done.LeftOut))
	case done.LeftOut > 0:
		v.warn("%s; %s left out: %s.", what, templates.Count(done.LeftOut), done.Why)
	default:
		v.say("%s.", what)
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
		v.warn("%s", words.Sentence(v.Context(), words.Say(v.Context(), outcome(err).detail)))
	case err != nil:
		return err
	default:
		v.say("%s are offered as before.", templates.Plural(n, "task"))
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
	view := templates.Editor{Task: tidy(t), Query: templates.ParseQueueQuery(v.URL.Query())}
	if view.Clicks, err = s.service.HasSegmenter(v.Context(), v.actor); err != nil {
		return err
	}
	mine := t.State == annotator.TaskLeased && t.Lease != nil && t.Lease.Mine
	returned := t.State == annotator.TaskChangesRequested && t.AuthorID != nil && *t.AuthorID == v.actor.ID
	inReview := t.State == annotator.TaskSubmitted && t.AuthorID != nil && *t.AuthorID == v.actor.ID // a stroke takes it back
	if !mine && !returned && !inReview && t.State != annotator.TaskOpen {
		view.Reason = readOnlyReason(t)
	}
	title := fmt.Sprintf("#%d %s", t.ID, t.LabelName)
	v.ResponseWriter.Header().Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	return v.render(templates.EditorPage(v.frame(title, "queue", "editor"), view))
}

// readOnlyReason returns the text of the bar that says why a task cannot be painted.
func readOnlyReason(t annotator.TaskDetail) string {
	switch {
	case t.State == annotator.TaskLeased && t.Lease != nil:
		return t.Lease.UserName + " is painting this one"
	case t.State == annotator.TaskSubmitted:
		return "In review: nothing can be changed"
	case t.State == annotator.TaskApproved:
		return "Approved: nothing can be changed"
	case t.State == annotator.TaskSkipped:
		return "Skipped: " + t.SkipReason
	default:
		return "Somebody else has it"
	}
}
