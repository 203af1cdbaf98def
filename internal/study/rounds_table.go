package study

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/trainer/measure"
)

// Cell is all rounds of a study that differ by the seed alone, and what their arms did.
type Cell struct {
	CellOf
	Seeds  []int64           `json:"seeds"` // of the rounds that were not lost
	Lost   []Lost            `json:"lost,omitempty"`
	Rounds []RoundPoint      `json:"rounds"`
	Left   []measure.LeftOut `json:"left_out,omitempty"` // arms that a round does without
	Within string            `json:"within,omitempty"`   // the group of held-out images that the worst fifth is taken of; "": all
	// Maps is the arm that stands for maps, and Baseline the strongest without them: those that get most validation images right over all
	// seeds, of equals the simpler one. Without validation images they are the candidate and the control.
	Maps     arms.Arm  `json:"maps"`
	Baseline arms.Arm  `json:"baseline"`
	Arms     []CellArm `json:"arms"` // simple ones first
	// Forecasts counts the rounds by what was forecast before them and by what the maps were then worth over Baseline.
	Forecasts Record `json:"forecasts,omitempty"`
}

// Lost is a round that failed.
type Lost struct {
	Seed int64  `json:"seed"`
	Why  string `json:"why"`
}

// CellArm is an arm of a cell: means over seeds, in [0,1]. Differences are in accuracy and in the worst fifth of classes.
type CellArm struct {
	Arm        arms.Arm `json:"arm"`
	Seeds      int      `json:"seeds"`  // that have it
	Images     int      `json:"images"` // of all seeds
	Accuracy   float64  `json:"accuracy"`
	WorstFifth float64  `json:"worst_fifth"`
	// Figures are its other measures on the held-out images, by name.
	Figures   map[string]float64 `json:"figures"`
	Over      *Interval          `json:"over_control,omitempty"` // of this arm less the control
	OverWorst *Interval          `json:"over_control_worst_fifth,omitempty"`
	Maps      *Interval          `json:"maps_over,omitempty"` // of the maps' side less this arm; absent for that side
	MapsWorst *Interval          `json:"maps_over_worst_fifth,omitempty"`
}

func compareRounds(a, b RoundPoint) int {
	return cmp.Or(strings.Compare(a.Network, b.Network), strings.Compare(a.Identity, b.Identity), strings.Compare(a.Gain, b.Gain), strings.Compare(string(a.Strategy), string(b.Strategy)),
		cmp.Compare(slices.Index(Orders, a.Order), slices.Index(Orders, b.Order)), cmp.Compare(slices.Index(Hands, a.Hand), slices.Index(Hands, b.Hand)), compareBool(a.Avoid, b.Avoid),
		cmp.Compare(uint(a.Edits-1), uint(b.Edits-1)), cmp.Compare(a.Seed, b.Seed)) // all edits, 0, come last
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Cells computes a study's table from its rows. within is the group of held-out images that the worst fifth of classes is taken of; "": all.
func Cells(dir string, rounds []RoundPoint, within string) (cells []Cell, err error) {
	for start := 0; start < len(rounds); {
		end := start + 1
		for end < len(rounds) && rounds[end].CellOf.key() == rounds[start].CellOf.key() {
			end++
		}
		c, err := cellOf(dir, rounds[start:end], within)
		if err != nil {
			return nil, err
		}
		cells = append(cells, c)
		start = end
	}
	return cells, nil
}

// heldOut are the rows of the held-out images of an arm, by seed; a seed without the arm has none.
type heldOut map[arms.Arm][][]measure.Row

func cellOf(dir string, rounds []RoundPoint, within string) (Cell, error) {
	c := Cell{CellOf: rounds[0].CellOf, Rounds: rounds, Within: within, Seeds: []int64{}, Maps: arms.Candidate, Baseline: arms.Control}
	of, right, asked := heldOut{}, map[arms.Arm]int{}, 0 // on validation
	figures := map[arms.Arm][]map[string]float64{}
	for _, p := range rounds {
		if p.Error != "" {
			c.Lost = append(c.Lost, Lost{p.Seed, p.Error})
			continue
		}
		rows, err := ReadRows(dir, p)
		if err != nil {
			return c, err
		}
		c.Seeds = append(c.Seeds, p.Seed)
		if c.Left == nil {
			c.Left = p.LeftOut
		}
		for arm, of := range figuresOf(p, rows) {
			figures[arm] = append(figures[arm], of)
		}
		groups := map[string]bool{}
		for _, r := range rows {
			if r.Set == measure.OfValidation {
				asked++
				if r.Correct() {
					right[r.Arm]++
				}
			}
			if r.Set != measure.OfTest {
				continue
			}
			groups[r.Group] = true
			for len(of[r.Arm]) < len(c.Seeds) {
				of[r.Arm] = append(of[r.Arm], nil)
			}
			of[r.Arm][len(c.Seeds)-1] = append(of[r.Arm][len(c.Seeds)-1], r.Row)
		}
		if err := hasGroup(groups, within); err != nil {
			return c, err
		}
	}
	for arm, seeds := range of {
		for len(seeds) < len(c.Seeds) {
			seeds = append(seeds, nil)
		}
		of[arm] = seeds
	}
	if asked > 0 {
		best := func(is func(arms.Kind) bool) (arm arms.Arm) {
			for _, k := range arms.Kinds() {
				if of[k.Arm] != nil && is(k) && of.whole(k.Arm) && (arm == "" || right[k.Arm] > right[arm]) {
					arm = k.Arm
				}
			}
			return arm
		}
		c.Maps = cmp.Or(best(func(k arms.Kind) bool { return !k.Baseline() && k.Arm != arms.MapAtTest }), c.Maps)
		c.Baseline = cmp.Or(best(arms.Kind.Baseline), c.Baseline)
	}
	for _, k := range arms.Kinds() {
		if of[k.Arm] == nil {
			continue
		}
		a := of.figures(k.Arm, within, figures[k.Arm])
		if k.Arm != arms.Control {
			a.Over, a.OverWorst = of.difference(k.Arm, arms.Control, within)
		}
		if k.Arm != c.Maps {
			a.Maps, a.MapsWorst = of.difference(c.Maps, k.Arm, within)
		}
		c.Arms = append(c.Arms, a)
	}
	c.recordForecasts(of)
	return c, nil
}

// recordForecasts compares what was forecast before each round with what came of it.
func (c *Cell) recordForecasts(of heldOut) {
	seed := 0
	for _, p := range c.Rounds {
		if p.Error != "" {
			continue
		}
		at := func(arm arms.Arm) heldOut {
			if len(of[arm]) <= seed {
				return heldOut{}
			}
			return heldOut{arm: of[arm][seed : seed+1]}
		}
		one := at(c.Maps)
		maps.Copy(one, at(c.Baseline))
		seed++
		if d, _ := one.difference(c.Maps, c.Baseline, c.Within); d != nil && p.Forecast != nil {
			if c.Forecasts == nil {
				c.Forecasts = Record{}
			}
			c.Forecasts.add(p.Forecast.Verdict, outcomeOf(*d), 1)
		}
	}
}

// whole reports whether an arm is there with each seed, so that its right answers can be counted beside others'.
func (of heldOut) whole(arm arms.Arm) bool {
	return !slices.ContainsFunc(of[arm], func(rows []measure.Row) bool { return rows == nil })
}

// figures are an arm's means over its seeds. each are its figures in each round that has it.
func (of heldOut) figures(arm arms.Arm, within string, each []map[string]float64) CellArm {
	a := CellArm{Arm: arm, Figures: map[string]float64{}}
	for _, rows := range of[arm] {
		if rows == nil {
			continue
		}
		a.Seeds++
		a.Images += len(rows)
		a.Accuracy += measure.StatisticOf(measure.Accuracy, rows)(places(rows, ""))
		a.WorstFifth += measure.StatisticOf(measure.WorstFifth, rows)(places(rows, within))
	}
	n := float64(a.Seeds)
	a.Accuracy, a.WorstFifth = a.Accuracy/n, a.WorstFifth/n
	for _, k := range measure.Kinds() {
		sum, count := 0., 0
		for _, figures := range each {
			if v, has := figures[k.Name]; has {
				sum, count = sum+v, count+1
			}
		}
		if count > 0 {
			a.Figures[k.Name] = sum / float64(count)
		}
	}
	return a
}

// difference is one arm less another in accuracy and in the worst fifth, over the seeds that have both. It resamples seeds and images:
// the same images for all seeds where they have the same, else each seed's own.
func (of heldOut) difference(arm, other arms.Arm, within string) (accuracy, worst *Interval) {
	var ours, theirs [][]measure.Row
	for i := range of[arm] {
		if i < len(of[other]) && of[arm][i] != nil && of[other][i] != nil {
			ours, theirs = append(ours, of[arm][i]), append(theirs, of[other][i])
		}
	}
	if len(ours) == 0 {
		return nil, nil
	}
	take := func(name, within string) *Interval {
		candidates, controls := make([]measure.Statistic, len(ours)), make([]measure.Statistic, len(ours))
		strata := make([][]measure.Stratum, len(ours))
		for i := range ours {
			candidates[i], controls[i] = measure.StatisticOf(name, ours[i]), measure.StatisticOf(name, theirs[i])
			strata[i] = measure.Strata(ours[i], places(ours[i], within))
		}
		var d measure.Interval
		if sameImages(ours) {
			d = measure.SeedBootstrap(candidates, controls, strata[0], 1)
		} else {
			d = measure.NestedBootstrap(candidates, controls, strata, 1)
		}
		return &Interval{d.Difference, d.Low, d.High}
	}
	return take(measure.Accuracy, ""), take(measure.WorstFifth, within)
}

const groupsNamed = 8 // of those there are, in an error

// hasGroup refuses a group that no held-out image is in.
func hasGroup(groups map[string]bool, group string) error {
	groups = maps.Clone(groups)
	if group == "" || groups[group] {
		return nil
	}
	delete(groups, "")
	if len(groups) == 0 {
		return fmt.Errorf("no held-out image is in the group %q: the data set has no groups", group)
	}
	names := slices.Sorted(maps.Keys(groups))
	more := ""
	if len(names) > groupsNamed {
		more = fmt.Sprintf(" and %d more", len(names)-groupsNamed)
		names = names[:groupsNamed]
	}
	return fmt.Errorf("no held-out image is in the group %q; there are %s%s", group, strings.Join(names, ", "), more)
}

// places are those of the rows of a group; of all for "".
func places(rows []measure.Row, group string) (all []int) {
	for i, r := range rows {
		if group == "" || r.Group == group {
			all = append(all, i)
		}
	}
	return all
}

func sameImages(seeds [][]measure.Row) bool {
	for _, rows := range seeds[1:] {
		if !slices.EqualFunc(rows, seeds[0], func(a, b measure.Row) bool {
			return a.Image == b.Image && a.Label == b.Label && a.Group == b.Group && a.Cluster == b.Cluster
		}) {
			return false
		}
	}
	return true
}
