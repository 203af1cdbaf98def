package measure

import (
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
)

// Painted is an image with the maps that several people made of it without seeing each other's.
type Painted struct {
	Class    int             // of the image
	Painters []int64         // who made them, each one map
	Maps     []attention.Map // in the order of Painters, on one grid
}

// likeness is a measure of two maps that is the same both ways; ok is false where it has no value.
type likeness func(a, b attention.Map) (value float64, ok bool)

// AgreementKind is a measure of agreement.
type AgreementKind struct {
	Name, Label string
	Stepped     bool // its ceiling is stepped up to all painters (SpearmanBrown)
	of          likeness
}

// AgreementKinds are the measures by which painters are compared: Spearman and SoftIoU.
func AgreementKinds() []AgreementKind {
	return []AgreementKind{{"spearman", "Rank correlation", true, Spearman}, {"soft_iou", "Soft IoU", false, SoftIoU}}
}

// Level is a figure with its 95% interval, from Low to High, by the bootstrap over images (pairedBootstrap), and the number of images it
// is the mean of.
type Level struct {
	Value, Low, High float64
	Images           int
}

// Agreement is how alike the maps are that different people make of the same images, and what to read that beside. A figure is nil where
// no image has it.
type Agreement struct {
	Kind AgreementKind
	// Between is the mean over images of the mean over an image's pairs of painters.
	Between *Level
	// Ceiling is how alike the mean maps of two groups of as many painters would be: no network agrees better with the painters' mean map,
	// other than by chance. It is estimated from split halves: the mean over images, over all ways to part an image's n painters in groups
	// of ⌊n/2⌋ and ⌈n/2⌉, of the agreement of the groups' mean maps (attention.Consensus).
	//
	// Spearman's is stepped from half of the painters to all of them by SpearmanBrown. With an odd n the halves are unequal, and the
	// formula gives slightly too little (Horst, 1951). No such formula holds for soft IoU, whose split halves stay as they are: a ceiling of
	// half as many painters, and so lower than that of all.
	//
	// Images with two maps have none: their halves are the painters themselves, so that it would be Between once more, stepped. What a
	// person agrees on with themself would bound it, but nobody paints the same image twice.
	Ceiling *Level
	// Floor is what maps agree on without being of the same image, as that objects are in the middle: the mean over images of each map's
	// agreement with maps of other images by other painters. These are of the same class, where it has two other images, else of any.
	Floor *Level
	// ByImage is the mean over each image's pairs; nil where no pair has a value.
	ByImage []*float64
	// ByPainter is how alike a person's maps are to others' of the same images: the mean over images of the mean over the others.
	ByPainter map[int64]Level
}

// Each map is compared with maxShuffles maps of other images for the floor, or with fewer where there are many maps, since the mean is over
// all: with allShuffles together.
const (
	maxShuffles = 20
	allShuffles = 4000
)

// Agree compares the maps of images that several people painted. seed is that of the bootstrap and of the floor's choice.
func Agree(images []Painted, kind AgreementKind, seed uint64) Agreement {
	out := Agreement{Kind: kind, ByImage: make([]*float64, len(images)), ByPainter: map[int64]Level{}}
	var between, ceiling, floor []float64
	of := map[int64][]float64{} // of painters, by image
	rng := rand.New(rand.NewPCG(seed, 0x5851f42d4c957f2d))
	maps := 0
	for _, image := range images {
		maps += len(image.Maps)
	}
	shuffles := min(maxShuffles, max(1, allShuffles/max(1, maps)))
	for i, image := range images {
		pairs, with := mean{}, make([]mean, len(image.Maps))
		for a := range image.Maps {
			for b := range a {
				if v, ok := kind.of(image.Maps[a], image.Maps[b]); ok {
					pairs.add(v)
					with[a].add(v)
					with[b].add(v)
				}
			}
		}
		if v, ok := pairs.value(); ok {
			out.ByImage[i] = &v
			between = append(between, v)
		}
		for a, m := range with {
			if v, ok := m.value(); ok {
				of[image.Painters[a]] = append(of[image.Painters[a]], v)
			}
		}
		if v, ok := splitHalves(image.Maps, kind.of); ok {
			ceiling = append(ceiling, v)
		}
		if v, ok := shuffled(images, i, kind.of, shuffles, rng); ok {
			floor = append(floor, v)
		}
	}
	plain := func(v float64) float64 { return v }
	step := plain
	if kind.Stepped {
		step = SpearmanBrown
	}
	out.Between, out.Ceiling, out.Floor = levelOf(between, plain, seed), levelOf(ceiling, step, seed), levelOf(floor, plain, seed)
	for painter, values := range of {
		out.ByPainter[painter] = *levelOf(values, plain, seed)
	}
	return out
}

// SpearmanBrown steps the correlation r of two halves up to that of wholes: 2r/(1+r) (Spearman, Correlation calculated from faulty data,
// 1910; Brown, Some experimental results in the correlation of mental abilities, 1910). Halves that do not agree (r ≤ 0) stay as they are.
func SpearmanBrown(r float64) float64 {
	if r <= 0 {
		return r
	}
	return 2 * r / (1 + r)
}

// mean is one of values as they come.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v float64) { m.sum, m.n = m.sum+v, m.n+1 }

func (m *mean) value() (v float64, ok bool) { return m.sum / float64(max(1, m.n)), m.n > 0 }

// splitHalves is the mean agreement between the mean maps of two halves of the painters, over all ways to part them; ok is false with
// fewer than three painters.
func splitHalves(maps []attention.Map, of likeness) (float64, bool) {
	n := len(maps)
	if n < 3 {
		return 0, false
	}
	var all mean
	for half := range uint(1) << n {
		if bits.OnesCount(half) != n/2 || n%2 == 0 && half&1 == 0 { // halves of one size are parted once
			continue
		}
		var first, second []attention.Map
		for i, m := range maps {
			if half>>i&1 == 1 {
				first = append(first, m)
			} else {
				second = append(second, m)
			}
		}
		if v, ok := of(attention.NewConsensus(first).Mean, attention.NewConsensus(second).Mean); ok {
			all.add(v)
		}
	}
	return all.value()
}

// shuffled is the mean agreement of an image's maps with maps of other images on the same grid by other painters, so many for each.
func shuffled(images []Painted, i int, of likeness, shuffles int, rng *rand.Rand) (float64, bool) {
	image := images[i]
	var class, every []int
	for k, other := range images {
		if k == i || len(other.Maps) == 0 || len(image.Maps) == 0 || other.Maps[0].Height != image.Maps[0].Height || other.Maps[0].Width != image.Maps[0].Width {
			continue
		}
		every = append(every, k)
		if other.Class == image.Class {
			class = append(class, k)
		}
	}
	if len(class) < 2 {
		class = every
	}
	if len(class) == 0 {
		return 0, false
	}
	var all mean
	for a, m := range image.Maps {
		for range shuffles {
			other := images[class[rng.IntN(len(class))]]
			b := rng.IntN(len(other.Maps))
			if other.Painters[b] == image.Painters[a] {
				b = slices.IndexFunc(other.Painters, func(p int64) bool { return p != image.Painters[a] })
			}
			if b < 0 {
				continue
			}
			if v, ok := of(m, other.Maps[b]); ok {
				all.add(v)
			}
		}
	}
	return all.value()
}

// levelOf is a figure of the mean over images, each of which has one value; nil without any.
func levelOf(values []float64, of func(mean float64) float64, seed uint64) *Level {
	if len(values) == 0 {
		return nil
	}
	figure := func(images []int) float64 {
		var m mean
		for _, i := range images {
			m.add(values[i])
		}
		v, _ := m.value()
		return of(v)
	}
	none := func([]int) float64 { return 0 }
	d := pairedBootstrap(figure, none, Strata(make([]Row, len(values)), all(len(values))), seed)
	return &Level{Value: d.Difference, Low: d.Low, High: d.High, Images: len(values)}
}
