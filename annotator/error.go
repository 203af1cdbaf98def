package annotator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/text"
)

// The errors every adapter can rely on. Methods wrap them with what they were doing; ask with errors.Is.
var (
	ErrNotFound      = errors.New("not found")
	ErrConflict      = errors.New("conflicts with the present state")
	ErrForbidden     = errors.New("not allowed")
	ErrUnauthorized  = errors.New("not signed in")
	ErrWrongPassword = errors.New("the present password is another one")
	ErrShowAgain     = errors.New("show once more that it is you: sign in by your institution on the page Account, and do it within ten minutes")
	ErrNoTask        = errors.New("no task is waiting")
	ErrUnavailable   = errors.New("temporarily unavailable")
	ErrTooLarge      = errors.New("too large")
	ErrParts         = errors.New("the network's parts are not found") // naming values of the graph may help
	ErrTooLong       = errors.New("took too long")                     // a run of a network was stopped
	ErrBusy          = errors.New("too many are waiting: try again in a moment")
	ErrFull          = errors.New("the disk takes no more") // the disk of the database, the blob store or temporary files
	ErrMissing       = errors.New("missing from the blob store")
	ErrDamaged       = errors.New("damaged in the blob store") // its bytes are not those of its hash
)

// ErrDatabaseAway is the ErrUnavailable of a database that cannot be reached or does not answer. An error that wraps it may
// name the server: it is logged, and not shown to users.
var ErrDatabaseAway = fmt.Errorf("%w: the database does not answer", ErrUnavailable)

// ErrBlobsAway is the ErrUnavailable of a bucket that cannot be reached or does not answer. An error that wraps it may name the server: it
// is logged, and not shown to users.
var ErrBlobsAway = fmt.Errorf("%w: the blob store does not answer", ErrUnavailable)

// Away reports whether an error passes by itself, because what the studio stands on is away: its database or its bucket.
func Away(err error) bool { return errors.Is(err, ErrDatabaseAway) || errors.Is(err, ErrBlobsAway) }

// Passes reports whether work that failed with an error is to be done again later, however often: something is away, or a disk is full.
func Passes(err error) bool { return Away(err) || errors.Is(err, ErrFull) }

// ValidationError names the field of a request that is wrong and what to do about it.
type ValidationError struct {
	Field   string // as the API spells it: "gamma", "values"
	Message string
}

func (e *ValidationError) Error() string { return e.Field + ": " + e.Message }

// oneOf returns a *ValidationError of a field whose value is none of a list: "is annotator, reviewer or admin".
func oneOf[T ~string](field string, value T, list []T) error {
	if slices.Contains(list, value) {
		return nil
	}
	var words strings.Builder
	for i, word := range list {
		switch {
		case i == 0:
		case i == len(list)-1:
			words.WriteString(" or ")
		default:
			words.WriteString(", ")
		}
		words.WriteString(string(word))
	}
	return &ValidationError{Field: field, Message: "is " + words.String()}
}

// PictureError is the error of an image whose file cannot be used: it is missing (ErrMissing), damaged (ErrDamaged), or not a picture
// that the studio can read.
type PictureError struct {
	Image string // its name
	Err   error
}

func (e *PictureError) Error() string { return fmt.Sprintf("the picture %s: %v", e.Image, e.Err) }
func (e *PictureError) Unwrap() error { return e.Err }

// Conflict returns an error that matches ErrConflict and says only what is formatted: what stands in the way, and what to do.
func Conflict(format string, args ...any) error { return conflict(fmt.Sprintf(format, args...)) }

type conflict string

func (c conflict) Error() string { return string(c) }

// Is makes errors.Is(err, ErrConflict) true.
func (c conflict) Is(target error) bool { return target == ErrConflict }

// StaleError is a save made from a revision that is no longer the latest. Current is the revision to
// rebase on; nothing was overwritten. It matches ErrConflict.
type StaleError struct {
	Base    int  // the revision the save was made from
	Current Edit // the latest revision there is
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("revision %d is stale, the latest is %d", e.Base, e.Current.Revision)
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *StaleError) Is(target error) bool { return target == ErrConflict }

// LeaseError is a task that somebody else holds, or that the actor no longer holds. It matches ErrConflict.
type LeaseError struct {
	Task   int64
	Holder string        // the display name of who holds it, "" if nobody does
	Review bool          // to judge it, not to paint it
	Left   time.Duration // of a review: how long the lease lasts, if it is not renewed
}

func (e *LeaseError) Error() string {
	switch {
	case e.Review && e.Holder == "":
		return fmt.Sprintf("you do not have task %d to review any more: take it again", e.Task)
	case e.Review:
		return fmt.Sprintf("%s is reviewing task %d: go on to the next one, or come back when it is free, in %d min unless they go on with it",
			e.Holder, e.Task, int(max(e.Left, 0)/time.Minute)+1)
	case e.Holder == "":
		return fmt.Sprintf("task %d is not leased to you any more: take it again", e.Task)
	}
	return fmt.Sprintf("task %d is being edited by %s", e.Task, e.Holder)
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *LeaseError) Is(target error) bool { return target == ErrConflict }

// LeaseLimitError is a task that the actor may not take because they hold as many as one person may. It matches ErrConflict.
type LeaseLimitError struct {
	Held   int
	Review bool // to judge, not to paint
}

func (e *LeaseLimitError) Error() string {
	if e.Review {
		return fmt.Sprintf("you have %s maps to review, as many as one person may: judge one of them, or leave it", text.Count(e.Held))
	}
	return fmt.Sprintf("you hold %s tasks, as many as one person may: submit, skip or put back one of them", text.Count(e.Held))
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *LeaseLimitError) Is(target error) bool { return target == ErrConflict }

// asValidation returns the *ValidationError in an error's chain, nil if there is none.
func asValidation(err error) *ValidationError {
	var v *ValidationError
	if errors.As(err, &v) {
		return v
	}
	return nil
}
