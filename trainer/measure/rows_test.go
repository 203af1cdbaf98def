package measure

import (
	"math"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
)

// Where all images are alike only the seeds vary: of four, two gain everything and two nothing, so a resample of four gains nothing in one
// of 16 cases. Where all seeds are alike the interval is that of one.
func TestSeedBootstrapCoversSeeds(t *testing.T) {
	t.Parallel()
	constant := func(v float64) Statistic { return func([]int) float64 { return v } }
	strata := Strata(make([]Row, 50), all(50))
	none := []Statistic{constant(0), constant(0), constant(0), constant(0)}
	got := SeedBootstrap([]Statistic{constant(1), constant(0), constant(1), constant(0)}, none, strata, 3)
	if got.Difference != 0.5 || got.Low != 0 || got.High != 1 {
		t.Errorf("two of four seeds gain: %+v", got)
	}
	if want := 2. / 16; math.Abs(got.P-want) > 0.03 {
		t.Errorf("P %v, want about %v", got.P, want)
	}
	even := func(indices []int) (share float64) {
		for _, i := range indices {
			share += float64(i%2) / float64(len(indices))
		}
		return share
	}
	one := SeedBootstrap([]Statistic{even}, none[:1], strata, 3)
	four := SeedBootstrap([]Statistic{even, even, even, even}, none, strata, 3)
	if math.Abs(one.Low-four.Low) > 0.03 || math.Abs(one.High-four.High) > 0.03 {
		t.Errorf("equal seeds: %+v, one of them %+v", four, one)
	}
	if none := SeedBootstrap(nil, nil, strata, 3); none.P != 1 || none.Difference != 0 {
		t.Errorf("without seeds: %+v", none)
	}
}

// The worst fifth is each network's own: here the two networks have other worst classes and the same figure.
func TestWorstFifthIsEachNetworksOwn(t *testing.T) {
	t.Parallel()
	var a, b []Row
	for class := range 5 {
		for i := range 4 {
			x, y := Row{Label: class, Predicted: class}, Row{Label: class, Predicted: class}
			if class == 1 && i < 2 {
				x.Predicted = 0
			}
			if class == 3 && i < 2 {
				y.Predicted = 0
			}
			a, b = append(a, x), append(b, y)
		}
	}
	compared, err := Compare(a, b, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range compared {
		if c.Name == WorstFifth && (c.Value != 0.5 || c.Other != 0.5 || c.Difference != 0 || c.Images != 20) {
			t.Errorf("worst fifth: %+v", c)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	var rows, other []Row
	for i := range 40 {
		r := Row{Image: string(rune('a' + i)), Label: i % 2, Predicted: i % 2, Confidence: 0.9}
		o := r
		if i < 9 {
			o.Predicted = 5
		}
		if i >= 37 {
			r.Predicted = 5
		}
		r.Set(PointingGame, 1, i != 0)
		o.Set(PointingGame, one(i < 30), i != 1)
		rows, other = append(rows, r), append(other, o)
	}
	compared, err := Compare(rows, other, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Comparison{}
	for _, c := range compared {
		by[c.Name] = c
		if c.Holm < c.P {
			t.Errorf("%s: P %v is adjusted to less, %v", c.Name, c.P, c.Holm)
		}
	}
	c := by[Accuracy]
	if c.Gained != 9 || c.Lost != 3 || c.Test != ExactMcNemar || math.Abs(c.P-0.146) > 1e-3 || math.Abs(c.Difference-0.15) > 1e-12 || c.Low > 0.15 || c.High < 0.15 {
		t.Errorf("accuracy: %+v", c)
	}
	if c := by[PointingGame]; c.Images != 38 || c.Gained != 10 || c.Lost != 0 {
		t.Errorf("pointing game, which one network has no value of on image 0 and the other one on image 1: %+v", c)
	}
	if _, there := by[Top5]; there {
		t.Error("the first five of three classes are compared")
	}
	if _, err := Compare(rows, other[1:], 3, 1); err == nil {
		t.Error("networks are compared on different numbers of images")
	}
	other[3].Image = "another"
	if _, err := Compare(rows, other, 3, 1); err == nil {
		t.Error("networks are compared on different images")
	}
}

func TestWhatHasNoValue(t *testing.T) {
	t.Parallel()
	flat, zero, m := attention.Map{Height: 1, Width: 3, Values: []float32{.5, .5, .5}}, attention.New(1, 3), attention.Map{Height: 1, Width: 3, Values: []float32{0, 1, .5}}
	for name, f := range map[string]func() bool{
		"pointing of an even map":             func() bool { _, ok := Pointing(flat, m, 1); return ok },
		"pointing without an object":          func() bool { _, ok := Pointing(m, zero, 1); return ok },
		"ranks of an even map":                func() bool { _, ok := RankAccuracy(flat, m); return ok },
		"ranks without an object":             func() bool { _, ok := RankAccuracy(m, zero); return ok },
		"IoU without attention":               func() bool { _, ok := IoU(zero, m, 0.5); return ok },
		"IoU without an object":               func() bool { _, ok := IoU(m, zero, 0.5); return ok },
		"soft IoU of nothing":                 func() bool { _, ok := SoftIoU(zero, zero); return ok },
		"rank correlation with an even map":   func() bool { _, ok := Spearman(m, flat); return ok },
		"wrong reason of an even map":         func() bool { _, ok := WrongReasonScore(flat, m, 0); return ok },
		"wrong reason without such an area":   func() bool { _, ok := WrongReasonScore(m, zero, 0); return ok },
		"activation of even maps":             func() bool { _, ok := Activation([]attention.Map{flat, zero}); return ok },
		"a rank correlation of a single cell": func() bool { e := m; e.Marks = "?.?"; _, ok := Spearman(m, e); return ok },
	} {
		if f() {
			t.Errorf("%s has a value", name)
		}
	}
	rows := []Row{{Image: "a"}, {Image: "b"}}
	rows[0].Set(MapSpearman, 0.25, true)
	rows[1].Set(MapSpearman, 0, false)
	for _, f := range Table(rows, 2) {
		if f.Name == MapSpearman && (f.Value != 0.25 || f.Images != 1 || f.Undefined != 1) {
			t.Errorf("one image has a value and one has none: %+v", f)
		}
	}
}

// Cells that carry no value do not count, and those marked «do not look here» are the wrong area.
func TestMarkedCells(t *testing.T) {
	t.Parallel()
	m := attention.Map{Height: 1, Width: 4, Values: []float32{0.1, 0.2, 0.3, 1}}
	edited := attention.Map{Height: 1, Width: 4, Values: []float32{0.2, 0.1, 0, 0}, Marks: "..?x"}
	if iou, ok := SoftIoU(m, edited); !ok || math.Abs(iou-0.5) > 1e-6 {
		t.Errorf("soft IoU %v", iou)
	}
	if rho, ok := Spearman(m, edited); !ok || rho > -0.999 {
		t.Errorf("rank correlation %v", rho)
	}
	mask := attention.Map{Height: 1, Width: 4, Values: []float32{0, 0, 0, 1}}
	if wrong := WrongArea(mask, edited); wrong.Values[3] != 1 || wrong.Values[0] != 0 {
		t.Errorf("the person's marks: %v", wrong.Values)
	}
	edited.Marks = "..?."
	if wrong := WrongArea(mask, edited); wrong.Values[3] != 0 || wrong.Values[0] != 1 {
		t.Errorf("outside of the object: %v", wrong.Values)
	}
	if wrong := WrongArea(attention.Map{}, edited); !wrong.IsZero() {
		t.Errorf("nothing known: %v", wrong)
	}
}

// Every measure has all its words, and a name of its own.
func TestKindsAreWhole(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, k := range Kinds() {
		if k.Label == "" || k.Range == "" || k.Definition == "" || k.Source == "" || names[k.Name] {
			t.Errorf("%+v", k)
		}
		names[k.Name] = true
	}
}
