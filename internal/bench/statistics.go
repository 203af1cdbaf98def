package bench

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// quantile returns the smallest value of list that at least a share q, in (0,1], of its values do not exceed.
func quantile(list []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(math.Ceil(q*float64(len(sorted))))-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// Took is what one thing took, done several times.
type Took struct {
	MS   float64 `json:"ms"` // median
	Low  float64 `json:"lowest_ms"`
	High float64 `json:"highest_ms"`
}

// tookOf is of times in seconds.
func tookOf(seconds []float64) Took {
	return Took{1e3 * median(seconds), 1e3 * slices.Min(seconds), 1e3 * slices.Max(seconds)}
}

func (t Took) String() string {
	digits := 0
	if t.MS < 100 {
		digits = 2
	}
	return fmt.Sprintf("%.*f ms (%.*f to %.*f)", digits, t.MS, digits, t.Low, digits, t.High)
}

// timed runs f and says how many seconds it took.
func timed(f func() error) (float64, error) {
	start := time.Now()
	err := f()
	return time.Since(start).Seconds(), err
}
