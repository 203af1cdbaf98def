package annotator

import (
	"errors"
	"fmt"

	"github.com/abn-studio/studio/internal/text"
)

// The errors that a worker gets when it claims a round or writes to it. All mean that it must leave the round alone.
var (
	ErrSuperseded     = errors.New("another attempt holds this work now")
	ErrRoundCancelled = errors.New("the round was cancelled")
	ErrRoundOver      = errors.New("the round is over")
)

// JobState returns the state of the job of a round in state s.
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

// RoundClaim is one worker's claim on a round. The next claim of the same round ends it: later writes under it are refused with
// ErrSuperseded.
type RoundClaim struct {
	RoundID int64
	Attempt int
}

func (r Round) after(event Event) (Round, error) {
	to, may := RoundTransitions.Next(r.State, event)
	if !may {
		return r, fmt.Errorf("round %d is %s and cannot become %s: %w", r.ID, r.State, RoundTransitions.To(event), ErrConflict)
	}
	r.State = to
	r.Cancelling = r.Cancelling && !to.Over()
	return r, nil
}

// Claim returns the round with its next attempt: the first one, or one that takes over after a crash. A round whose cancellation
// was asked for while no worker had it becomes cancelled. ErrRoundOver if the round has ended.
func (r Round) Claim() (Round, error) {
	switch {
	case r.State.Over():
		return r, ErrRoundOver
	case r.Cancelling:
		return r.after(EventStop)
	}
	r.Attempt++
	r.Unreadable = nil // the new attempt reads the images again
	return r.after(EventClaim)
}

// Check reports whether a worker may write to the round: ErrSuperseded if another claim has ended its own, ErrRoundCancelled if the
// round is to stop.
func (r Round) Check(c RoundClaim) error {
	switch {
	case r.Attempt != c.Attempt || r.State.Over():
		return ErrSuperseded
	case r.Cancelling:
		return ErrRoundCancelled
	}
	return nil
}

// Starter is the user who started the round.
func (r Round) Starter() User { return User{ID: r.StarterID, Name: r.StartedBy} }

// Report returns the round with its worker's progress. The fraction does not fall when another worker takes over.
func (r Round) Report(c RoundClaim, p RoundProgress) (Round, error) {
	p.Fraction = max(p.Fraction, r.Progress.Fraction)
	r.Progress = p
	return r, r.Check(c)
}

// Wait returns the round when it cannot go on for a while. Its next report ends that.
func (r Round) Wait(c RoundClaim, what Wait) (Round, error) {
	r.Progress.Waits, r.Progress.RemainingSeconds = what, 0
	return r, r.Check(c)
}

// LeaveOut returns the round with the images that it does without.
func (r Round) LeaveOut(c RoundClaim, u Unreadable) (Round, error) {
	r.Unreadable = &u
	return r, r.Check(c)
}

// Evaluate returns the round after its training, when it is evaluated.
func (r Round) Evaluate(c RoundClaim) (Round, error) {
	if err := r.Check(c); err != nil {
		return r, err
	}
	return r.after(EventEvaluate)
}

// Finish returns the finished round with its result.
func (r Round) Finish(c RoundClaim, result RoundResult) (Round, error) {
	if err := r.Check(c); err != nil {
		return r, err
	}
	r.Result = &result
	r.Progress.Fraction, r.Progress.RemainingSeconds = 1, 0
	return r.after(EventFinish)
}

// Candidate adds the round's lineage to the model that it made. The model's classes are the project's.
func (r Round) Candidate(v NewVersion) NewVersion {
	v.ParentID, v.RoundID, v.Classes = &r.ParentVersion, &r.ID, nil
	return v
}

// Fail returns the failed round with the reason. If its cancellation was asked for, it is cancelled instead.
func (r Round) Fail(c RoundClaim, message string) (Round, error) {
	switch err := r.Check(c); {
	case errors.Is(err, ErrRoundCancelled):
		return r.after(EventStop)
	case err != nil:
		return r, err
	}
	if r.Error = text.Clean(message); r.Error == "" {
		r.Error = "it failed without saying why"
	}
	return r.after(EventFail)
}

// Cancel returns the round after its cancellation was asked for: a queued round ends at once, a running one stops at its worker's
// next step. ErrConflict if it has ended.
func (r Round) Cancel() (Round, error) {
	switch {
	case r.State.Over():
		return r, fmt.Errorf("it is %s: %w", r.State, ErrConflict)
	case RoundTransitions.May(r.State, EventCancel):
		return r.after(EventCancel)
	}
	r.Cancelling = true
	return r, nil
}

// Stop returns the cancelled round once its worker has stopped; ErrConflict if no cancellation was asked for.
func (r Round) Stop(c RoundClaim) (Round, error) {
	switch err := r.Check(c); {
	case err == nil:
		return r, fmt.Errorf("its cancellation was not asked for: %w", ErrConflict)
	case !errors.Is(err, ErrRoundCancelled):
		return r, err
	}
	return r.after(EventStop)
}

// MeasuredOn returns the split that a round is measured on: test, or validation in a project without labelled test images.
func MeasuredOn(testImages int) Split {
	if testImages > 0 {
		return SplitTest
	}
	return SplitValidation
}

// LooksAtValidation reports whether early stopping, the search for γ, or the choice of the baseline among several arms measures on the
// project's validation images. It does not if the round itself is measured on them.
func (r Round) LooksAtValidation(measuredOn Split) bool {
	return (r.Settings.Patience > 0 || r.Settings.GammaSearch || r.Settings.Arms != 0) && measuredOn != SplitValidation
}
