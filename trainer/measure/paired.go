package measure

import "github.com/abn-studio/studio/internal/forecast"

// PairedMeans is the paired bootstrap of two lists that have one value for each image: the mean of a less that of b. It is seeded, so
// that the same lists give the same interval.
func PairedMeans(a, b []float64) forecast.GainInterval {
	of := func(values []float64) Statistic {
		return func(indices []int) float64 {
			var sum float64
			for _, i := range indices {
				sum += values[i]
			}
			return sum / float64(max(1, len(indices)))
		}
	}
	d := pairedBootstrap(of(a), of(b), Strata(make([]Row, len(a)), all(len(a))), 1)
	return forecast.GainInterval{Value: d.Difference, Low: d.Low, High: d.High}
}
