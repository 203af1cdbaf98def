package annotator

import (
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/text"
)

// What a worker is told of a round that it asks for or writes to. All mean that there is nothing left for it to do there.
var (
	ErrSuperseded     = errors.New("another attempt holds this work now")
	ErrRoundCancelled = errors.New("the round was cancelled")
	ErrRoundOver      = errors.New("the round is over")
)

// roundOrder says which states may follow which; a round that is over stays what it is. A worker that takes over begins
// with training whatever the last one did: what that one has trained is on disk. The database keeps to the same order
// (rounds_state_order in migration 9).
var roundOrder = map[RoundState][]RoundState{
	RoundQueued:     {RoundTraining, RoundCancelled, RoundFailed},
	RoundTraining:   {RoundEvaluating, RoundFinished, RoundCancelled, RoundFailed},
	RoundEvaluating: {RoundTraining, RoundFinished, RoundCancelled, RoundFailed},
}

// MayBecome reports whether next may follow s, or is s itself in a round that is not over.
func (s RoundState) MayBecome(next RoundState) bool {
	return slices.Contains(roundOrder[s], next) || s == next && !s.Over()
}

// JobState is that of the round's job.
func (s RoundState) JobState() JobState {
	switch s {
	case RoundQueued:
		return JobQueued
	case RoundFinished:
		return JobFinished
	case RoundCancelled:
		return JobCancelled
	case RoundFailed:
		return JobFailed
	}
	return JobRunning
}

// RoundClaim is one worker's hold on a round. The next claim of the same round ends it: what is written under it after
// that is refused with ErrSuperseded.
type RoundClaim struct {
	RoundID int64
	Attempt int
}

func (r Round) become(next RoundState) (Round, error) {
	if !r.State.MayBecome(next) {
		return r, fmt.Errorf("round %d is %s and cannot become %s: %w", r.ID, r.State, next, ErrConflict)
	}
	r.State = next
	r.Cancelling = r.Cancelling && !next.Over()
	return r, nil
}

// Claim is the round in the hands of its next attempt: the first, or one that takes over after a crash. One that
// somebody cancelled while no worker had it is cancelled then. ErrRoundOver where nothing is left to do.
func (r Round) Claim() (Round, error) {
	switch {
	case r.State.Over():
		return r, ErrRoundOver
	case r.Cancelling:
		return r.become(RoundCancelled)
	}
	r.Attempt++
	r.Unreadable = nil // the new attempt looks itself
	return r.become(RoundTraining)
}

// Check says whether a worker may write to the round: ErrSuperseded where its claim is none any more, ErrRoundCancelled
// where it is to stop.
func (r Round) Check(c RoundClaim) error {
	switch {
	case r.Attempt != c.Attempt || r.State.Over():
		return ErrSuperseded
	case r.Cancelling:
		return ErrRoundCancelled
	}
	return nil
}

// Starter is who asked for the round.
func (r Round) Starter() User { return User{ID: r.StarterID, Name: r.StartedBy} }

// Report is the round with its worker's progress. The fraction does not fall where one worker takes over from another.
func (r Round) Report(c RoundClaim, p RoundProgress) (Round, error) {
	p.Fraction = max(p.Fraction, r.Progress.Fraction)
	r.Progress = p
	return r, r.Check(c)
}

// LeaveOut is the round that goes on without some images.
func (r Round) LeaveOut(c RoundClaim, u Unreadable) (Round, error) {
	r.Unreadable = &u
	return r, r.Check(c)
}

// Evaluate is the round whose training is done.
func (r Round) Evaluate(c RoundClaim) (Round, error) {
	if err := r.Check(c); err != nil {
		return r, err
	}
	return r.become(RoundEvaluating)
}

// Finish is the round with what was measured.
func (r Round) Finish(c RoundClaim, result RoundResult) (Round, error) {
	if err := r.Check(c); err != nil {
		return r, err
	}
	r.Result = &result
	r.Progress.Fraction, r.Progress.RemainingSeconds = 1, 0
	return r.become(RoundFinished)
}

// Candidate is the model that the round made, with its lineage. Its classes are the project's.
func (r Round) Candidate(v NewVersion) NewVersion {
	v.ParentID, v.RoundID, v.Classes = &r.ParentVersion, &r.ID, nil
	return v
}

// Fail is the round that could not be done, and why. One that was to stop anyway is cancelled.
func (r Round) Fail(c RoundClaim, message string) (Round, error) {
	switch err := r.Check(c); {
	case errors.Is(err, ErrRoundCancelled):
		return r.become(RoundCancelled)
	case err != nil:
		return r, err
	}
	if r.Error = text.Clean(message); r.Error == "" {
		r.Error = "it failed without saying why"
	}
	return r.become(RoundFailed)
}

// Cancel is the round that somebody asks to stop: a queued one is over, a running one stops at its worker's next step.
// ErrConflict where it is over.
func (r Round) Cancel() (Round, error) {
	switch {
	case r.State.Over():
		return r, fmt.Errorf("it is %s: %w", r.State, ErrConflict)
	case r.State == RoundQueued:
		return r.become(RoundCancelled)
	}
	r.Cancelling = true
	return r, nil
}

// Stop is the round whose worker has stopped, as somebody asked; ErrConflict if nobody did.
func (r Round) Stop(c RoundClaim) (Round, error) {
	switch err := r.Check(c); {
	case err == nil:
		return r, fmt.Errorf("nobody cancelled it: %w", ErrConflict)
	case !errors.Is(err, ErrRoundCancelled):
		return r, err
	}
	return r.become(RoundCancelled)
}

// MeasuredOn is the split that tells what a round gained: test, or validation in a project without labelled test images.
func MeasuredOn(testImages int) Split {
	if testImages > 0 {
		return SplitTest
	}
	return SplitValidation
}

// LooksAtValidation reports whether early stopping looks at the project's validation images: not where the round is
// measured on them.
func (r Round) LooksAtValidation(measuredOn Split) bool {
	return r.Settings.Patience > 0 && measuredOn != SplitValidation
}
