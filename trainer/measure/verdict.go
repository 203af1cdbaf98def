package measure

import (
	"cmp"
	"math"
	"slices"

	"github.com/abn-studio/studio/internal/arms"
)

// ClassChange is the accuracy on one class of a network, of the one that it is compared with, and the difference with its 95% interval.
type ClassChange struct {
	Class      int     `json:"class"`
	Images     int     `json:"images"`
	Value      float64 `json:"value"`
	Other      float64 `json:"other"`
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	// Clear says that the interval leaves out 0 and so does the sign test of the class's images: of few images the interval is too narrow.
	Clear bool `json:"clear"`
}

// ClassChanges compares a network with another one on each class that occurs, the one that lost most first. networks and others are
// their rows with each seed, of the same images in the same order; one without seeds is there once. seed is that of the bootstrap.
func ClassChanges(networks, others [][]Row, seed uint64) []ClassChange {
	of := map[int][]int{}
	for i, r := range networks[0] {
		of[r.Label] = append(of[r.Label], i)
	}
	n := max(len(networks), len(others))
	values, against := (armRows{rows: networks}).statistics(Accuracy, n), (armRows{rows: others}).statistics(Accuracy, n)
	right := func(seeds [][]Row, i int) (share float64) {
		for _, rows := range seeds {
			share += one(rows[i].Correct()) / float64(len(seeds))
		}
		return share
	}
	var out []ClassChange
	for class, images := range of {
		d := SeedBootstrap(values, against, Strata(networks[0], images), seed)
		gained, lost := 0, 0
		for _, i := range images {
			switch change := right(networks, i) - right(others, i); {
			case change > 1e-9:
				gained++
			case change < -1e-9:
				lost++
			}
		}
		p, _ := McNemar(gained, lost)
		out = append(out, ClassChange{
			Class: class, Images: len(images), Value: meanOver(values, images), Other: meanOver(against, images),
			Difference: d.Difference, Low: d.Low, High: d.High, Clear: p <= 0.05 && (d.Low > 0 || d.High < 0),
		})
	}
	slices.SortFunc(out, func(a, b ClassChange) int {
		return cmp.Or(cmp.Compare(math.Round(1e9*a.Difference), math.Round(1e9*b.Difference)), cmp.Compare(a.Class, b.Class))
	})
	return out
}

// Diagram is the reliability diagram of a network, the answers of all its seeds together.
type Diagram struct {
	Arm  arms.Arm `json:"arm"`
	Bins []Bin    `json:"bins"` // Bins of them
}

// Verdict is what a round's rows say beside its measures and its table.
type Verdict struct {
	Diagrams []Diagram     `json:"diagrams"` // of the parent, of the network without maps, and of the one with maps
	Classes  []ClassChange `json:"classes"`  // of the one with maps against the one without
}

// VerdictOf computes it from the held-out images; maps and base as in RoundMeasures. nil where there are none.
func VerdictOf(rows []ArmRow, maps, base arms.Arm, seed uint64) (*Verdict, error) {
	sets, err := bySet(rows)
	if err != nil {
		return nil, err
	}
	of := sets[OfTest]
	if of[arms.Parent] == nil || of[maps] == nil || of[base] == nil {
		return nil, nil
	}
	v := &Verdict{Classes: ClassChanges(of[maps].rows, of[base].rows, seed)}
	told := map[arms.Arm]bool{}
	for _, arm := range []arms.Arm{arms.Parent, base, maps} {
		if !told[arm] {
			v.Diagrams = append(v.Diagrams, Diagram{arm, Reliability(slices.Concat(of[arm].rows...))})
		}
		told[arm] = true
	}
	return v, nil
}
