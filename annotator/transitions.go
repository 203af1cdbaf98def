package annotator

// This file says which state follows which: one table for each aggregate. The methods of the aggregates and the statements of
// internal/postgres take their states from it, and docs/architecture.md is drawn from it. A method may ask for more than the table
// does, such as whose task it is.

// Event is what brings something from one state to the next. The same word may be an event of several aggregates.
type Event string

// The events of tasks and of edits.
const (
	EventMake          Event = "make"                    // a scan's version gets the image wrong
	EventTake          Event = "take"                    // also renews a lease
	EventGiveBack      Event = "give back"               // by its holder, or because the lease has run out
	EventGiveBackDue   Event = "give back (changes due)" // it stays with its author
	EventSkip          Event = "skip"
	EventWithdraw      Event = "withdraw"            // its image is no longer to be painted
	EventRestore       Event = "restore"             // the image of a withdrawn task is to be painted again
	EventRestoreReview Event = "restore (in review)" // and an edit of it waits for a verdict
	EventReopen        Event = "reopen"
	EventSeed          Event = "seed"  // a program makes the map, and another one approves it
	EventBring         Event = "bring" // a map that was made elsewhere
	EventAdopt         Event = "adopt" // what a reviewer chose of several people's maps of the image
	EventSave          Event = "save"
	EventSubmit        Event = "submit"
	EventApprove       Event = "approve"
	EventReject        Event = "reject"
	EventTakeBack      Event = "take back" // by whoever submitted it, until somebody has judged it
	EventCorrect       Event = "correct"   // by its reviewer, whose revision takes its place
	EventRetract       Event = "retract"   // its verdict, by whoever gave it, until a round has used it or its author has gone on
)

// The events of verdicts on labels; EventReject and EventWithdraw happen to them too.
const (
	EventPropose Event = "propose"
	EventVouch   Event = "vouch" // somebody looked, and the label is right
	EventConfirm Event = "confirm"
)

// The events of rounds and of jobs.
const (
	EventQueue        Event = "queue"
	EventClaim        Event = "claim" // by a worker, also after another one
	EventEvaluate     Event = "evaluate"
	EventStart        Event = "start" // by a worker, also after another one
	EventBegin        Event = "begin" // an import, by the process that does it
	EventFinish       Event = "finish"
	EventFinishImport Event = "finish an import" // also after it was given up: its process was only silent
	EventFail         Event = "fail"
	EventGiveUp       Event = "give up" // an import whose process is silent
	EventCancel       Event = "cancel"  // what no worker has
	EventStop         Event = "stop"    // what a worker has, once it has noticed that its cancellation was asked for
)

// The events of uploads and of versions.
const (
	EventInspect   Event = "inspect"
	EventAdd       Event = "add"
	EventAddActive Event = "add (first or at once)"
	EventBecome    Event = "become a version" // even if another worker has refused it meanwhile
	EventRefuse    Event = "refuse"
	EventActivate  Event = "activate"
	EventReplace   Event = "replace" // another version becomes the active one
)

// Transition says that an event brings what is in From to To. From is "" where the event makes something new.
type Transition[S ~string] struct {
	From  S
	Event Event
	To    S
}

// Transitions are all of an aggregate. What is not among them does not happen. An event leads to one state, wherever it starts.
type Transitions[S ~string] []Transition[S]

// Next returns the state that follows from at an event; ok is false if the event does not happen in from.
func (all Transitions[S]) Next(from S, event Event) (to S, ok bool) {
	for _, t := range all {
		if t.From == from && t.Event == event {
			return t.To, true
		}
	}
	return from, false
}

// May reports whether an event happens in a state.
func (all Transitions[S]) May(from S, event Event) bool {
	_, ok := all.Next(from, event)
	return ok
}

// From lists the states in which an event happens.
func (all Transitions[S]) From(event Event) (from []S) {
	for _, t := range all {
		if t.Event == event {
			from = append(from, t.From)
		}
	}
	return from
}

// To returns the state that an event leads to, "" if the table has no such event.
func (all Transitions[S]) To(event Event) (to S) {
	for _, t := range all {
		if t.Event == event {
			return t.To
		}
	}
	return to
}

// Follows reports whether some event leads from one state to another.
func (all Transitions[S]) Follows(from, to S) bool {
	for _, t := range all {
		if t.From == from && t.To == to {
			return true
		}
	}
	return false
}

// TaskTransitions are those of a Task.
var TaskTransitions = Transitions[TaskState]{
	{"", EventMake, TaskOpen},
	{TaskOpen, EventTake, TaskLeased},
	{TaskOpen, EventSkip, TaskSkipped},
	{TaskOpen, EventWithdraw, TaskSkipped},
	{TaskOpen, EventSeed, TaskApproved},
	{TaskOpen, EventBring, TaskSubmitted},
	{TaskOpen, EventAdopt, TaskApproved},
	{TaskLeased, EventTake, TaskLeased},
	{TaskLeased, EventSubmit, TaskSubmitted},
	{TaskLeased, EventGiveBack, TaskOpen},
	{TaskLeased, EventGiveBackDue, TaskChangesRequested},
	{TaskLeased, EventSkip, TaskSkipped},
	{TaskLeased, EventWithdraw, TaskSkipped},
	{TaskSubmitted, EventApprove, TaskApproved},
	{TaskSubmitted, EventAdopt, TaskApproved},
	{TaskSubmitted, EventReject, TaskChangesRequested},
	{TaskSubmitted, EventTakeBack, TaskLeased},
	{TaskSubmitted, EventWithdraw, TaskSkipped},
	{TaskApproved, EventRetract, TaskSubmitted},
	{TaskChangesRequested, EventTake, TaskLeased},
	{TaskChangesRequested, EventRetract, TaskSubmitted},
	{TaskChangesRequested, EventReopen, TaskOpen},
	{TaskChangesRequested, EventWithdraw, TaskSkipped},
	{TaskSkipped, EventReopen, TaskOpen},
	{TaskSkipped, EventRestore, TaskOpen},
	{TaskSkipped, EventRestoreReview, TaskSubmitted},
	{TaskSkipped, EventWithdraw, TaskSkipped}, // for another reason
}

// EditTransitions are those of one revision of a task's map.
var EditTransitions = Transitions[EditState]{
	{"", EventSave, EditDraft},
	{EditDraft, EventSubmit, EditSubmitted},
	{EditSubmitted, EventApprove, EditApproved},
	{EditSubmitted, EventReject, EditRejected},
	{EditSubmitted, EventTakeBack, EditTakenBack},
	{EditSubmitted, EventCorrect, EditCorrected},
	{EditApproved, EventRetract, EditSubmitted},
	{EditRejected, EventRetract, EditSubmitted},
}

// LabelTransitions are those of a LabelVerdict.
var LabelTransitions = Transitions[LabelState]{
	{"", EventPropose, LabelProposed},
	{"", EventVouch, LabelVouched},
	{LabelProposed, EventConfirm, LabelConfirmed},
	{LabelProposed, EventReject, LabelRejected},
	{LabelProposed, EventWithdraw, LabelWithdrawn},
}

// RoundTransitions are those of a Round. A worker that takes a round over always begins with training, even if the last one was
// evaluating: it reads that one's checkpoints from disk. The database enforces the same order (rounds_state_order in migration 9).
var RoundTransitions = Transitions[RoundState]{
	{"", EventQueue, RoundQueued},
	{RoundQueued, EventClaim, RoundTraining},
	{RoundQueued, EventCancel, RoundCancelled},
	{RoundQueued, EventFail, RoundFailed},
	{RoundTraining, EventClaim, RoundTraining},
	{RoundTraining, EventEvaluate, RoundEvaluating},
	{RoundTraining, EventFinish, RoundFinished},
	{RoundTraining, EventStop, RoundCancelled},
	{RoundTraining, EventFail, RoundFailed},
	{RoundEvaluating, EventClaim, RoundTraining},
	{RoundEvaluating, EventEvaluate, RoundEvaluating},
	{RoundEvaluating, EventFinish, RoundFinished},
	{RoundEvaluating, EventStop, RoundCancelled},
	{RoundEvaluating, EventFail, RoundFailed},
}

// VersionTransitions are those of a Version. A project that has versions has one active one.
var VersionTransitions = Transitions[VersionState]{
	{"", EventAdd, VersionCandidate},
	{"", EventAddActive, VersionActive},
	{VersionCandidate, EventActivate, VersionActive},
	{VersionActive, EventReplace, VersionArchived},
	{VersionArchived, EventActivate, VersionActive}, // a rollback
}

// UploadTransitions are those of an Upload.
var UploadTransitions = Transitions[UploadState]{
	{"", EventInspect, UploadInspected},
	{UploadInspected, EventAdd, UploadAdding},
	{UploadAdding, EventBecome, UploadAdded},
	{UploadAdding, EventRefuse, UploadRefused},
	{UploadRefused, EventAdd, UploadAdding}, // with another manifest
	{UploadRefused, EventBecome, UploadAdded},
}

// JobTransitions are those of a Job. The job of a round follows the round (RoundState.JobState), and a scan has no states but its
// job's. A job without anything to do is finished without having run.
var JobTransitions = Transitions[JobState]{
	{"", EventQueue, JobQueued},
	{"", EventBegin, JobRunning},
	{JobQueued, EventStart, JobRunning},
	{JobQueued, EventFinish, JobFinished},
	{JobQueued, EventFail, JobFailed},
	{JobQueued, EventCancel, JobCancelled},
	{JobRunning, EventStart, JobRunning},
	{JobRunning, EventFinish, JobFinished},
	{JobRunning, EventFinishImport, JobFinished},
	{JobRunning, EventFail, JobFailed},
	{JobRunning, EventGiveUp, JobFailed},
	{JobRunning, EventStop, JobCancelled},
	{JobFailed, EventFinishImport, JobFinished},
}
