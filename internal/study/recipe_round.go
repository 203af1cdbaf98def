package study

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// try prepares a network and runs its rounds. The error that ends a round is kept in its point, and the others are run.
func (b *recipeBench) try(ctx context.Context, todo []RecipePoint, report func(RecipePoint) error) error {
	return b.with(ctx, todo[0].Identity, todo[0].Gain, todo[0].Seed, func(s *subject) error {
		wrong, err := s.choose(ConfidentlyWrong, 0)
		if err != nil {
			return err
		}
		for _, p := range todo {
			p, err := b.round(ctx, s, wrong, p)
			if err != nil {
				return fmt.Errorf("%d edits: %w", p.Edits, err)
			}
			if err := report(p); err != nil {
				return err
			}
		}
		return nil
	})
}

// round runs one round at the recipe's settings.
func (b *recipeBench) round(ctx context.Context, s *subject, wrong []sample.Sample, p RecipePoint) (RecipePoint, error) {
	edited := firstOf(wrong, p.Edits)
	p.Used = len(edited)
	spec := s.spec(edited, trainer.Suggest(s.opened.ABN(), b.Settings, b.Left), p.Seed)
	outcome, err := trainer.RunRound(ctx, spec, trainer.Observer{Restarted: func(*trainer.DivergedError, float64) { p.Restarts++ }})
	var diverged *trainer.DivergedError
	if errors.As(err, &diverged) {
		p.Error, p.Rate = diverged.Error(), diverged.Rate
		return p, os.RemoveAll(spec.WorkDir)
	}
	if err != nil {
		return p, err
	}
	p.Rate, p.Seconds = outcome.Settings.LearningRate, outcome.Seconds
	for i, e := range []*measure.Evaluation{outcome.ParentEvaluation, outcome.ControlEvaluation, outcome.CandidateEvaluation} {
		*p.Accuracy.at(i), *p.AttentionBranch.at(i) = e.Top1, e.AttTop1
		if e.Inside != nil {
			*p.Inside.at(i) = e.Inside.Mean
		}
	}
	for _, m := range outcome.Measures {
		if m.Name == measure.Accuracy {
			p.Difference = Interval{m.Difference, m.Low, m.High}
		}
	}
	return p, os.RemoveAll(spec.WorkDir)
}

// at returns the figure of the parent (0), the control (1) or the candidate (2).
func (a *threeFigures) at(i int) *float64 { return []*float64{&a.Parent, &a.Control, &a.Candidate}[i] }
