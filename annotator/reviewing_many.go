package annotator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// MaxVerdicts is how many edits one request may judge, or take the verdict on back: those of a page.
const MaxVerdicts = MaxPage

// ManyVerdicts is what became of many edits.
type ManyVerdicts struct {
	Done []int64       `json:"done"` // edits that were approved, or whose verdict was taken back
	Left []LeftVerdict `json:"left"` // those that were left as they are
}

// LeftVerdict is an edit that was left as it is, and why.
type LeftVerdict struct {
	EditID int64  `json:"edit_id"`
	TaskID int64  `json:"task_id,omitempty"`
	Why    string `json:"why"`
}

// ManyReviewStore finds the tasks of many edits.
type ManyReviewStore interface {
	// TasksOfEdits returns the task of each edit of a project by the edit; those of other projects are not in it.
	TasksOfEdits(ctx context.Context, projectID int64, edits []int64) (map[int64]int64, error)
}

// ApproveMany approves submitted edits of a project in one transaction (reviewer). What the actor may not judge, what somebody else has to judge,
// and what changed since the actor saw it is named and left. Nobody has to hold them before: the tasks are locked together.
func (s *Service) ApproveMany(ctx context.Context, actor User, slug string, edits []int64) (ManyVerdicts, error) {
	actor, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return ManyVerdicts{}, err
	}
	if err := mayHoldReviews(actor); err != nil {
		return ManyVerdicts{}, err
	}
	return s.manyVerdicts(ctx, project, edits, func(tx Store, edit int64) error {
		_, err := s.judge(ctx, tx, actor, Review{EditID: edit, Verdict: VerdictApprove}, "")
		return err
	}, func(tx Store) error { return ConsiderForecast(ctx, tx, project.ID) })
}

// RetractMany is Retract for many edits of a project, in one transaction: verdicts that stay are named. Nobody has the edits to judge then.
func (s *Service) RetractMany(ctx context.Context, actor User, slug string, edits []int64) (ManyVerdicts, error) {
	actor, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return ManyVerdicts{}, err
	}
	if err := mayRetract(actor); err != nil {
		return ManyVerdicts{}, err
	}
	return s.manyVerdicts(ctx, project, edits, func(tx Store, edit int64) error {
		_, err := s.retract(ctx, tx, actor, edit, false)
		return err
	}, func(Store) error { return nil })
}

// manyVerdicts does one thing with many edits of a project, in the order of their tasks, in one transaction. It leaves those with which it
// cannot be done. after follows where anything was done.
func (s *Service) manyVerdicts(ctx context.Context, p Project, edits []int64, do func(tx Store, edit int64) error, after func(tx Store) error) (ManyVerdicts, error) {
	if p.ClosedAt != nil {
		return ManyVerdicts{}, &ClosedError{p.Slug}
	}
	edits = slices.Compact(slices.Sorted(slices.Values(edits)))
	switch {
	case len(edits) == 0:
		return ManyVerdicts{}, &ValidationError{Field: "edits", Message: "name the edits"}
	case len(edits) > MaxVerdicts:
		return ManyVerdicts{}, &ValidationError{Field: "edits", Message: fmt.Sprintf("has more than %s edits", text.Count(MaxVerdicts))}
	}
	var all ManyVerdicts
	err := s.store.InTx(ctx, func(tx Store) error {
		all = ManyVerdicts{Done: []int64{}, Left: []LeftVerdict{}}
		tasks, err := tx.TasksOfEdits(ctx, p.ID, edits)
		if err != nil {
			return err
		}
		slices.SortStableFunc(edits, func(a, b int64) int { return int(tasks[a] - tasks[b]) }) // as everybody locks them
		for _, edit := range edits {
			left := LeftVerdict{EditID: edit, TaskID: tasks[edit]}
			if left.TaskID == 0 {
				left.Why = fmt.Sprintf("edit %d is none of this project", edit)
				all.Left = append(all.Left, left)
				continue
			}
			switch err := do(tx, edit); {
			case err == nil:
				all.Done = append(all.Done, edit)
			case refuses(err):
				left.Why = wordsOf(err)
				all.Left = append(all.Left, left)
			default:
				return err
			}
		}
		if len(all.Done) == 0 {
			return nil
		}
		return after(tx)
	})
	if err != nil {
		return ManyVerdicts{}, fmt.Errorf("verdicts on %d edits of project %s: %w", len(edits), p.Slug, err)
	}
	return all, nil
}

// refuses reports whether an error is about one edit of many: it cannot be judged, or not by this person.
func refuses(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrForbidden) || errors.Is(err, ErrNotFound)
}

// wordsOf is what an error says without its class.
func wordsOf(err error) string {
	words := err.Error()
	for _, class := range []error{ErrConflict, ErrForbidden, ErrNotFound} {
		words = strings.TrimPrefix(strings.TrimSuffix(words, ": "+class.Error()), class.Error()+": ")
	}
	return words
}
