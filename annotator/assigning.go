package annotator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/text"
)

// BulkAction is what is done with many tasks at once.
type BulkAction string

// The actions. Each is done with the tasks of the selection that it can be done with; the others are left out.
const (
	BulkAssign   BulkAction = "assign"   // open tasks, to a person (reviewer)
	BulkUnassign BulkAction = "unassign" // open tasks that are assigned to somebody (reviewer)
	BulkSkip     BulkAction = "skip"
	BulkRelease  BulkAction = "release" // that the actor holds
	BulkReopen   BulkAction = "reopen"  // reviewer
)

// Reviewers reports whether the action is a reviewer's, also for a token of theirs.
func (a BulkAction) Reviewers() bool { return a == BulkAssign || a == BulkUnassign || a == BulkReopen }

// BulkActions are all of them.
var BulkActions = []BulkAction{BulkAssign, BulkUnassign, BulkSkip, BulkRelease, BulkReopen}

// MaxBulk is how many tasks one request may change.
const MaxBulk = 100_000

// BulkChange says what is done with which tasks of a project.
type BulkChange struct {
	Action BulkAction
	Tasks  []int64    // these
	All    bool       // or all that Filter leaves
	Filter TaskFilter // its project, cursor and limit mean nothing here
	User   int64      // to whom BulkAssign assigns
	Reason string     // of BulkSkip
}

// BulkResult is what was done.
type BulkResult struct {
	Changed int    `json:"changed"`            // tasks that the action was done with
	LeftOut int    `json:"left_out"`           // that it could not be done with, or that somebody else was changing
	Why     string `json:"why,omitempty"`      // of the first that was left out
	Undo    int64  `json:"undo_id,omitempty"`  // of assign and unassign: what UndoAssignment takes
	Name    string `json:"assignee,omitempty"` // of assign: to whom
}

// AssignStore changes many tasks at once.
type AssignStore interface {
	// LockTasks locks the tasks of a project that ids name or, if they are nil, that a filter leaves, by id, at most limit. It leaves out those
	// that other transactions hold.
	LockTasks(ctx context.Context, projectID int64, ids []int64, f TaskFilter, limit int) ([]Task, error)
	// UpdateTasks is UpdateTask for many.
	UpdateTasks(ctx context.Context, all []Task) error
	// AssignTasks assigns locked tasks to a user, nil: to nobody, and returns the number under which that can be taken back.
	AssignTasks(ctx context.Context, tasks []int64, to *int64, at time.Time) (undo int64, err error)
	// UnassignTasks takes an assignment back: its tasks that are open still are whose they were before. It returns how many.
	UnassignTasks(ctx context.Context, projectID, assignment int64, at time.Time) (int, error)
	// Painters lists the members of a project who can be assigned tasks, by name.
	Painters(ctx context.Context, projectID int64) ([]Painter, error)
}

// Painter is somebody who can be assigned tasks.
type Painter struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Painters lists everybody who can be assigned tasks of a project, by name (reviewer).
func (s *Service) Painters(ctx context.Context, actor User, slug string) ([]Painter, error) {
	_, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return nil, err
	}
	return s.store.Painters(ctx, project.ID)
}

// ChangeTasks does one thing with many tasks of a project, in one transaction. An assigned task is offered to that person alone, before
// what the project's mix gives them.
func (s *Service) ChangeTasks(ctx context.Context, actor User, slug string, c BulkChange) (BulkResult, error) {
	needed := RoleAnnotator
	if c.Action.Reviewers() {
		needed = RoleReviewer
	}
	actor, project, err := s.project(ctx, actor, needed, slug)
	if err != nil {
		return BulkResult{}, err
	}
	if needed == RoleAnnotator {
		if err := mayPaint(actor); err != nil {
			return BulkResult{}, err
		}
	}
	c.Filter.Project, c.Filter.Cursor, c.Filter.Limit = slug, "", 0
	if _, _, c.Filter, err = s.filter(ctx, actor, c.Filter); err != nil {
		return BulkResult{}, err
	}
	rule, detail, err := s.bulkRule(ctx, actor, &c)
	if err != nil {
		return BulkResult{}, err
	}
	ids := c.Tasks
	switch {
	case c.All:
		ids = nil
	case len(ids) == 0:
		return BulkResult{}, &ValidationError{Field: "tasks", Message: "name tasks, or say all for those of the selection"}
	case len(ids) > MaxBulk:
		return BulkResult{}, &ValidationError{Field: "tasks", Message: fmt.Sprintf("has more than %s tasks", text.Count(MaxBulk))}
	default:
		ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	}
	var done BulkResult
	err = s.store.InTx(ctx, func(tx Store) error {
		done = BulkResult{}
		tasks, err := tx.LockTasks(ctx, project.ID, ids, c.Filter, MaxBulk+1)
		if err != nil {
			return err
		}
		if len(tasks) > MaxBulk {
			return &ValidationError{Field: "all", Message: fmt.Sprintf("is more than %s tasks: filter them", text.Count(MaxBulk))}
		}
		now := s.now()
		done.LeftOut = max(0, len(ids)-len(tasks))
		var changed []Task
		for _, task := range tasks {
			next, err := rule(task.Expire(now), now)
			switch {
			case errors.Is(err, ErrConflict):
				if done.LeftOut++; done.Why == "" {
					done.Why = strings.TrimSuffix(err.Error(), ": "+ErrConflict.Error())
				}
			case err != nil:
				return err
			default:
				changed = append(changed, next)
			}
		}
		if done.Changed = len(changed); done.Changed == 0 {
			return nil
		}
		if c.Action == BulkAssign || c.Action == BulkUnassign {
			done.Undo, err = s.assign(ctx, tx, c, changed, now)
			done.Name = detail
		} else {
			err = tx.UpdateTasks(ctx, changed)
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "task."+string(c.Action), fmt.Sprintf("%s tasks", text.Count(done.Changed)), detail)
	})
	if err != nil {
		return BulkResult{}, fmt.Errorf("%s many tasks of project %s: %w", c.Action, slug, err)
	}
	return done, nil
}

// bulkRule is what an action does with one task, and what the trail says of it.
func (s *Service) bulkRule(ctx context.Context, actor User, c *BulkChange) (rule func(Task, time.Time) (Task, error), detail string, err error) {
	switch c.Action {
	case BulkSkip:
		if c.Reason, err = BoundSkipReason.check("reason", c.Reason); err != nil {
			return nil, "", err
		}
		return func(t Task, now time.Time) (Task, error) { return t.Skip(actor, c.Reason, now) }, c.Reason, nil
	case BulkRelease:
		return func(t Task, now time.Time) (Task, error) { return t.GiveBack(actor, now) }, "", nil
	case BulkReopen:
		return Task.Reopen, "", nil
	case BulkUnassign:
		return Task.unassignable, "", nil
	case BulkAssign:
		who, err := s.store.User(ctx, c.User)
		if err == nil { // somebody who is no member is nobody here
			_, err = s.store.MemberRole(ctx, c.User, ThingProject.Called(c.Filter.Project))
		}
		switch {
		case isNotFound(err):
			return nil, "", &ValidationError{Field: "user", Message: "say to whom"}
		case err != nil:
			return nil, "", err
		case who.Disabled || who.Generator || who.RemovedAt != nil:
			return nil, "", &ValidationError{Field: "user", Message: who.Name + " cannot paint: choose somebody else"}
		}
		given := map[int64]bool{} // images of which they have a slot by this very change
		return func(t Task, now time.Time) (Task, error) {
			if err := t.closedTo(who); err != nil {
				if who.ID != actor.ID {
					err = t.closedToThem(who, err)
				}
				return t, err
			}
			if t.Slot > 0 && given[t.ImageID] {
				return t, Conflict("task %d is one of several maps of its image by different people, and %s has another of them", t.ID, who.Name)
			}
			given[t.ImageID] = t.Slot > 0 && t.State == TaskOpen
			return t.assignable(now)
		}, who.Name, nil
	}
	return nil, "", oneOf("action", c.Action, BulkActions)
}

// assign writes an assignment of locked tasks.
func (s *Service) assign(ctx context.Context, tx Store, c BulkChange, tasks []Task, now time.Time) (undo int64, err error) {
	ids := make([]int64, len(tasks))
	for i, task := range tasks {
		ids[i] = task.ID
	}
	if err := tx.UpdateTasks(ctx, tasks); err != nil { // whose leases have run out
		return 0, err
	}
	if c.Action == BulkUnassign {
		return tx.AssignTasks(ctx, ids, nil, now)
	}
	return tx.AssignTasks(ctx, ids, &c.User, now)
}

// assignable returns a task that can be assigned; ErrConflict if it is not open.
func (t Task) assignable(time.Time) (Task, error) {
	if t.State != TaskOpen {
		return t, fmt.Errorf("task %d is %s: only open tasks are assigned: %w", t.ID, t.State, ErrConflict)
	}
	return t, nil
}

// unassignable returns a task whose assignment can end.
func (t Task) unassignable(now time.Time) (Task, error) {
	if t.AssignedTo == nil {
		return t, fmt.Errorf("task %d is assigned to nobody: %w", t.ID, ErrConflict)
	}
	return t.assignable(now)
}

// UndoAssignment takes an assignment, or the end of one, back: the tasks that are open still are offered to those who had them before
// (reviewer). It returns how many; ErrConflict if there is none.
func (s *Service) UndoAssignment(ctx context.Context, actor User, slug string, assignment int64) (int, error) {
	actor, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return 0, err
	}
	n := 0
	err = s.store.InTx(ctx, func(tx Store) (err error) {
		if n, err = tx.UnassignTasks(ctx, project.ID, assignment, s.now()); err != nil {
			return err
		}
		if n == 0 {
			return Conflict("none of these tasks waits as it was assigned: they were painted, or assigned again")
		}
		return s.audit(ctx, tx, actor, &project.ID, "task.reassign", fmt.Sprintf("%s tasks", text.Count(n)), "")
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
