package annotator

import (
	"fmt"
	"slices"
	"time"
)

// This file has the rules for a task's states (TaskTransitions). Callers lock the task, apply a rule and write the result. Where a
// lease may have run out, they call Expire first.

// Expire gives the task back if its lease has run out, its painter's or its reviewer's; else it stays as it is.
func (t Task) Expire(now time.Time) Task {
	if t.LeaseExpiresAt == nil || now.Before(*t.LeaseExpiresAt) {
		return t
	}
	return t.givenBack()
}

// givenBack returns a task without its lease: one in review stays there, one that is painted goes to its author if changes were
// requested, else to everybody.
func (t Task) givenBack() Task {
	switch {
	case t.State != TaskLeased:
	case t.Returned:
		t.State = TaskTransitions.To(EventGiveBackDue)
	default:
		t.State, t.AuthorID, t.AuthorName = TaskTransitions.To(EventGiveBack), nil, ""
	}
	return t.unheld()
}

// unheld returns the task with nobody's lease on it.
func (t Task) unheld() Task {
	t.ReviewerID, t.ReviewerName, t.LeaseExpiresAt = nil, "", nil
	return t
}

// extended returns the task with its lease, which its caller has given to somebody, lasting for LeaseDuration from now.
func (t Task) extended(now time.Time) Task {
	until := now.Add(LeaseDuration)
	t.LeaseExpiresAt = &until
	return t
}

// holder returns who holds the task's lease: its painter or, while it is in review, its reviewer. 0 if nobody does.
func (t Task) holder() (id int64, name string) {
	switch {
	case t.LeaseExpiresAt == nil:
		return 0, ""
	case t.State == TaskLeased:
		return ptrOr(t.AuthorID), t.AuthorName
	}
	return ptrOr(t.ReviewerID), t.ReviewerName
}

// by reports whether u is the task's author.
func (t Task) by(u User) bool { return ptrOr(t.AuthorID) == u.ID && u.ID != 0 }

// MayTake reports whether u, who holds leases tasks, may take this one or holds it already. An open task may be taken unless it is
// assigned to somebody else, and one that was returned to u. *LeaseError if somebody else holds it, *LeaseLimitError if u
// would hold too many, else ErrConflict.
func (t Task) MayTake(u User, leases int) error {
	switch {
	case !TaskTransitions.May(t.State, EventTake):
		return fmt.Errorf("task %d is %s and cannot be painted: %w", t.ID, t.State, ErrConflict)
	case t.State != TaskOpen && !t.by(u):
		return &LeaseError{Task: t.ID, Holder: t.AuthorName}
	case t.State == TaskOpen && t.assignedBeside(u):
		return Conflict("task %d is assigned to %s", t.ID, t.AssigneeName)
	case t.State != TaskLeased && leases >= MaxLeases:
		return &LeaseLimitError{Held: leases}
	}
	return t.closedTo(u)
}

// HeldBy returns a *LeaseError unless u holds the task.
func (t Task) HeldBy(u User) error {
	switch {
	case t.State != TaskLeased:
		return &LeaseError{Task: t.ID}
	case !t.by(u):
		return &LeaseError{Task: t.ID, Holder: t.AuthorName}
	}
	return nil
}

// Lease gives the task to u, or renews their lease, for LeaseDuration from now.
func (t Task) Lease(u User, now time.Time) Task {
	t = t.unheld().extended(now)
	t.State, t.AuthorID, t.AuthorName, t.UpdatedAt = TaskTransitions.To(EventTake), &u.ID, u.Name, now
	return t
}

// GiveBack ends u's lease before its time; *LeaseError unless u holds the task.
func (t Task) GiveBack(u User, now time.Time) (Task, error) {
	if err := t.HeldBy(u); err != nil {
		return t, err
	}
	t = t.givenBack()
	t.UpdatedAt = now
	return t, nil
}

// TakeReview gives the task, which is in review, to u to judge, or renews their lease. u holds leases others for review. ErrConflict if it
// is not in review, *LeaseError if somebody else has it, *LeaseLimitError if u would hold too many. TaskCard.MayJudge says who may judge it.
func (t Task) TakeReview(u User, leases int, now time.Time) (Task, error) {
	if err := t.FreeToJudge(u, now); err != nil {
		return t, err
	}
	if t.ReviewerID == nil && leases >= MaxLeases {
		return t, &LeaseLimitError{Held: leases, Review: true}
	}
	t.ReviewerID, t.ReviewerName = &u.ID, u.Name
	return t.extended(now), nil
}

// FreeToJudge returns a *LeaseError if somebody other than u has the task to judge, ErrConflict if it is not in review.
func (t Task) FreeToJudge(u User, now time.Time) error {
	if t.State != TaskSubmitted {
		return t.notInReview()
	}
	if t.ReviewerID != nil && *t.ReviewerID != u.ID {
		return &LeaseError{Task: t.ID, Holder: t.ReviewerName, Review: true, Left: t.LeaseExpiresAt.Sub(now)}
	}
	return nil
}

// notInReview is the ErrConflict of a task that is not to be judged now. Its author may have taken it back while a reviewer looked at it.
func (t Task) notInReview() error {
	if t.State == TaskLeased && t.AuthorName != "" {
		return Conflict("%s is painting task %d again. Go on to the next one", t.AuthorName, t.ID)
	}
	return Conflict("task %d is %s, not waiting for review", t.ID, t.State)
}

// ReviewHeldBy returns an error unless u has the task to judge: ErrConflict if it is not in review, else a *LeaseError.
func (t Task) ReviewHeldBy(u User, now time.Time) error {
	if err := t.FreeToJudge(u, now); err != nil {
		return err
	}
	if t.ReviewerID == nil {
		return &LeaseError{Task: t.ID, Review: true}
	}
	return nil
}

// GiveReviewBack ends u's lease of a task in review before its time; the errors are those of ReviewHeldBy.
func (t Task) GiveReviewBack(u User, now time.Time) (Task, error) {
	if err := t.ReviewHeldBy(u, now); err != nil {
		return t, err
	}
	return t.givenBack(), nil
}

// Without returns the task when a person is gone: it is Free of its author, and nobody's to judge if they had it.
func (t Task) Without(person int64, now time.Time) Task {
	if ptrOr(t.ReviewerID) == person {
		t = t.unheld()
	}
	if ptrOr(t.AuthorID) == person {
		t = t.Free(now)
	}
	return t
}

// Free returns a task whose author is gone: what they held, or should have changed, is everybody's.
func (t Task) Free(now time.Time) Task {
	if t.State == TaskLeased {
		t = t.givenBack()
		t.UpdatedAt = now
	}
	if to, may := TaskTransitions.Next(t.State, EventReopen); may && t.State != TaskSkipped {
		t.State, t.Returned, t.AuthorID, t.AuthorName, t.UpdatedAt = to, false, nil, "", now
	}
	if t.State == TaskOpen {
		t = t.Assign(nil, now)
	}
	return t
}

// assignedBeside reports whether the task is assigned to somebody else than u.
func (t Task) assignedBeside(u User) bool { return t.AssignedTo != nil && *t.AssignedTo != u.ID }

// Assign returns a task as u's alone while it is open, nil: everybody's.
func (t Task) Assign(u *User, now time.Time) Task {
	t.AssignedTo, t.AssigneeName, t.AssignedAt = nil, "", nil
	if u != nil {
		t.AssignedTo, t.AssigneeName, t.AssignedAt = &u.ID, u.Name, &now
	}
	return t
}

// Skip puts aside a task that is open, or that u holds.
func (t Task) Skip(u User, reason string, now time.Time) (Task, error) {
	to, may := TaskTransitions.Next(t.State, EventSkip)
	switch {
	case !may:
		return t, fmt.Errorf("task %d is %s and cannot be skipped: %w", t.ID, t.State, ErrConflict)
	case t.State == TaskOpen && t.assignedBeside(u) && !u.Role.May(RoleReviewer):
		return t, Conflict("task %d is assigned to %s", t.ID, t.AssigneeName)
	case t.State == TaskOpen:
		if err := t.closedTo(u); err != nil && !u.Role.May(RoleReviewer) {
			return t, err
		}
		t.AuthorID, t.AuthorName = &u.ID, u.Name
	case !t.by(u):
		return t, &LeaseError{Task: t.ID, Holder: t.AuthorName}
	}
	t.State, t.SkipReason, t.UpdatedAt = to, reason, now
	t.LeaseExpiresAt, t.Returned = nil, false
	return t, nil
}

// Withdrawal is why the studio itself has skipped a task: its image is no longer to be painted.
type Withdrawal string

// The withdrawals. Each ends when nothing of the kind is true of the image any more.
const (
	WithdrawnReplaced   Withdrawal = "the picture was replaced by another at its source"
	WithdrawnGone       Withdrawal = "the picture is gone from its source"
	WithdrawnSplit      Withdrawal = "the image went to a split that is not painted"
	WithdrawnNone       Withdrawal = "the image shows none of the classes"
	WithdrawnAmbiguous  Withdrawal = "the class of the image is ambiguous"
	WithdrawnQuestioned Withdrawal = "its label is said to be wrong, which a reviewer decides"
	WithdrawnRight      Withdrawal = "its label was corrected, and the model is right about it"
	WithdrawnDeleted    Withdrawal = "the image was deleted"
)

// Withdrawals are all of them.
var Withdrawals = []Withdrawal{WithdrawnReplaced, WithdrawnGone, WithdrawnSplit, WithdrawnNone, WithdrawnAmbiguous, WithdrawnQuestioned, WithdrawnRight, WithdrawnDeleted}

// Painting is what decides whether a task's image is to be painted.
type Painting struct {
	Image      Image
	Right      bool // the task's version is right about it, and was wrong when the task was made
	Questioned bool // somebody says that its label is wrong, and nobody has decided
	InReview   bool // a map of it waits for a verdict
}

// withdrawal returns why the image is not to be painted, "" if it is.
func (p Painting) withdrawal() Withdrawal {
	switch {
	case p.Image.Retired != "":
		return Retirement(p.Image.Retired).Withdrawal()
	case p.Image.Split != SplitTrain && p.Image.Split != SplitPool || p.Image.Label == nil:
		return WithdrawnSplit
	case p.Image.Is(LeftOutNone):
		return WithdrawnNone
	case p.Image.Is(LeftOutAmbiguous):
		return WithdrawnAmbiguous
	case p.Questioned:
		return WithdrawnQuestioned
	case p.Right:
		return WithdrawnRight
	}
	return ""
}

// Follow returns the task as its image is now: withdrawn, restored, or as it is.
func (t Task) Follow(p Painting, now time.Time) Task {
	if why := p.withdrawal(); why != "" {
		return t.Withdraw(why, now)
	}
	return t.Restore(p.InReview, now)
}

// withdrawn reports whether the task is skipped by a Withdrawal.
func (t Task) withdrawn() bool {
	return t.State == TaskSkipped && slices.Contains(Withdrawals, Withdrawal(t.SkipReason))
}

// Withdraw puts aside a task whose image is no longer to be painted. An approved task stays approved; one in review leaves it.
func (t Task) Withdraw(why Withdrawal, now time.Time) Task {
	to, may := TaskTransitions.Next(t.State, EventWithdraw)
	if !may || t.State == TaskSkipped && !t.withdrawn() {
		return t
	}
	t = t.unheld()
	t.State, t.SkipReason, t.Returned, t.UpdatedAt = to, string(why), false, now
	return t
}

// Restore puts a withdrawn task back when its image is to be painted again: into review if inReview, because an edit waits for it,
// else into the queue.
func (t Task) Restore(inReview bool, now time.Time) Task {
	if !t.withdrawn() {
		return t
	}
	t.State, t.SkipReason, t.UpdatedAt = TaskTransitions.To(EventRestoreReview), "", now
	if !inReview {
		t.State, t.AuthorID, t.AuthorName = TaskTransitions.To(EventRestore), nil, ""
	}
	return t
}

// Reopen puts back into the queue, for everybody, a skipped task, or one with changes requested whose author is away.
func (t Task) Reopen(now time.Time) (Task, error) {
	if t.withdrawn() {
		return t, fmt.Errorf("task %d is not reopened: %s: %w", t.ID, t.SkipReason, ErrConflict)
	}
	to, may := TaskTransitions.Next(t.State, EventReopen)
	if !may {
		return t, fmt.Errorf("task %d is %s, only a skipped or returned one is reopened: %w", t.ID, t.State, ErrConflict)
	}
	t.State, t.SkipReason, t.Returned, t.UpdatedAt = to, "", false, now
	t.AuthorID, t.AuthorName = nil, ""
	return t.Assign(nil, now), nil
}

// Submit hands a task that u holds to review; *LeaseError unless u holds it.
func (t Task) Submit(u User, now time.Time) (Task, error) {
	if err := t.HeldBy(u); err != nil {
		return t, err
	}
	t.State, t.LeaseExpiresAt, t.Returned = TaskTransitions.To(EventSubmit), nil, false
	t.SubmittedAt, t.UpdatedAt = &now, now
	return t, nil
}

// Judge returns a submitted task after its review: approved, or back with its author. ErrConflict if it is not in review.
// TaskCard.MayJudge says who may judge it.
func (t Task) Judge(v Verdict, now time.Time) (Task, error) {
	to, may := TaskTransitions.Next(t.State, v.Event())
	if !may {
		return t, t.notInReview()
	}
	t = t.unheld()
	t.State, t.Returned, t.UpdatedAt = to, v == VerdictReject, now
	return t, nil
}

// TakeBack gives a submitted task that nobody has judged back to u, who submitted it and holds leases others. due says that a reviewer has
// asked for changes before, so that it stays with its author. ErrConflict if it is not in review, *LeaseError if somebody else submitted it.
func (t Task) TakeBack(u User, due bool, leases int, now time.Time) (Task, error) {
	switch {
	case !TaskTransitions.May(t.State, EventTakeBack):
		return t, fmt.Errorf("task %d is %s: only what waits for review is taken back: %w", t.ID, t.State, ErrConflict)
	case !t.by(u):
		return t, &LeaseError{Task: t.ID, Holder: t.AuthorName}
	case leases >= MaxLeases:
		return t, &LeaseLimitError{Held: leases}
	}
	t = t.Lease(u, now)
	t.State, t.Returned = TaskTransitions.To(EventTakeBack), due
	return t, nil
}

// Retract returns a judged task as it was before its verdict: in review. ErrConflict if it is not judged, or its author has gone on.
func (t Task) Retract(now time.Time) (Task, error) {
	to, may := TaskTransitions.Next(t.State, EventRetract)
	if !may {
		return t, fmt.Errorf("task %d is %s: its verdict cannot be taken back any more: %w", t.ID, t.State, ErrConflict)
	}
	t.State, t.Returned, t.UpdatedAt = to, false, now
	return t, nil
}

// Event is what a verdict does to the task and to its submitted revision.
func (v Verdict) Event() Event {
	switch v {
	case VerdictReject:
		return EventReject
	case VerdictCorrect:
		return EventCorrect
	default:
		return EventApprove
	}
}

// nextStates lists the states in which NextTask looks for a task, in order: returned to the user, held by the user, open to everybody.
// A user who holds MaxLeases tasks only gets one of those again.
func nextStates(leases int) []TaskState {
	if leases >= MaxLeases {
		return []TaskState{TaskLeased}
	}
	return []TaskState{TaskChangesRequested, TaskLeased, TaskOpen}
}

// follows checks that a save was made from the task's latest revision (zero if there is none), else *StaleError. repeat says that
// latest is this very save, sent again because its answer was lost.
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
