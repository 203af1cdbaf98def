package web

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

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
	return v.render(templates.QueuePage(v.frame(v.project.Name+" queue", "queue"), view))
}

// nextTask takes the next task and opens it.
func (s *Server) nextTask(v *visit) error {
	t, err := s.service.NextTask(v.Context(), v.actor, v.project.Slug)
	if errors.Is(err, annotator.ErrNoTask) {
		v.say("Nothing is left to paint: every task is done, in review or with somebody else.")
		return v.redirect(v.to("queue"))
	}
	var limit *annotator.LeaseLimitError
	if errors.As(err, &limit) {
		v.warn("No task was taken: %s.", limit)
		return v.redirect(v.to("queue"))
	}
	if err != nil {
		return err
	}
	return v.redirect(v.to("tasks/%d", t.ID))
}

// taskVerbs are the actions on several tasks at once, and how the notice afterwards begins.
var taskVerbs = map[string]string{"skip": "Skipped", "release": "Gave back", "reopen": "Reopened"}

// bulkTasks applies one action to every selected task. If it fails for one, the others are still done.
func (s *Server) bulkTasks(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	action, reason := form.Get("action"), strings.TrimSpace(form.Get("reason"))
	done, refused := 0, error(nil)
	for _, text := range form["task"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			continue
		}
		switch err := s.actOn(v, action, id, reason); {
		case err == nil:
			done++
		case outcome(err).status >= 500:
			return err
		default:
			refused = err
		}
	}
	switch {
	case refused != nil:
		v.warn("%s %s; the others were refused: %s.", taskVerbs[action], templates.Plural(done, "task"), outcome(refused).detail)
	case done == 0:
		v.warn("No task was selected.")
	default:
		v.say("%s %s.", taskVerbs[action], templates.Plural(done, "task"))
	}
	return v.redirect(localAddress(form.Get("back")))
}

func (s *Server) actOn(v *visit, action string, id int64, reason string) error {
	ctx := v.Context()
	switch action {
	case "skip":
		if reason == "" {
			return &annotator.ValidationError{Field: "reason", Message: "say why they should be skipped"}
		}
		return s.service.Skip(ctx, v.actor, id, reason)
	case "release":
		return s.service.GiveBack(ctx, v.actor, id)
	case "reopen":
		return s.service.Reopen(ctx, v.actor, id)
	default:
		return fmt.Errorf("%w: %q is nothing that can be done with tasks", errBadForm, action)
	}
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

// editorPage opens a task. The visitor takes it if they can; otherwise it is shown read-only, with the reason. If another site led the
// visitor here, they are asked before they take it. A browser that only prefetches the page does not take the task; the editor
// takes it when it is shown.
func (s *Server) editorPage(v *visit) error {
	t, err := s.taskOf(v)
	if err != nil {
		return err
	}
	view := templates.Editor{Task: t}
	mine := t.Lease != nil && t.Lease.Mine
	own := s.ownNavigation(v.Request)
	returned := t.State == annotator.TaskChangesRequested && t.AuthorID != nil && *t.AuthorID == v.actor.ID
	switch {
	case mine:
	case !own && (t.State == annotator.TaskOpen || returned):
		return v.render(templates.TakePage(v.frame(fmt.Sprintf("#%d %s", t.ID, t.LabelName), "queue"), t))
	case !own:
		view.Reason = readOnlyReason(t, nil)
	case !prefetched(v.Request):
		claimed, err := s.service.ClaimTask(v.Context(), v.actor, t.ID)
		switch {
		case err == nil:
			view.Task = claimed
		case errors.Is(err, annotator.ErrConflict):
			view.Reason = readOnlyReason(t, err)
		default:
			return err
		}
	}
	view.Task = tidy(view.Task)
	title := fmt.Sprintf("#%d %s", t.ID, t.LabelName)
	v.ResponseWriter.Header().Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	return v.render(templates.EditorPage(v.frame(title, "queue", "editor"), view))
}

// readOnlyReason returns the text of the bar that says why a task cannot be painted.
func readOnlyReason(t annotator.TaskDetail, err error) string {
	var lease *annotator.LeaseError
	var limit *annotator.LeaseLimitError
	switch {
	case errors.As(err, &limit):
		return "Only to look at: " + limit.Error()
	case errors.As(err, &lease) && lease.Holder != "":
		return lease.Holder + " is painting this one"
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
