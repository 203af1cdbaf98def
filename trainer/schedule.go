package trainer

import "math"

// warmUpSteps is the length of the cosine schedule's linear warm-up in a run of steps: a twentieth of
// it, so that the first steps on momentum-less gradients stay small.
func warmUpSteps(steps int) int { return steps / 20 }

// LearningRateAt is the learning rate of step (0 … steps−1) of a run of so many steps.
//
//	cosine    peak·(step+1)/(w+1) for the first w = steps/20; then peak·½(1 + cos(π·t)), t = (step−w)/(steps−w) ∈ [0,1)
//	step      peak; a tenth of it from step steps/2 on; a hundredth from step 3·steps/4 on
//	constant  peak
func (s Settings) LearningRateAt(step, steps int) float64 {
	switch s.Schedule {
	case ScheduleStep:
		switch {
		case 4*step >= 3*steps:
			return s.LearningRate / 100
		case 2*step >= steps:
			return s.LearningRate / 10
		}
		return s.LearningRate
	case ScheduleConstant:
		return s.LearningRate
	}
	w := warmUpSteps(steps)
	if step < w {
		return s.LearningRate * float64(step+1) / float64(w+1)
	}
	t := float64(step-w) / float64(max(1, steps-w))
	return s.LearningRate / 2 * (1 + math.Cos(math.Pi*t))
}
