package measure

import (
	"math/rand/v2"
	"slices"

	"github.com/abn-studio/studio/trainer/sample"
)

// Resamples is how many bootstrap samples an interval is taken from.
const Resamples = 2000

// Interval is a paired difference with its 95% percentile interval, Low to High, in the unit of the figures.
type Interval struct {
	Difference, Low, High float64
}

// figure is a number of one network over the images of indices, which may repeat.
type figure func(results []Result, indices []int) float64

// pairedBootstrap estimates statistic(candidate) − statistic(control) and its 95% interval: both
// networks are judged on the same resampled images, so that what makes an image hard for both cancels
// out; the interval runs from the 2.5th to the 97.5th percentile of Resamples differences (Efron and
// Tibshirani, An Introduction to the Bootstrap, chapter 13). Images are drawn with replacement
// within each stratum, whose sizes stay as they are. It is seeded: the same results give the same interval.
//
// The interval covers the choice of held-out images. It does not cover the seed of the one training that each network had.
func pairedBootstrap(candidate, control []Result, strata [][]int, f figure, seed uint64) Interval {
	var all []int
	for _, s := range strata {
		all = append(all, s...)
	}
	out := Interval{Difference: f(candidate, all) - f(control, all)}
	if len(all) == 0 {
		return out
	}
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	differences := make([]float64, Resamples)
	drawn := make([]int, 0, len(all))
	for i := range differences {
		drawn = drawn[:0]
		for _, s := range strata {
			for range s {
				drawn = append(drawn, s[rng.IntN(len(s))])
			}
		}
		differences[i] = f(candidate, drawn) - f(control, drawn)
	}
	slices.Sort(differences)
	out.Low, out.High = percentile(differences, 0.025), percentile(differences, 0.975)
	return out
}

// percentile interpolates linearly between the order statistics of a sorted list.
func percentile(sorted []float64, p float64) float64 {
	position := p * float64(len(sorted)-1)
	i := int(position)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (position-float64(i))*(sorted[i+1]-sorted[i])
}

// strataOf groups the images that keep accepts by their Group: a test split is often balanced over its groups on purpose, so that
// their sizes must not be resampled. Without groups there is one stratum. Classes are no strata, since strata of a few images
// would make intervals too narrow.
func strataOf(samples []sample.Sample, keep func(i int) bool) [][]int {
	index := map[string]int{}
	var out [][]int
	for i, s := range samples {
		if !keep(i) {
			continue
		}
		g, ok := index[s.Group]
		if !ok {
			g = len(out)
			index[s.Group] = g
			out = append(out, nil)
		}
		out[g] = append(out[g], i)
	}
	return out
}

// mean is the statistic that averages a value over images.
func mean(value func(Result) float64) figure {
	return func(results []Result, indices []int) float64 {
		if len(indices) == 0 {
			return 0
		}
		var sum float64
		for _, i := range indices {
			sum += value(results[i])
		}
		return sum / float64(len(indices))
	}
}

// worstGroup is the statistic of the least accuracy among the groups of samples. Its bootstrap differences are biased a little
// towards zero, as those of any minimum are.
func worstGroup(samples []sample.Sample) figure {
	group := make([]int, len(samples))
	names := map[string]int{}
	for i, s := range samples {
		if _, ok := names[s.Group]; !ok {
			names[s.Group] = len(names)
		}
		group[i] = names[s.Group]
	}
	hits, count := make([]int, len(names)), make([]int, len(names))
	return func(results []Result, indices []int) float64 {
		clear(hits)
		clear(count)
		for _, i := range indices {
			count[group[i]]++
			if results[i].Correct {
				hits[group[i]]++
			}
		}
		worst := 1.0
		for g, n := range count {
			if n > 0 {
				worst = min(worst, float64(hits[g])/float64(n))
			}
		}
		return worst
	}
}
