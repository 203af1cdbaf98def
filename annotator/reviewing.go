package annotator

import (
	"context"
	"fmt"
)

// NextReview returns the submitted task waiting longest that the actor did not paint and that comes
// after the given task id (0: the first). ErrNoTask if there is none.
func (s *Service) NextReview(ctx context.Context, actor User, slug string, after int64) (TaskDetail, error) {
	project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return TaskDetail{}, err
	}
	id, err := s.store.NextReview(ctx, project.ID, actor.ID, after)
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, id)
}

// Review judges a submitted edit (reviewer; never the author: ErrForbidden). A rejection needs a
// comment and sends the task back to its author.
func (s *Service) Review(ctx context.Context, actor User, editID int64, v Verdict, comment string) (TaskDetail, error) {
	if err := may(actor, RoleReviewer); err != nil {
		return TaskDetail{}, err
	}
	if actor.ID == 0 {
		return TaskDetail{}, fmt.Errorf("%w: only a person reviews", ErrForbidden)
	}
	least := 0
	switch v {
	case VerdictApprove:
	case VerdictReject:
		least = 1
	default:
		return TaskDetail{}, &ValidationError{Field: "verdict", Message: "is approve or reject"}
	}
	comment, err := checkText("comment", comment, least, 4000)
	if err != nil {
		if comment == "" && v == VerdictReject {
			return TaskDetail{}, &ValidationError{Field: "comment", Message: "say what should change: a rejection goes back to its author"}
		}
		return TaskDetail{}, err
	}
	var taskID int64
	err = s.store.InTx(ctx, func(tx Store) error {
		edit, err := tx.Edit(ctx, editID)
		if err != nil {
			return err
		}
		taskID = edit.TaskID
		task, err := tx.LockTask(ctx, taskID)
		if err != nil {
			return err
		}
		if edit, err = tx.Edit(ctx, editID); err != nil { // again, now that nobody can change it
			return err
		}
		own, err := tx.PaintedBy(ctx, editID, actor.ID)
		if err != nil {
			return err
		}
		if own {
			return fmt.Errorf("%w: nobody reviews a map of their own", ErrForbidden)
		}
		if edit.State != EditSubmitted || task.State != TaskSubmitted {
			return fmt.Errorf("edit %d is %s, not waiting for review: %w", editID, edit.State, ErrConflict)
		}
		now := s.now()
		_, err = tx.JudgeEdit(ctx, Review{EditID: editID, ReviewerID: actor.ID, Verdict: v, Comment: comment, CreatedAt: now})
		if err != nil {
			return err
		}
		action := "edit.approve"
		task.State, task.UpdatedAt = TaskApproved, now
		if v == VerdictReject {
			action = "edit.reject"
			task.State, task.Returned = TaskChangesRequested, true
		}
		if err := tx.UpdateTask(ctx, task); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &task.ProjectID, action, editSubject(editID), comment)
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, taskID)
}
