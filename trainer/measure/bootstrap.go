package measure

import (
	"math/rand/v2"
	"slices"
)

// Resamples is how many bootstrap samples an interval is taken from.
const Resamples = 2000

// Interval is a paired difference with its 95% percentile interval, Low to High, in the unit of the figures.
type Interval struct {
	Difference, Low, High float64
	// P is that of no difference: twice the share of resamples on the rarer side of 0, itself included, with one resample added to
	// both counts (Davison and Hinkley, Bootstrap Methods and their Application, 1997, chapter 4).
	P float64
}

// pairedBootstrap estimates candidate − control and its 95% interval: both
// networks are judged on the same resampled images, so that what makes an image hard for both cancels
// out; the interval runs from the 2.5th to the 97.5th percentile of Resamples differences (Efron and
// Tibshirani, An Introduction to the Bootstrap, chapter 13). Images are drawn with replacement
// within each stratum, whose sizes stay as they are. It is seeded: the same results give the same interval.
//
// The interval covers the choice of held-out images. It does not cover the seed of the one training that each network had.
func pairedBootstrap(candidate, control Statistic, strata []Stratum, seed uint64) Interval {
	return SeedBootstrap([]Statistic{candidate}, []Statistic{control}, strata, seed)
}

// SeedBootstrap is the paired bootstrap of trainings that were repeated with several seeds: candidates and controls are a measure of each
// seed's network, control i having the seed of candidate i. A resample draws as many seeds as there are, with replacement, and images,
// which all drawn seeds share; its difference is the mean over the drawn seeds. So the interval covers the choice of images and of
// seeds. Of few seeds it is too narrow still: n seeds vary by (n−1)/n of what seeds do. Of one seed it covers the images alone.
func SeedBootstrap(candidates, controls []Statistic, strata []Stratum, seed uint64) Interval {
	indices := imagesOf(strata)
	seeds := all(len(candidates))
	difference := func(seeds, images []int) (sum float64) {
		for _, s := range seeds {
			sum += candidates[s](images) - controls[s](images)
		}
		return sum / float64(len(seeds))
	}
	if len(indices) == 0 || len(seeds) == 0 {
		return Interval{P: 1}
	}
	drawn := make([]int, 0, len(indices))
	return resampled(difference(seeds, indices), seed, func(rng *rand.Rand) float64 {
		drawSeeds(rng, seeds)
		drawn = drawImages(rng, drawn[:0], strata)
		return difference(seeds, drawn)
	})
}

// NestedBootstrap is SeedBootstrap where each seed has images of its own, strata[i] those of seed i: a resample draws seeds and then,
// for each of them, some of its images.
func NestedBootstrap(candidates, controls []Statistic, strata [][]Stratum, seed uint64) Interval {
	seeds := all(len(candidates))
	difference := func(images func(seed int) []int) (sum float64) {
		for _, s := range seeds {
			drawn := images(s)
			sum += candidates[s](drawn) - controls[s](drawn)
		}
		return sum / float64(len(seeds))
	}
	if len(seeds) == 0 || slices.ContainsFunc(strata, func(of []Stratum) bool { return len(of) == 0 }) {
		return Interval{P: 1}
	}
	point := difference(func(s int) []int { return imagesOf(strata[s]) })
	var drawn []int
	return resampled(point, seed, func(rng *rand.Rand) float64 {
		drawSeeds(rng, seeds)
		return difference(func(s int) []int {
			drawn = drawImages(rng, drawn[:0], strata[s])
			return drawn
		})
	})
}

// drawSeeds draws as many of n seeds as there are, with replacement.
func drawSeeds(rng *rand.Rand, seeds []int) {
	if len(seeds) > 1 {
		for k := range seeds {
			seeds[k] = rng.IntN(len(seeds))
		}
	}
}

// drawImages draws as many clusters of each stratum as it has, with replacement, and appends their images.
func drawImages(rng *rand.Rand, drawn []int, strata []Stratum) []int {
	for _, s := range strata {
		for range s {
			drawn = append(drawn, s[rng.IntN(len(s))]...)
		}
	}
	return drawn
}

// Stratum is what is drawn from: clusters of images, each of which is drawn whole. An image that belongs to no other is a cluster.
// Images of one patient or object are right or wrong together, and drawing them one by one would make intervals too narrow (Field and
// Welsh, Bootstrapping clustered data, 2007).
type Stratum [][]int

// imagesOf are the images of strata.
func imagesOf(strata []Stratum) (images []int) {
	for _, s := range strata {
		for _, cluster := range s {
			images = append(images, cluster...)
		}
	}
	return images
}

// resampled is the interval of a difference whose Resamples draws are made by draw.
func resampled(difference float64, seed uint64, draw func(rng *rand.Rand) float64) Interval {
	out := Interval{Difference: difference}
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	differences := make([]float64, Resamples)
	below, above := 1, 1
	for i := range differences {
		d := draw(rng)
		differences[i] = d
		if d <= 0 {
			below++
		}
		if d >= 0 {
			above++
		}
	}
	slices.Sort(differences)
	out.Low, out.High = percentile(differences, 0.025), percentile(differences, 0.975)
	out.P = min(1, 2*float64(min(below, above))/(Resamples+1))
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

// Strata are the images of rows as a bootstrap draws them: by group, and in clusters. A test split is often balanced over its groups on
// purpose, so that their sizes must not be resampled. Without groups there is one stratum. Classes are no strata, since strata of a few
// images would make intervals too narrow. A cluster with images of several groups is drawn whole, and all such make one stratum.
func Strata(rows []Row, images []int) []Stratum {
	members, order := map[string][]int{}, [][]int{} // of named clusters; of all, in the order of their first images
	at := map[string]int{}
	for _, i := range images {
		c := rows[i].Cluster
		if c == "" {
			order = append(order, []int{i})
			continue
		}
		if _, known := at[c]; !known {
			at[c] = len(order)
			order = append(order, nil)
		}
		members[c] = append(members[c], i)
	}
	for c, place := range at {
		order[place] = members[c]
	}
	const several = "\x00"
	index, out := map[string]int{}, []Stratum(nil)
	for _, cluster := range order {
		group := rows[cluster[0]].Group
		if slices.ContainsFunc(cluster, func(i int) bool { return rows[i].Group != group }) {
			group = several
		}
		g, ok := index[group]
		if !ok {
			g = len(out)
			index[group] = g
			out = append(out, nil)
		}
		out[g] = append(out[g], cluster)
	}
	return out
}
