package study

import (
	"math"
	"slices"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/random"
)

// fewMasks is the share of pictures with a mask below which those are divided by themselves: poolOfMasked of them go to the pool, where
// edits are made of them, the others to the test, where maps are measured by them.
const (
	fewMasks     = 0.5
	poolOfMasked = 2. / 3
)

// deal gives pictures their splits: each class's by the shares, clusters whole. Where a cluster has pictures of several classes, it is dealt
// with the first of them.
func (s Split) deal(list []divided, few bool) {
	units := unitsOf(list)
	of := map[string][][]int{} // by class
	var classes []string
	for _, unit := range units {
		class := list[unit[0]].class
		if of[class] == nil {
			classes = append(classes, class)
		}
		of[class] = append(of[class], unit)
	}
	give := func(unit []int, split string) {
		for _, i := range unit {
			list[i].split = split
		}
	}
	for _, class := range classes {
		units := of[class]
		random.New(s.Seed, "divide", class).Shuffle(len(units), func(i, j int) { units[i], units[j] = units[j], units[i] })
		if few {
			masked := slices.DeleteFunc(slices.Clone(units), func(unit []int) bool {
				return !slices.ContainsFunc(unit, func(i int) bool { return list[i].mask != "" })
			})
			units = slices.DeleteFunc(units, func(unit []int) bool {
				return slices.ContainsFunc(unit, func(i int) bool { return list[i].mask != "" })
			})
			pool := int(math.Ceil(poolOfMasked * float64(len(masked))))
			for n, unit := range masked {
				split := dataset.Test
				if n < pool {
					split = dataset.Pool
				}
				give(unit, split)
			}
		}
		shares := []float64{s.Train, s.Validation, s.Pool}
		if few { // the pool has its pictures: its share is divided like the others
			for i := range shares {
				shares[i] /= 1 - s.Pool
			}
			shares[2] = 0
		}
		pictures := 0
		for _, unit := range units {
			pictures += len(unit)
		}
		dealt, bound, n := 0, shares[0]*float64(pictures), 0
		for _, unit := range units {
			for n < len(shares) && float64(dealt)+float64(len(unit))/2 > bound {
				if n++; n < len(shares) {
					bound += shares[n] * float64(pictures)
				}
			}
			give(unit, DividedSplits[n])
			dealt += len(unit)
		}
	}
}

// unitsOf are pictures in clusters, in the order of their first ones; a picture that belongs to no other is one.
func unitsOf(list []divided) (units [][]int) {
	at := map[string]int{}
	for i := range list {
		cluster := list[i].sample.Cluster
		place, known := at[cluster]
		if cluster == "" || !known {
			at[cluster] = len(units)
			units = append(units, []int{i})
			continue
		}
		units[place] = append(units[place], i)
	}
	return units
}
