package annotator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/abn-studio/studio/internal/orders"
	"github.com/abn-studio/studio/internal/text"
)

// TaskStore keeps tasks. Times are the caller's, so that a lease expires by the Service's clock.
type TaskStore interface {
	Task(ctx context.Context, id int64) (Task, error)
	// LockTask returns a task and keeps others from changing it until the transaction ends.
	LockTask(ctx context.Context, id int64) (Task, error)
	// NextTask locks the first task of a state that the filter's other fields leave, skipping those that other transactions hold: of the
	// open ones that no order of the mix gives, the most confident; of the others the user's own, returned longest ago or leased last.
	// ErrNoTask if there is none. A task that is assigned to somebody is not among the open ones.
	NextTask(ctx context.Context, projectID, userID int64, state TaskState, f TaskFilter) (Task, error)
	// NextAssigned locks the open task that is the user's by assignment, the most confident first. ErrNoTask if there is none.
	NextAssigned(ctx context.Context, projectID, userID int64, f TaskFilter) (Task, error)
	// DrawTask locks the first task that an order gives of the open ones that are nobody's, and of the images that the active version gets
	// right, skipping those that other transactions hold; such an image's task is made. ErrNoTask if there is none.
	DrawTask(ctx context.Context, projectID int64, order orders.Order, f TaskFilter) (Task, error)
	// LockTally returns how often each order had its turn since the project's mix was set. Until the transaction ends, others that ask wait.
	LockTally(ctx context.Context, projectID int64) (orders.Tally, error)
	SetTally(ctx context.Context, projectID int64, t orders.Tally) error
	// MixQueue begins a project's tally anew, for another mix, and has a worker work out the places of images in the orders.
	MixQueue(ctx context.Context, projectID int64) error
	// CountLeases counts the tasks the user holds. Until the transaction ends, others that count the same user's leases wait.
	CountLeases(ctx context.Context, userID int64, now time.Time) (int, error)
	// UnassignAll makes everybody's what is assigned to a user, in projects that are open.
	UnassignAll(ctx context.Context, userID int64) error
	// UnassignGone makes everybody's what is assigned in a project to people who were disabled while it was closed or deleted.
	UnassignGone(ctx context.Context, projectID int64) error
	// UpdateTask writes a locked task's state, author, lease, skip reason, return, assignee, way of being handed out, times, and that it is a check.
	UpdateTask(ctx context.Context, t Task) error
	// ExpireLeases gives back every leased task of the project whose time is over.
	ExpireLeases(ctx context.Context, projectID int64, now time.Time) error
	// TaskCard returns one task's card. The names of its classes are not set, nor in TaskCards.
	TaskCard(ctx context.Context, id int64) (TaskCard, error)
	TaskCards(ctx context.Context, projectID int64, f TaskFilter) (TaskPage, error)
	// RecentCards returns the tasks that a user submitted last, the last first.
	RecentCards(ctx context.Context, projectID, userID int64, limit int) ([]TaskCard, error)
	Facets(ctx context.Context, projectID int64, f TaskFilter) (Facets, error)
}

// NextTask leases a task of the project that the filter leaves to the actor: first one of theirs whose changes were
// requested, then one they hold already, then one that is assigned to them, then the first of the order that is furthest behind its
// share of the project's mix. ErrNoTask if there is none.
// A person who holds MaxLeases tasks gets one of those again. The filter's cursor and limit mean nothing here.
func (s *Service) NextTask(ctx context.Context, actor User, f TaskFilter) (TaskDetail, error) {
	if err := mayPaint(actor); err != nil {
		return TaskDetail{}, err
	}
	f.Cursor, f.Limit, f.For = "", 0, actor.ID
	actor, project, f, err := s.filter(ctx, actor, f)
	if err != nil {
		return TaskDetail{}, err
	}
	var id int64
	err = s.store.InTx(ctx, func(tx Store) error {
		leases, err := tx.CountLeases(ctx, actor.ID, s.now())
		if err != nil {
			return err
		}
		for _, state := range nextStates(leases) {
			if len(f.States) > 0 && !slices.Contains(f.States, state) {
				continue
			}
			var task Task
			if state == TaskOpen {
				task, err = drawOrCheck(ctx, tx, project, actor, f)
			} else {
				task, err = tx.NextTask(ctx, project.ID, actor.ID, state, f)
			}
			if errors.Is(err, ErrNoTask) {
				continue
			}
			if err != nil {
				return err
			}
			if task, err = overlap(ctx, tx, project, task); err != nil {
				return err
			}
			id = task.ID
			return s.lease(ctx, tx, actor, task)
		}
		if leases >= MaxLeases { // all of them are outside of the filter
			return &LeaseLimitError{Held: leases}
		}
		return ErrNoTask
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, id)
}

// drawOrCheck is draw, of which some turns are checks: then it gives a task of an image with a mask, in the same order. Where there is none
// the turn is none either.
func drawOrCheck(ctx context.Context, tx Store, project Project, actor User, f TaskFilter) (Task, error) {
	if project.CheckShare > 0 {
		taken, err := tx.CountTaken(ctx, project.ID, actor.ID)
		if err != nil {
			return Task{}, err
		}
		if project.checkTurn(actor, taken) {
			masked := f
			masked.Masked = true
			task, err := draw(ctx, tx, project, actor, masked)
			if !errors.Is(err, ErrNoTask) {
				task.Check = true
				return task, err
			}
		}
	}
	return draw(ctx, tx, project, actor, f)
}

// draw locks a task that somebody is given anew, and says in it how: one that is assigned to them, or the next by the project's mix. Where
// no order of the mix has any, it is the most confident of the open tasks that are left, such as of an image somebody asked a map for.
func draw(ctx context.Context, tx Store, project Project, actor User, f TaskFilter) (Task, error) {
	task, err := tx.NextAssigned(ctx, project.ID, actor.ID, f)
	if !errors.Is(err, ErrNoTask) {
		task.HandedBy = HandedAssigned
		return task, err
	}
	if order, single := project.Mix.Single(); single { // nobody has to wait for a tally
		task, err = tx.DrawTask(ctx, project.ID, order, f)
		task.HandedBy = Handed(order)
	} else {
		task, err = drawMixed(ctx, tx, project, f)
	}
	if errors.Is(err, ErrNoTask) {
		task, err = tx.NextTask(ctx, project.ID, actor.ID, TaskOpen, f)
		task.HandedBy = ""
	}
	return task, err
}

// drawMixed has the orders of a mix take turns. An order without images has had its turn too, or it would have all the next ones once it
// has some; but not where it only has none that the filter leaves.
func drawMixed(ctx context.Context, tx Store, project Project, f TaskFilter) (Task, error) {
	tally, err := tx.LockTally(ctx, project.ID)
	if err != nil {
		return Task{}, err
	}
	passed := map[orders.Order]bool{}
	for {
		order, ok := tally.Next(project.Mix, passed)
		if !ok {
			return Task{}, ErrNoTask
		}
		task, err := tx.DrawTask(ctx, project.ID, order, f)
		none := errors.Is(err, ErrNoTask)
		if err != nil && !none {
			return Task{}, err
		}
		if !none || !f.narrow() {
			tally[order]++
		}
		if !none {
			task.HandedBy = Handed(order)
			return task, tx.SetTally(ctx, project.ID, tally)
		}
		passed[order] = true
	}
}

// ClaimTask leases one particular task, open or returned to the actor; *LeaseError if another holds it,
// *LeaseLimitError if the actor holds MaxLeases others.
func (s *Service) ClaimTask(ctx context.Context, actor User, taskID int64) (TaskDetail, error) {
	actor, err := s.painting(ctx, actor, ThingTask.Of(taskID))
	if err != nil {
		return TaskDetail{}, err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		leases, err := tx.CountLeases(ctx, actor.ID, s.now())
		if err != nil {
			return err
		}
		task, err := tx.LockTask(ctx, taskID)
		if err != nil {
			return err
		}
		task = task.Expire(s.now())
		if err := task.MayTake(actor, leases); err != nil {
			return err
		}
		if task.State == TaskOpen {
			task.HandedBy = HandedChosen
			if task.AssignedTo != nil {
				task.HandedBy = HandedAssigned
			}
		}
		project, err := tx.ProjectByID(ctx, task.ProjectID)
		if err != nil {
			return err
		}
		if task, err = overlap(ctx, tx, project, task); err != nil {
			return err
		}
		return s.lease(ctx, tx, actor, task)
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, taskID)
}

// overlap returns a locked task that somebody is given, as the first of several slots where its image is of the project's overlap and
// nobody has worked on it: the tasks of the other slots are made.
func overlap(ctx context.Context, tx Store, project Project, task Task) (Task, error) {
	if task.State != TaskOpen || task.Slot > 0 || task.Among.Painters > 0 || !project.Overlap.Covers(task.ImageID) {
		return task, nil
	}
	split, err := tx.SplitTask(ctx, task.ID, project.Overlap.Painters)
	if err == nil && split {
		task.Slot, task.Among.Painters = 1, project.Overlap.Painters
	}
	return task, err
}

// lease gives a locked task to the actor from now on.
func (s *Service) lease(ctx context.Context, tx Store, actor User, task Task) error {
	renewal := task.State == TaskLeased
	if err := tx.UpdateTask(ctx, task.Lease(actor, s.now())); err != nil || renewal {
		return err
	}
	return s.audit(ctx, tx, actor, &task.ProjectID, "task.lease", taskSubject(task.ID), "")
}

// change locks a task, applies a rule to it, and writes the result with a line of the trail.
func (s *Service) change(ctx context.Context, actor User, taskID int64, action, detail string, rule func(t Task, now time.Time) (Task, error)) error {
	return s.store.InTx(ctx, func(tx Store) error {
		task, err := tx.LockTask(ctx, taskID)
		if err != nil {
			return err
		}
		now := s.now()
		if task, err = rule(task.Expire(now), now); err != nil {
			return err
		}
		if err := tx.UpdateTask(ctx, task); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &task.ProjectID, action, taskSubject(taskID), detail)
	})
}

// held locks a task and returns a *LeaseError unless the actor holds it now.
func (s *Service) held(ctx context.Context, tx Store, actor User, taskID int64) (Task, error) {
	task, err := tx.LockTask(ctx, taskID)
	if err != nil {
		return Task{}, err
	}
	task = task.Expire(s.now())
	if err := task.HeldBy(actor); err != nil {
		// Closing a project gives its tasks back: that is why, then.
		if project, read := tx.ProjectByID(ctx, task.ProjectID); read == nil && project.ClosedAt != nil {
			return task, &ClosedError{project.Slug}
		}
		return task, err
	}
	return task, nil
}

// RenewLease keeps a task with the actor for another LeaseDuration.
func (s *Service) RenewLease(ctx context.Context, actor User, taskID int64) (Lease, error) {
	actor, err := s.painting(ctx, actor, ThingTask.Of(taskID))
	if err != nil {
		return Lease{}, err
	}
	var lease Lease
	err = s.store.InTx(ctx, func(tx Store) error {
		task, err := s.held(ctx, tx, actor, taskID)
		if err != nil {
			return err
		}
		lease = Lease{UserID: actor.ID, UserName: actor.Name, ExpiresAt: s.now().Add(LeaseDuration), Mine: true}
		return s.lease(ctx, tx, actor, task)
	})
	return lease, err
}

// Skip puts a task aside, with a reason: one the actor holds, or one that is open.
func (s *Service) Skip(ctx context.Context, actor User, taskID int64, reason string) error {
	actor, err := s.painting(ctx, actor, ThingTask.Of(taskID))
	if err != nil {
		return err
	}
	reason, err = BoundSkipReason.check("reason", reason)
	if err != nil {
		return err
	}
	return s.change(ctx, actor, taskID, "task.skip", reason, func(t Task, now time.Time) (Task, error) { return t.Skip(actor, reason, now) })
}

// Reopen puts a skipped task back into the queue (reviewer), or one that was returned to its author with changes requested, so
// that anybody may take it while the author is away.
func (s *Service) Reopen(ctx context.Context, actor User, taskID int64) error {
	actor, err := s.in(ctx, actor, RoleReviewer, ThingTask.Of(taskID))
	if err != nil {
		return err
	}
	return s.change(ctx, actor, taskID, "task.reopen", "", Task.Reopen)
}

// GiveBack puts a leased task back; its drafts stay.
func (s *Service) GiveBack(ctx context.Context, actor User, taskID int64) error {
	actor, err := s.painting(ctx, actor, ThingTask.Of(taskID))
	if err != nil {
		return err
	}
	return s.change(ctx, actor, taskID, "task.release", "", func(t Task, now time.Time) (Task, error) { return t.GiveBack(actor, now) })
}

// Tasks lists tasks by filter, the most confident mistakes first.
func (s *Service) Tasks(ctx context.Context, actor User, f TaskFilter) (TaskPage, error) {
	actor, project, f, err := s.filter(ctx, actor, f)
	if err != nil {
		return TaskPage{}, err
	}
	page, err := s.store.TaskCards(ctx, project.ID, f)
	if err != nil {
		return TaskPage{}, err
	}
	for i := range page.Tasks {
		page.Tasks[i].Task = page.Tasks[i].Expire(s.now())
		if page.Tasks[i].hidesFrom(actor) {
			page.Tasks[i].EditMap = nil
		}
		nameCard(&page.Tasks[i], project.Classes)
	}
	return page, nil
}

// RecentTasks is how many of the tasks somebody submitted last are at hand in the editor.
const RecentTasks = 10

// Recent lists the RecentTasks tasks of a project that the actor submitted last, the last first, as they are now: those in review can be
// taken back (TakeBack).
func (s *Service) Recent(ctx context.Context, actor User, slug string) ([]TaskCard, error) {
	actor, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	all, err := s.store.RecentCards(ctx, project.ID, actor.ID, RecentTasks)
	for i := range all {
		nameCard(&all[i], project.Classes)
	}
	return all, err
}

// Facets counts the tasks that each value of each filter would leave.
func (s *Service) Facets(ctx context.Context, actor User, f TaskFilter) (Facets, error) {
	_, project, f, err := s.filter(ctx, actor, f)
	if err != nil {
		return Facets{}, err
	}
	return s.store.Facets(ctx, project.ID, f)
}

// filter checks a filter, fills in its defaults and ends expired leases of the queue.
func (s *Service) filter(ctx context.Context, actor User, f TaskFilter) (User, Project, TaskFilter, error) {
	actor, project, err := s.project(ctx, actor, RoleAnnotator, f.Project)
	if err != nil {
		return User{}, Project{}, f, err
	}
	for _, state := range f.States {
		if err := oneOf("state", state, TaskStates); err != nil {
			return User{}, Project{}, f, err
		}
	}
	if err := f.check(); err != nil {
		return User{}, Project{}, f, err
	}
	if f.Limit == 0 {
		f.Limit = DefaultPage
	}
	if f.Limit < 1 || f.Limit > MaxPage {
		return User{}, Project{}, f, &ValidationError{Field: "limit", Message: fmt.Sprintf("is between 1 and %d", MaxPage)}
	}
	return actor, project, f, s.store.ExpireLeases(ctx, project.ID, s.now())
}

// narrow reports whether the filter leaves out open tasks.
func (f TaskFilter) narrow() bool {
	return f.Label != nil || f.Predicted != nil || f.MinConfidence != nil || f.MaxConfidence != nil || f.Author != nil || f.Assignee != nil || f.Search != "" || f.Masked || f.Except != 0
}

// check refuses values that no task can have and that the database would fail on: class indices have 32 bits, confidences are in
// [0,1].
func (f TaskFilter) check() error {
	for field, class := range map[string]*int{"query.label": f.Label, "query.predicted": f.Predicted} {
		if class != nil && (*class < 0 || *class > math.MaxInt32) {
			return &ValidationError{Field: field, Message: fmt.Sprintf("%d is no class", *class)}
		}
	}
	for field, x := range map[string]*float32{"query.min_confidence": f.MinConfidence, "query.max_confidence": f.MaxConfidence} {
		if x != nil && !(*x >= 0 && *x <= 1) {
			return &ValidationError{Field: field, Message: fmt.Sprintf("%v is not between 0 and 1", *x)}
		}
	}
	if problem := BoundSearch.Problem(f.Search); problem != "" {
		return &ValidationError{Field: "query.q", Message: problem}
	}
	if f.Search != "" && !strings.ContainsFunc(f.Search, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return &ValidationError{Field: "query.q", Message: "has no letter and no digit: names are found by these"} // no index knows where the other signs are
	}
	if !text.Valid(f.Cursor) {
		return &ValidationError{Field: "query.cursor", Message: text.Problem}
	}
	return nil
}

// Task returns a task without taking it.
func (s *Service) Task(ctx context.Context, actor User, taskID int64) (TaskDetail, error) {
	actor, err := s.in(ctx, actor, RoleAnnotator, ThingTask.Of(taskID))
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, taskID)
}

func (s *Service) taskDetail(ctx context.Context, actor User, id int64) (TaskDetail, error) {
	card, err := s.store.TaskCard(ctx, id)
	if err != nil {
		return TaskDetail{}, err
	}
	card.Task = card.Expire(s.now())
	d := TaskDetail{TaskCard: card}
	if d.Project, err = s.store.ProjectByID(ctx, card.ProjectID); err != nil {
		return TaskDetail{}, err
	}
	nameCard(&d.TaskCard, d.Project.Classes)
	if d.Version, err = s.store.Version(ctx, card.VersionID); err != nil {
		return TaskDetail{}, err
	}
	d.Mechanism = d.Version.Mechanism()
	if d.hidesFrom(actor) {
		d.EditMap, d.Reviews = nil, []Review{}
		return d, s.place(&d)
	}
	edit, err := s.store.LatestEdit(ctx, id)
	switch {
	case err == nil:
		for _, scores := range []*Scores{edit.Before, edit.After} {
			if scores != nil {
				nameClasses(scores.Top, d.Project.Classes) // as they are called now
			}
		}
		d.Project.withhold(actor, &edit)
		d.Edit, d.EditMap = &edit, &edit.Map
	case !errors.Is(err, ErrNotFound):
		return TaskDetail{}, err
	}
	if d.Reviews, err = s.store.Reviews(ctx, id); err != nil {
		return TaskDetail{}, err
	}
	if id, name := d.holder(); id != 0 {
		d.Lease = &Lease{UserID: id, UserName: name, ExpiresAt: *d.LeaseExpiresAt, Mine: id == actor.ID}
	}
	if err := s.place(&d); err != nil {
		return TaskDetail{}, err
	}
	return d, s.begin(ctx, &d)
}

// place fills in where the task's picture lies under the grid.
func (s *Service) place(d *TaskDetail) (err error) {
	if s.pictures == nil {
		return nil
	}
	if d.View, err = s.pictures.View(d.Version, d.Image); err != nil {
		return fmt.Errorf("placing image %d under the grid: %w", d.Image.ID, err)
	}
	return nil
}

// nameCard fills in the names of a card's classes, which the store leaves empty, and what is said with them.
func nameCard(c *TaskCard, classes []Class) {
	if label := c.Image.Label; label != nil && *label < len(classes) {
		c.LabelName = classes[*label].Name
	}
	nameClasses(c.Prediction.Top, classes)
	answer := ""
	if class := c.Prediction.Class; class < len(classes) {
		answer = classes[class].Name
	}
	c.Why = c.reason(answer).Sentence()
}

func taskSubject(id int64) string { return fmt.Sprintf("task %d", id) }
