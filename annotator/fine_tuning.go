package annotator

import (
	"context"
	"errors"
	"fmt"
	"math"

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
	// CancelRound ends a queued round at once and asks a running one to stop.
	CancelRound(ctx context.Context, id int64) (Round, error)
	// WaitRoundEvents returns the events after an id; it waits for the first while the round is not over.
	WaitRoundEvents(ctx context.Context, id, after int64) ([]RoundEvent, error)
}

// RoundStart is a round to be queued.
type RoundStart struct {
	ProjectID      int64
	ParentVersion  int64
	Settings       RoundSettings
	StartedBy      User
	IdempotencyKey string // "" for none
}

// DefaultRoundSettings are the settings a round starts with where nothing else is said: trainer.DefaultSettings in
// this package's words (a test of internal/jobs holds them together).
func DefaultRoundSettings() RoundSettings {
	return RoundSettings{
		Strategy: "both", Gamma: 1, MapLoss: "l2", Epochs: 6, BatchSize: 32, LearningRate: 0.02, Momentum: 0.9,
		WeightDecay: 1e-4, Schedule: "cosine", BatchNorm: "batch", Flip: false, Seed: 1, Engine: "ort",
		Optimizer: "sgd", WarmUp: 0.05,
	}
}

// WithDefaults fills in the fields that are zero and for which zero makes no sense. Momentum,
// WeightDecay, WarmUp and Anchor 0, Flip false and Seed 0 are values: whoever wants their defaults starts from DefaultRoundSettings.
func (r RoundSettings) WithDefaults() RoundSettings {
	d := DefaultRoundSettings()
	fill(&r.Strategy, d.Strategy)
	fill(&r.Gamma, d.Gamma)
	fill(&r.MapLoss, d.MapLoss)
	fill(&r.Epochs, d.Epochs)
	fill(&r.BatchSize, d.BatchSize)
	fill(&r.LearningRate, d.LearningRate)
	fill(&r.Schedule, d.Schedule)
	fill(&r.BatchNorm, d.BatchNorm)
	fill(&r.Engine, d.Engine)
	fill(&r.Optimizer, d.Optimizer)
	return r
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate names the first setting that is wrong with a *ValidationError.
func (r RoundSettings) Validate() error {
	for _, choice := range []struct {
		field, value string
		of           []string
	}{
		{"strategy", r.Strategy, []string{"attention", "both"}},
		{"map_loss", r.MapLoss, []string{"l2", "mse", "l1"}},
		{"schedule", r.Schedule, []string{"cosine", "step", "constant"}},
		{"batch_norm", r.BatchNorm, []string{"frozen", "batch"}},
		{"engine", r.Engine, []string{"ort", "gorgonia"}},
		{"optimizer", r.Optimizer, []string{"sgd", "nesterov", "adamw"}},
	} {
		if err := oneOf(choice.field, choice.value, choice.of); err != nil {
			return err
		}
	}
	for _, bound := range []struct {
		field             string
		value, least, max float64
	}{
		{"gamma", r.Gamma, 0, 1e6},
		{"epochs", float64(r.Epochs), 1, 1000},
		{"batch_size", float64(r.BatchSize), 1, 1024},
		{"learning_rate", r.LearningRate, 1e-8, 10},
		{"momentum", r.Momentum, 0, 0.9999},
		{"weight_decay", r.WeightDecay, 0, 1},
		{"warm_up", r.WarmUp, 0, 0.9},
		{"clip_norm", r.ClipNorm, 0, 1e6},
		{"patience", float64(r.Patience), 0, 1000},
		{"anchor", r.Anchor, 0, 1e4},
		{"crop", r.Crop, 0, 1},
	} {
		if math.IsNaN(bound.value) || bound.value < bound.least || bound.value > bound.max {
			return &ValidationError{Field: bound.field, Message: fmt.Sprintf("is %v, want %v to %v", bound.value, bound.least, bound.max)}
		}
	}
	return nil
}

func oneOf(field, value string, of []string) error {
	for _, v := range of {
		if v == value {
			return nil
		}
	}
	return &ValidationError{Field: field, Message: fmt.Sprintf("is %q, want one of %q", value, of)}
}

// RoundDefaults returns the settings the form starts with, and how many approved edits a round would learn from.
func (s *Service) RoundDefaults(ctx context.Context, actor User, slug string) (RoundSettings, int, error) {
	project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return RoundSettings{}, 0, err
	}
	n, err := s.store.CountApproved(ctx, project.ID)
	if err != nil {
		return RoundSettings{}, 0, err
	}
	settings, err := s.roundDefaults(ctx, s.store, project.ID)
	return settings, n, err
}

// RoundPlan tells what a round would learn from now, what it starts with and what its engines can do.
func (s *Service) RoundPlan(ctx context.Context, actor User, slug string) (RoundPlan, error) {
	project, err := s.project(ctx, actor, RoleAnnotator, slug)
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

// roundDefaults are DefaultRoundSettings with the learning rate that suits the project's active version, and a way of
// training it that its engine can go.
func (s *Service) roundDefaults(ctx context.Context, store Store, projectID int64) (RoundSettings, error) {
	settings := DefaultRoundSettings()
	active, err := store.ActiveVersion(ctx, projectID)
	if errors.Is(err, ErrNotFound) {
		return settings, nil
	}
	if active.LearningRate > 0 {
		settings.LearningRate = active.LearningRate
	}
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

// checkEngine refuses settings whose engine cannot train the version so, naming the nodes in the way. What nobody has
// asked about is left to the round itself.
func checkEngine(v Version, r RoundSettings) error {
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
func (s *Service) StartRound(ctx context.Context, actor User, slug string, r RoundSettings, idempotencyKey string) (Round, error) {
	project, err := s.project(ctx, actor, RoleAdmin, slug)
	if err != nil {
		return Round{}, err
	}
	if r.LearningRate == 0 {
		defaults, err := s.roundDefaults(ctx, s.store, project.ID)
		if err != nil {
			return Round{}, err
		}
		r.LearningRate = defaults.LearningRate
	}
	r = r.WithDefaults()
	if err := r.Validate(); err != nil {
		return Round{}, err
	}
	switch {
	case len(idempotencyKey) > 200:
		return Round{}, &ValidationError{Field: "header.Idempotency-Key", Message: "has more than 200 bytes"}
	case !text.Valid(idempotencyKey):
		return Round{}, &ValidationError{Field: "header.Idempotency-Key", Message: text.Problem}
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
		round, err = tx.StartRound(ctx, RoundStart{
			ProjectID: project.ID, ParentVersion: version.ID, Settings: r, StartedBy: actor, IdempotencyKey: idempotencyKey,
		})
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "round.start", roundSubject(round.ID),
			fmt.Sprintf("%s, γ %v, %d edits", r.Strategy, r.Gamma, round.Edits))
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
	project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	return s.store.Rounds(ctx, project.ID)
}

// Round returns one round and its project.
func (s *Service) Round(ctx context.Context, actor User, id int64) (Round, Project, error) {
	if err := may(actor, RoleAnnotator); err != nil {
		return Round{}, Project{}, err
	}
	round, err := s.store.Round(ctx, id)
	if err != nil {
		return Round{}, Project{}, err
	}
	project, err := s.store.ProjectByID(ctx, round.ProjectID)
	return round, project, err
}

// RoundEvents returns the round's events after an id, oldest first; the call waits (until ctx ends)
// when there is none yet and the round is not over. An empty slice means it is over.
func (s *Service) RoundEvents(ctx context.Context, actor User, id, after int64) ([]RoundEvent, error) {
	if err := may(actor, RoleAnnotator); err != nil {
		return nil, err
	}
	return s.store.WaitRoundEvents(ctx, id, after)
}

// CancelRound asks a round to stop; it does within one step and leaves nothing behind (admin).
func (s *Service) CancelRound(ctx context.Context, actor User, id int64) (Round, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return Round{}, err
	}
	var round Round
	err := s.store.InTx(ctx, func(tx Store) (err error) {
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

func roundSubject(id int64) string { return fmt.Sprintf("round %d", id) }
