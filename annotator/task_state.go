package annotator

import (
	"fmt"
	"time"
)

// What becomes of a task is decided here, from one state to the next (doc.go draws them); the callers lock it, ask, and
// write. Where a lease may have run out, they call Expire first.

// Expire gives a task back whose lease has run out; every other one stays what it is.
func (t Task) Expire(now time.Time) Task {
	if t.State != TaskLeased || t.LeaseExpiresAt == nil || now.Before(*t.LeaseExpiresAt) {
		return t
	}
	return t.givenBack()
}

// givenBack is a leased task put back: to its author where changes are due, else to everybody.
func (t Task) givenBack() Task {
	t.LeaseExpiresAt = nil
	if t.Returned {
		t.State = TaskChangesRequested
	} else {
		t.State, t.AuthorID, t.AuthorName = TaskOpen, nil, ""
	}
	return t
}

// by reports whether the task has somebody for its author.
func (t Task) by(u User) bool { return ptrOr(t.AuthorID) == u.ID && u.ID != 0 }

// MayTake says whether somebody who holds leases tasks may take this one, or has it: an open one, or one of their own.
// *LeaseError where it is another's, *LeaseLimitError where it would be one too many, else ErrConflict.
func (t Task) MayTake(u User, leases int) error {
	switch {
	case t.State != TaskOpen && t.State != TaskLeased && t.State != TaskChangesRequested:
		return fmt.Errorf("task %d is %s and cannot be painted: %w", t.ID, t.State, ErrConflict)
	case t.State != TaskOpen && !t.by(u):
		return &LeaseError{Task: t.ID, Holder: t.AuthorName}
	case t.State != TaskLeased && leases >= MaxLeases:
		return &LeaseLimitError{Held: leases}
	}
	return nil
}

// HeldBy returns a *LeaseError unless somebody holds the task.
func (t Task) HeldBy(u User) error {
	switch {
	case t.State != TaskLeased:
		return &LeaseError{Task: t.ID}
	case !t.by(u):
		return &LeaseError{Task: t.ID, Holder: t.AuthorName}
	}
	return nil
}

// Lease gives the task to somebody from now on, or renews their hold on it.
func (t Task) Lease(u User, now time.Time) Task {
	until := now.Add(LeaseDuration)
	t.State, t.AuthorID, t.AuthorName, t.LeaseExpiresAt, t.UpdatedAt = TaskLeased, &u.ID, u.Name, &until, now
	return t
}

// GiveBack puts a task that somebody holds back before its time.
func (t Task) GiveBack(u User, now time.Time) (Task, error) {
	if err := t.HeldBy(u); err != nil {
		return t, err
	}
	t = t.givenBack()
	t.UpdatedAt = now
	return t, nil
}

// Skip puts a task aside that is open, or that somebody holds.
func (t Task) Skip(u User, reason string, now time.Time) (Task, error) {
	switch {
	case t.State == TaskOpen:
		t.AuthorID, t.AuthorName = &u.ID, u.Name
	case t.State != TaskLeased:
		return t, fmt.Errorf("task %d is %s and cannot be skipped: %w", t.ID, t.State, ErrConflict)
	case !t.by(u):
		return t, &LeaseError{Task: t.ID, Holder: t.AuthorName}
	}
	t.State, t.SkipReason, t.UpdatedAt = TaskSkipped, reason, now
	t.LeaseExpiresAt, t.Returned = nil, false
	return t, nil
}

// Withdrawal is why a task is skipped without anybody having skipped it: there is nothing more to paint on its image.
type Withdrawal string

// The withdrawals. Each ends when the image is back in use and in a split that is painted.
const (
	WithdrawnReplaced Withdrawal = "the picture was replaced by another at its source"
	WithdrawnGone     Withdrawal = "the picture is gone from its source"
	WithdrawnSplit    Withdrawal = "the image went to a split that is not painted"
)

// withdrawn reports whether the task is skipped by a Withdrawal.
func (t Task) withdrawn() bool {
	switch Withdrawal(t.SkipReason) {
	case WithdrawnReplaced, WithdrawnGone, WithdrawnSplit:
		return t.State == TaskSkipped
	}
	return false
}

// Withdraw puts a task aside whose image is not painted any more. What was approved stays so; what is in review leaves it.
func (t Task) Withdraw(why Withdrawal, now time.Time) Task {
	if t.State == TaskApproved || t.State == TaskSkipped && !t.withdrawn() {
		return t
	}
	t.State, t.SkipReason, t.UpdatedAt = TaskSkipped, string(why), now
	t.LeaseExpiresAt, t.Returned = nil, false
	return t
}

// Restore puts a withdrawn task back, once its image is painted again: into review where an edit of it waits for that, else into
// the queue.
func (t Task) Restore(inReview bool, now time.Time) Task {
	if !t.withdrawn() {
		return t
	}
	t.State, t.SkipReason, t.UpdatedAt = TaskSubmitted, "", now
	if !inReview {
		t.State, t.AuthorID, t.AuthorName = TaskOpen, nil, ""
	}
	return t
}

// Reopen puts a skipped task back into the queue, or one whose changes are due while its author is away.
func (t Task) Reopen(now time.Time) (Task, error) {
	if t.withdrawn() {
		return t, fmt.Errorf("task %d is not reopened: %s: %w", t.ID, t.SkipReason, ErrConflict)
	}
	if t.State != TaskSkipped && t.State != TaskChangesRequested {
		return t, fmt.Errorf("task %d is %s, only a skipped or returned one is reopened: %w", t.ID, t.State, ErrConflict)
	}
	t.State, t.SkipReason, t.Returned, t.UpdatedAt = TaskOpen, "", false, now
	t.AuthorID, t.AuthorName = nil, ""
	return t, nil
}

// Submit hands a task that somebody holds to review.
func (t Task) Submit(u User, now time.Time) (Task, error) {
	if err := t.HeldBy(u); err != nil {
		return t, err
	}
	t.State, t.LeaseExpiresAt, t.Returned = TaskSubmitted, nil, false
	t.SubmittedAt, t.UpdatedAt = &now, now
	return t, nil
}

// Judge is a submitted task after its review: approved, or back with its author. Whether somebody may judge it says
// TaskCard.MayJudge.
func (t Task) Judge(v Verdict, now time.Time) Task {
	t.State, t.UpdatedAt = TaskApproved, now
	if v == VerdictReject {
		t.State, t.Returned = TaskChangesRequested, true
	}
	return t
}

// EditState is what a judgement makes of a submitted revision.
func (v Verdict) EditState() EditState {
	if v == VerdictReject {
		return EditRejected
	}
	return EditApproved
}

// nextStates says where NextTask looks, in this order: among the tasks returned to somebody, those they hold, and those
// open to everybody. Who holds as many as one person may gets one of those again.
func nextStates(leases int) []TaskState {
	if leases >= MaxLeases {
		return []TaskState{TaskLeased}
	}
	return []TaskState{TaskChangesRequested, TaskLeased, TaskOpen}
}

// follows says whether a save goes on from a task's latest revision (its zero value where there is none): *StaleError
// where not. The same save again, as after a lost answer, is a repeat: it is there already.
func (d Draft) follows(latest Edit, by User) (repeat bool, err error) {
	switch {
	case latest.Revision == d.BaseRevision:
		return false, nil
	case latest.Revision == d.BaseRevision+1 && latest.AuthorID == by.ID && latest.State == EditDraft &&
		latest.Source == d.Source && latest.Map.Equal(d.Map):
		return true, nil
	case latest.Revision == 0:
		return false, &ValidationError{Field: "base_revision", Message: "is 0 for a task nobody has painted"}
	}
	return false, &StaleError{Base: d.BaseRevision, Current: latest}
}
