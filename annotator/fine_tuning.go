package annotator

import (
	"context"
	"errors"
	"fmt"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/text"
)

// RoundStore keeps rounds and their events.
type RoundStore interface {
	Round(ctx context.Context, id int64) (Round, error)
	Rounds(ctx context.Context, projectID int64) ([]Round, error)
	// RoundByKey finds the round that an idempotency key started.
	RoundByKey(ctx context.Context, projectID int64, key string) (Round, error)
	// CountApproved returns how many images of the project have an approved edit a round could learn from.
	CountApproved(ctx context.Context, projectID int64) (int, error)
	// RoundData counts what a round of the project's active version would work on now; zero while it has no model.
	RoundData(ctx context.Context, projectID int64) (RoundData, error)
	// StartRound queues a round of the active version with the edits that are approved now, and its job.
	// ErrConflict while another round of the project runs.
	StartRound(ctx context.Context, start RoundStart) (Round, error)
	// LockProjectOf keeps other imports, versions and rounds of a round's project out until the transaction ends.
	LockProjectOf(ctx context.Context, id int64) error
	// ChangeRound locks a round, applies a rule to it, and writes the result with its job and an event. If the rule fails, its
	// error is returned and nothing is written.
	ChangeRound(ctx context.Context, id int64, rule func(Round) (Round, error)) (Round, error)
	// CancelRound changes a round by Round.Cancel, and tells its worker.
	CancelRound(ctx context.Context, id int64) (Round, error)
	// WaitRoundEvents returns the events after an id; it waits for the first while the round is not over.
	WaitRoundEvents(ctx context.Context, id, after int64) ([]RoundEvent, error)
}

// RoundStart is a round to be queued.
type RoundStart struct {
	ProjectID      int64
	ParentVersion  int64
	Settings       recipe.Settings
	StartedBy      User
	IdempotencyKey string // "" for none
	Bytes          int64  // what its files may take at most (RoundBytes)
}

// RoundDefaults returns the settings the form starts with, and how many approved edits a round would learn from.
func (s *Service) RoundDefaults(ctx context.Context, actor User, slug string) (recipe.Settings, int, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return recipe.Settings{}, 0, err
	}
	n, err := s.store.CountApproved(ctx, project.ID)
	if err != nil {
		return recipe.Settings{}, 0, err
	}
	settings, err := s.roundDefaults(ctx, s.store, project.ID)
	return settings, n, err
}

// RoundPlan tells what a round that is started now would learn from, its default settings, and what its engines can train.
func (s *Service) RoundPlan(ctx context.Context, actor User, slug string) (RoundPlan, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return RoundPlan{}, err
	}
	var plan RoundPlan
	if plan.Data, err = s.store.RoundData(ctx, project.ID); err != nil {
		return plan, err
	}
	if plan.Settings, err = s.roundDefaults(ctx, s.store, project.ID); err != nil {
		return plan, err
	}
	active, err := s.store.ActiveVersion(ctx, project.ID)
	if err != nil && !isNotFound(err) {
		return plan, err
	}
	plan.Training = active.Training
	rounds, err := s.store.Rounds(ctx, project.ID)
	if err != nil {
		return plan, err
	}
	for _, r := range rounds {
		if r.State == RoundFinished && r.Result != nil {
			plan.Last = &r
			break
		}
	}
	return plan, nil
}

// roundDefaults returns the defaults for the mechanism of the project's active version, with the learning rate that suits it, and with
// a strategy and a treatment of BatchNorm that the engine can train it by.
func (s *Service) roundDefaults(ctx context.Context, store Store, projectID int64) (recipe.Settings, error) {
	active, err := store.ActiveVersion(ctx, projectID)
	if errors.Is(err, ErrNotFound) {
		return recipe.Defaults(), nil
	}
	settings := recipe.DefaultsOf(recipe.Network{Gain: active.Gain, Rate: active.LearningRate})
	if t, known := TrainabilityOf(active.Training, settings.Engine, settings.Strategy, settings.BatchNorm); known && !t.OK() {
		for _, t := range active.Training {
			if t.OK() {
				settings.Engine, settings.Strategy, settings.BatchNorm = t.Engine, t.Strategy, t.BatchNorm
				break
			}
		}
	}
	return settings, err
}

// checkEngine refuses settings with which the engine cannot train the version, and names the nodes in the way. If it is not known yet
// whether the engine can, the settings are accepted and the round finds out.
func checkEngine(v Version, r recipe.Settings) error {
	t, known := TrainabilityOf(v.Training, r.Engine, r.Strategy, r.BatchNorm)
	if !known || t.OK() {
		return nil
	}
	more := ""
	if n := len(t.Obstacles) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return &ValidationError{Field: "engine", Message: fmt.Sprintf("%s cannot train v%d with strategy %s and batch_norm %s: %s%s",
		r.Engine, v.Number, r.Strategy, r.BatchNorm, t.Obstacles[0], more)}
}

// StartRound queues a round from the active version (admin). The same idempotency key gives the same
// round again. ErrConflict while another round of the project runs, *ValidationError without an approved edit.
func (s *Service) StartRound(ctx context.Context, actor User, slug string, r recipe.Settings, idempotencyKey string) (Round, error) {
	actor, project, err := s.openProject(ctx, actor, slug)
	if err != nil {
		return Round{}, err
	}
	var wrong *recipe.Error
	if errors.As(r.Validate(recipe.Round), &wrong) {
		return Round{}, &ValidationError{Field: wrong.Field, Message: wrong.Message}
	}
	if problem := BoundIdempotencyKey.Problem(idempotencyKey); problem != "" {
		return Round{}, &ValidationError{Field: "header.Idempotency-Key", Message: problem}
	}
	var round Round
	err = s.store.InTx(ctx, func(tx Store) error {
		if idempotencyKey != "" {
			round, err = tx.RoundByKey(ctx, project.ID, idempotencyKey)
			if err == nil || !isNotFound(err) {
				return err
			}
		}
		version, err := tx.ActiveVersion(ctx, project.ID)
		if isNotFound(err) {
			return &ValidationError{Field: "project", Message: "has no model yet: add one first"}
		}
		if err != nil {
			return err
		}
		if err := version.unfit(); err != nil {
			return err
		}
		if err := checkEngine(version, r); err != nil {
			return err
		}
		n, err := tx.CountApproved(ctx, project.ID)
		if err != nil {
			return err
		}
		if n == 0 {
			return &ValidationError{Field: "edits", Message: "no edit is approved yet: a round learns from approved edits"}
		}
		err = keepsQuota(ctx, tx, project.ID, func() (err error) {
			round, err = tx.StartRound(ctx, RoundStart{
				ProjectID: project.ID, ParentVersion: version.ID, Settings: r, StartedBy: actor, IdempotencyKey: idempotencyKey, Bytes: RoundBytes(version, r),
			})
			return err
		})
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "round.start", roundSubject(round.ID),
			fmt.Sprintf("%s, γ %v, %s edits", r.Strategy, r.Gamma, text.Count(round.Edits)))
	})
	if errors.Is(err, ErrConflict) && idempotencyKey != "" {
		// The same request may have won the race to be first.
		if first, e := s.store.RoundByKey(ctx, project.ID, idempotencyKey); e == nil {
			return first, nil
		}
	}
	if err != nil {
		return Round{}, fmt.Errorf("starting a round of %s: %w", slug, err)
	}
	return round, nil
}

// Rounds lists a project's rounds, newest first.
func (s *Service) Rounds(ctx context.Context, actor User, slug string) ([]Round, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	return s.store.Rounds(ctx, project.ID)
}

// Round returns one round and its project.
func (s *Service) Round(ctx context.Context, actor User, id int64) (Round, Project, error) {
	_, err := s.in(ctx, actor, RoleAnnotator, ThingRound.Of(id))
	if err != nil {
		return Round{}, Project{}, err
	}
	round, err := s.store.Round(ctx, id)
	if err != nil {
		return Round{}, Project{}, err
	}
	project, err := s.store.ProjectByID(ctx, round.ProjectID)
	return round, project, err
}

// RoundReader returns a round's events after an id, oldest first; the call waits (until ctx ends) when there is none yet and the round is not over. An
// empty slice means it is over. Events are shared by all who follow the round: nothing in them may be changed.
type RoundReader func(ctx context.Context, after int64) ([]RoundEvent, error)

// FollowRound returns a reader of a round's events. Whether the actor may read them is asked for once, for hundreds may follow a round that has news each
// half second: who reads for long asks again now and then (Within).
func (s *Service) FollowRound(ctx context.Context, actor User, id int64) (RoundReader, error) {
	if _, err := s.in(ctx, actor, RoleAnnotator, ThingRound.Of(id)); err != nil {
		return nil, err
	}
	if _, err := s.store.Round(ctx, id); err != nil {
		return nil, err
	}
	return func(ctx context.Context, after int64) ([]RoundEvent, error) {
		return s.store.WaitRoundEvents(ctx, id, after)
	}, nil
}

// CancelRound asks a round to stop (admin). It stops within one training step and leaves nothing behind.
func (s *Service) CancelRound(ctx context.Context, actor User, id int64) (Round, error) {
	actor, err := s.in(ctx, actor, RoleLead, ThingRound.Of(id))
	if err != nil {
		return Round{}, err
	}
	var round Round
	err = s.store.InTx(ctx, func(tx Store) (err error) {
		if round, err = tx.CancelRound(ctx, id); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &round.ProjectID, "round.cancel", roundSubject(id), "")
	})
	if err != nil {
		return Round{}, fmt.Errorf("cancelling round %d: %w", id, err)
	}
	return round, nil
}

// FinishRound ends a round in one transaction, with its candidate, its result and the rows that this follows from. The round's worker calls it, under its claim c; in
// the trail stands the person who started the round.
func (s *Service) FinishRound(ctx context.Context, c RoundClaim, v NewVersion, result RoundResult, rows RoundRows) (Version, error) {
	var version Version
	err := s.store.InTx(ctx, func(tx Store) error {
		result.Rows = rows.Count
		if err := tx.LockProjectOf(ctx, c.RoundID); err != nil { // before the round, as whoever starts the next one does
			return err
		}
		round, err := tx.ChangeRound(ctx, c.RoundID, func(r Round) (Round, error) { return r.Finish(c, result) })
		if err != nil {
			return err
		}
		if err := keepRows(ctx, tx, round.ID, rows); err != nil {
			return err
		}
		if version, err = tx.AddVersion(ctx, round.ProjectID, round.Candidate(v)); err != nil {
			return err
		}
		return s.audit(ctx, tx, round.Starter(), &round.ProjectID, "round.finish", roundSubject(round.ID), fmt.Sprintf("v%d. %s", version.Number, result.Headline))
	})
	if err != nil {
		return Version{}, fmt.Errorf("finishing round %d: %w", c.RoundID, err)
	}
	return version, nil
}

// FailRound ends a round that failed, or, if its cancellation was asked for, cancels it. In the trail stands the person who started
// the round.
func (s *Service) FailRound(ctx context.Context, c RoundClaim, message string) error {
	err := s.store.InTx(ctx, func(tx Store) error {
		round, err := tx.ChangeRound(ctx, c.RoundID, func(r Round) (Round, error) { return r.Fail(c, message) })
		if err != nil || round.State != RoundFailed {
			return err
		}
		return s.audit(ctx, tx, round.Starter(), &round.ProjectID, "round.fail", roundSubject(round.ID), round.Error)
	})
	if err != nil {
		return fmt.Errorf("failing round %d: %w", c.RoundID, err)
	}
	return nil
}

func roundSubject(id int64) string { return fmt.Sprintf("round %d", id) }
