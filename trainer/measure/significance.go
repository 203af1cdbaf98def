package measure

import (
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Test names how a P value was computed.
type Test string

// The tests.
const (
	ExactMcNemar     Test = "mcnemar_exact"     // binomial, for fewer than ExactBelow discordant pairs
	CorrectedMcNemar Test = "mcnemar_corrected" // χ² of one degree of freedom with Edwards' continuity correction
	BootstrapTest    Test = "bootstrap"         // from the samples of the paired bootstrap
)

// ExactBelow is the number of discordant pairs from which McNemar takes the χ² distribution.
const ExactBelow = 25

// McNemar tests whether two networks are right equally often (McNemar, 1947): gained are the images that only the first gets right, lost
// those that only the second does. The exact form is twice the lesser binomial tail at ½, at most 1; the other is the upper tail of χ² at
// (|gained − lost| − 1)² ÷ (gained + lost) (Edwards, 1948).
func McNemar(gained, lost int) (p float64, test Test) {
	n := gained + lost
	if n < ExactBelow {
		if n == 0 {
			return 1, ExactMcNemar
		}
		tail := distuv.Binomial{N: float64(n), P: 0.5}.CDF(float64(min(gained, lost)))
		return min(1, 2*tail), ExactMcNemar
	}
	d := float64(max(gained-lost, lost-gained) - 1)
	if d <= 0 {
		return 1, CorrectedMcNemar
	}
	return distuv.ChiSquared{K: 1}.Survival(d * d / float64(n)), CorrectedMcNemar
}

// Holm adjusts the P values of several tests so that the chance of one false alarm among all of them stays what it is (Holm, 1979): the k
// least is multiplied by n − k + 1, and none gets less than one that was less before. The order is kept.
func Holm(p []float64) []float64 {
	order := all(len(p))
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	out, floor := make([]float64, len(p)), 0.0
	for k, i := range order {
		floor = max(floor, min(1, p[i]*float64(len(p)-k)))
		out[i] = floor
	}
	return out
}
