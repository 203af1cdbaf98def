package measure

import (
	"cmp"
	"maps"
	"slices"

	"github.com/abn-studio/studio/trainer/sample"
)

// Row is what is known of a network's answer to one image. Every Figure of a network is computed from its rows.
type Row struct {
	Model            string  `json:"model,omitempty"` // which of several networks it is of
	Image            string  `json:"image"`
	Group            string  `json:"group,omitempty"`
	Cluster          string  `json:"cluster,omitempty"` // images that belong together, which a bootstrap draws together
	Label            int     `json:"label"`
	Predicted        int     `json:"predicted"`
	Confidence       float64 `json:"confidence"` // of the answer given
	Top5             bool    `json:"top5"`       // the label is among the five most probable classes
	AttentionCorrect bool    `json:"attention_correct"`
	OfMap
}

// Correct reports whether the answer is the label.
func (r Row) Correct() bool { return r.Predicted == r.Label }

// RowOf is the row of a result, with the measures of the map that a result has.
func RowOf(s sample.Sample, r Result) Row {
	r.Map = r.Map.Clone()
	return TakeRow(s, &r)
}

// TakeRow is RowOf a result that is left without the measures of the map, so that they are not there twice.
func TakeRow(s sample.Sample, r *Result) Row {
	row := Row{Image: s.Name, Group: s.Group, Cluster: s.Cluster, Label: s.Label, Predicted: r.Predicted, Confidence: r.Confidence, Top5: r.Top5, AttentionCorrect: r.AttCorrect, OfMap: r.Map}
	r.Map = OfMap{}
	if r.Inside >= 0 {
		row.Set(Inside, r.Inside, true)
		row.Set(MaskArea, area(s.Mask), true)
	}
	if r.MapDistance >= 0 {
		row.Set(MapDistance, r.MapDistance, true)
	}
	return row
}

// Figure is a measure of a network.
type Figure struct {
	Name      string  `json:"name"`
	Label     string  `json:"label"`
	Unit      string  `json:"unit"`
	Value     float64 `json:"value"`
	Images    int     `json:"images"`              // it is taken over
	Undefined int     `json:"undefined,omitempty"` // images of which it has no value
}

// Statistic is a measure over the images of indices, which may repeat.
type Statistic func(indices []int) float64

// Table has all measures that rows allow, in the order of Kinds. classes is the network's K.
func Table(rows []Row, classes int) []Figure {
	var out []Figure
	for _, k := range kinds {
		indices := indicesOf(k.Name, classes, rows)
		undefined := 0
		for _, r := range rows {
			undefined += int(one(slices.Contains(r.Undefined, k.Name)))
		}
		if len(indices) > 0 || undefined > 0 {
			f := Figure{Name: k.Name, Label: k.Label, Unit: k.Unit, Images: len(indices), Undefined: undefined}
			if len(indices) > 0 {
				f.Value = StatisticOf(k.Name, rows)(indices)
			}
			out = append(out, f)
		}
	}
	return out
}

// indicesOf are the rows that a measure is taken over; none where it says nothing.
func indicesOf(name string, classes int, rows ...[]Row) []int {
	has := func(r Row) bool {
		switch name {
		case Accuracy, TopOneError, WorstClass, WorstFifth, AttentionBranch, Confidence, ECE:
			return true
		case Top5, TopFiveError:
			return classes > 5
		case WorstGroup:
			return r.Group != ""
		case MapDrift:
			_, ok := r.Figures[name]
			return ok && r.Correct()
		}
		_, ok := r.Figures[name]
		return ok
	}
	var out []int
	groups := map[string]bool{}
	for i := range rows[0] {
		if !slices.ContainsFunc(rows, func(r []Row) bool { return !has(r[i]) }) {
			out = append(out, i)
			groups[rows[0][i].Group] = true
		}
	}
	if name == WorstGroup && len(groups) < 2 {
		return nil
	}
	return out
}

// StatisticOf is a measure of a network's rows by its name. The rows of the indices that it is called with must have it.
func StatisticOf(name string, rows []Row) Statistic {
	mean := func(value func(Row) float64) Statistic {
		return func(indices []int) float64 {
			var sum float64
			for _, i := range indices {
				sum += value(rows[i])
			}
			return sum / float64(max(1, len(indices)))
		}
	}
	ofParts := func(accuracy func(correct func(i int) bool, indices []int) float64) Statistic {
		return func(indices []int) float64 { return accuracy(func(i int) bool { return rows[i].Correct() }, indices) }
	}
	switch name {
	case WorstGroup:
		return ofParts(worst(len(rows), func(i int) string { return rows[i].Group }, least))
	case WorstClass:
		return ofParts(worst(len(rows), func(i int) int { return rows[i].Label }, least))
	case WorstFifth:
		return ofParts(worst(len(rows), func(i int) int { return rows[i].Label }, leastFifth))
	case ECE:
		return func(indices []int) float64 { return CalibrationError(reliability(rows, indices)) }
	}
	return mean(func(r Row) float64 { return r.value(name) })
}

// value is what a row adds to a measure that is a mean over images.
func (r Row) value(name string) float64 {
	switch name {
	case Accuracy:
		return one(r.Correct())
	case TopOneError:
		return one(!r.Correct())
	case Top5:
		return one(r.Top5)
	case TopFiveError:
		return one(!r.Top5)
	case AttentionBranch:
		return one(r.AttentionCorrect)
	case Confidence:
		return r.Confidence
	}
	return r.Figures[name]
}

// worst is a statistic of the accuracies of parts of n images: of the parts that occur among the indices, whatever they are.
func worst[K comparable](n int, part func(i int) K, of func(accuracies []float64) float64) func(correct func(i int) bool, indices []int) float64 {
	index, parts := map[K]int{}, make([]int, n)
	for i := range parts {
		p, ok := index[part(i)]
		if !ok {
			p = len(index)
			index[part(i)] = p
		}
		parts[i] = p
	}
	hits, count, accuracies := make([]int, len(index)), make([]int, len(index)), make([]float64, 0, len(index))
	return func(correct func(i int) bool, indices []int) float64 {
		clear(hits)
		clear(count)
		for _, i := range indices {
			count[parts[i]]++
			if correct(i) {
				hits[parts[i]]++
			}
		}
		accuracies = accuracies[:0]
		for p, n := range count {
			if n > 0 {
				accuracies = append(accuracies, float64(hits[p])/float64(n))
			}
		}
		return of(accuracies)
	}
}

func least(accuracies []float64) float64 { return slices.Min(accuracies) }

// leastFifth is the mean of the lowest fifth of the accuracies, at least of one.
func leastFifth(accuracies []float64) float64 {
	slices.Sort(accuracies)
	n := max(1, len(accuracies)/5)
	var sum float64
	for _, a := range accuracies[:n] {
		sum += a
	}
	return sum / float64(n)
}

// Confusion is one cell of the confusion matrix: how many images of a class got an answer.
type Confusion struct {
	Label     int `json:"label"`
	Predicted int `json:"predicted"`
	Images    int `json:"images"`
}

// ConfusionMatrix has the cells that are not zero, by label and then by answer.
func ConfusionMatrix(rows []Row) []Confusion {
	count := map[[2]int]int{}
	for _, r := range rows {
		count[[2]int{r.Label, r.Predicted}]++
	}
	out := make([]Confusion, 0, len(count))
	for at, n := range maps.All(count) {
		out = append(out, Confusion{at[0], at[1], n})
	}
	slices.SortFunc(out, func(a, b Confusion) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Predicted, b.Predicted))
	})
	return out
}

// all are the indices of n rows.
func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
