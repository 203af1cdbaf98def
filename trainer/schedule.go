package trainer

import (
	"math"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
)

// warmUpSteps is the length of the linear warm-up in a run of steps: its share WarmUp, rounded down. The default of a twentieth
// keeps the first steps small while momentum builds up.
func warmUpSteps(s recipe.Settings, steps int) int { return int(s.WarmUp * float64(steps)) }

// LearningRateAt is the learning rate of step (0 … steps−1) of a run of so many steps. With every schedule it
// first rises linearly, peak·(step+1)/(w+1) for the first w steps, w being the share WarmUp of them; then
//
//	cosine    peak·½(1 + cos(π·t)), t = (step−w)/(steps−w) ∈ [0,1)
//	step      peak; a tenth of it from step steps/2 on; a hundredth from step 3·steps/4 on
//	constant  peak
//
// A warm-up that goes on in the second half rises to that tenth, or hundredth.
func LearningRateAt(s recipe.Settings, step, steps int) float64 {
	rate, w := s.LearningRate, warmUpSteps(s, steps)
	if s.Schedule == recipe.ScheduleStep {
		switch {
		case 4*step >= 3*steps:
			rate /= 100
		case 2*step >= steps:
			rate /= 10
		}
	}
	switch {
	case step < w:
		return rate * float64(step+1) / float64(w+1)
	case s.Schedule == recipe.ScheduleStep, s.Schedule == recipe.ScheduleConstant:
		return rate
	}
	t := float64(step-w) / float64(max(1, steps-w))
	return rate / 2 * (1 + math.Cos(math.Pi*t))
}

// UpdateAt is the optimiser's setting for step (0 … steps−1) of a run of so many steps.
func UpdateAt(s recipe.Settings, step, steps int) engine.Update {
	return engine.Update{
		LearningRate: LearningRateAt(s, step, steps), Momentum: s.Momentum, WeightDecay: s.WeightDecay,
		Optimizer: s.Optimizer, SpareNorms: s.SpareNorms, ClipNorm: s.ClipNorm, Step: step + 1,
	}
}
