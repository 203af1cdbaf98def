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
	if !mine && !returned && t.State != annotator.TaskOpen {
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
