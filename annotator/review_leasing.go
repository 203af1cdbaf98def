package annotator

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// mayHoldReviews is may for having maps to judge, which is done in a person's own name.
func mayHoldReviews(actor User) error {
	if err := may(actor, RoleReviewer); err != nil {
		return err
	}
	if actor.ID == 0 {
		return fmt.Errorf("%w: only a person reviews", ErrForbidden)
	}
	return nil
}

// NextReview gives the actor a task in review to judge, which nobody else gets meanwhile: one that they have already or else the one
// waiting longest, first among those after the given one (0: among all). Never one of except, such as one that is being judged meanwhile,
// nor one that they may not judge. ErrNoTask if there is none. A person who has MaxLeases of them gets one of those again.
func (s *Service) NextReview(ctx context.Context, actor User, slug string, after int64, except ...int64) (TaskDetail, error) {
	return s.NextReviewIn(ctx, actor, slug, ReviewOldest, after, except...)
}

// NextReviewIn is NextReview in another order than by age.
func (s *Service) NextReviewIn(ctx context.Context, actor User, slug string, order ReviewOrder, after int64, except ...int64) (TaskDetail, error) {
	actor, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return TaskDetail{}, err
	}
	if err := mayHoldReviews(actor); err != nil {
		return TaskDetail{}, err
	}
	if order, err = s.reviewOrder(ctx, project, order); err != nil {
		return TaskDetail{}, err
	}
	if except == nil {
		except = []int64{}
	}
	var id int64
	err = s.store.InTx(ctx, func(tx Store) error {
		now := s.now()
		leases, err := tx.CountReviews(ctx, actor.ID, now)
		if err != nil {
			return err
		}
		task, err := tx.NextReview(ctx, project.ID, actor.ID, order, after, except, leases >= MaxLeases, now)
		if errors.Is(err, ErrNoTask) && leases >= MaxLeases { // all of them are among except
			return &LeaseLimitError{Held: leases, Review: true}
		}
		if err != nil {
			return err
		}
		id = task.ID
		if task, err = task.Expire(now).TakeReview(actor, leases, now); err != nil {
			return err
		}
		return tx.UpdateTask(ctx, task)
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, id)
}

// ClaimReview gives the actor one particular task in review to judge, where TaskCard.MayJudge allows that; *LeaseError if somebody else
// has it, *LeaseLimitError if the actor has MaxLeases others.
func (s *Service) ClaimReview(ctx context.Context, actor User, taskID int64) (TaskDetail, error) {
	actor, err := s.holding(ctx, actor, ThingTask.Of(taskID))
	if err != nil {
		return TaskDetail{}, err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		now := s.now()
		leases, err := tx.CountReviews(ctx, actor.ID, now)
		if err != nil {
			return err
		}
		task, err := tx.LockTask(ctx, taskID)
		if err != nil {
			return err
		}
		card, err := tx.TaskCard(ctx, taskID)
		if err != nil {
			return err
		}
		if err := card.MayJudge(actor); err != nil {
			return err
		}
		if task, err = task.Expire(now).TakeReview(actor, leases, now); err != nil {
			return err
		}
		return tx.UpdateTask(ctx, task)
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, taskID)
}

// RenewReview keeps a task in review with the actor for another LeaseDuration.
func (s *Service) RenewReview(ctx context.Context, actor User, taskID int64) (Lease, error) {
	var lease Lease
	err := s.changeReview(ctx, actor, taskID, func(t Task, now time.Time) (Task, error) {
		if err := t.ReviewHeldBy(actor, now); err != nil {
			return t, err
		}
		t = t.extended(now)
		lease = Lease{UserID: actor.ID, UserName: actor.Name, ExpiresAt: *t.LeaseExpiresAt, Mine: true}
		return t, nil
	})
	return lease, err
}

// ReleaseReview gives a task in review back unjudged, for others to judge.
func (s *Service) ReleaseReview(ctx context.Context, actor User, taskID int64) error {
	return s.changeReview(ctx, actor, taskID, func(t Task, now time.Time) (Task, error) { return t.GiveReviewBack(actor, now) })
}

// changeReview locks a task, applies a rule to the lease of its review, and writes the result. The trail has the verdict, and not who
// looked.
func (s *Service) changeReview(ctx context.Context, actor User, taskID int64, rule func(t Task, now time.Time) (Task, error)) error {
	_, err := s.holding(ctx, actor, ThingTask.Of(taskID))
	if err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx Store) error {
		task, err := tx.LockTask(ctx, taskID)
		if err != nil {
			return err
		}
		now := s.now()
		if task, err = rule(task.Expire(now), now); err != nil {
			return err
		}
		return tx.UpdateTask(ctx, task)
	})
}
