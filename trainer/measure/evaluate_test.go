package measure

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/sample"
)

// fixedOutputs answers with given logits, one row after the other; its attention branch always says
// the last class.
type fixedOutputs struct {
	classes int
	logits  [][]float32
	maps    []float32
}

func (f *fixedOutputs) Forward(_ context.Context, n int, _ []float32) (out engine.Outputs, err error) {
	for _, row := range f.logits[:n] {
		att := make([]float32, f.classes)
		att[f.classes-1] = 1
		out.LogitsAtt = append(out.LogitsAtt, att...)
		out.LogitsPer = append(out.LogitsPer, row...)
		out.Maps = append(out.Maps, f.maps...)
	}
	f.logits = f.logits[n:]
	return out, nil
}

// noInputs are inputs nobody looks at.
type noInputs struct{}

func (noInputs) Size() int                                             { return 0 }
func (noInputs) Read(context.Context, int, bool, int, []float32) error { return nil }

func TestEvaluationFigures(t *testing.T) {
	t.Parallel()
	mask := attention.Map{Height: 1, Width: 2, Values: []float32{1, 0}}
	m := attention.Map{Height: 1, Width: 2, Values: []float32{0.75, 0.25}}
	samples := []sample.Sample{
		{Label: 0, Group: "water", Mask: mask},
		{Label: 1, Group: "water", Edited: mask},
		{Label: 1, Group: "shore"},
		{Label: 6},
	}
	forward := fixedOutputs{classes: 7, maps: m.Values, logits: [][]float32{
		{0, 0, 0, 0, 0, 0, -100},
		{0, float32(math.Log(3)), -100, -100, -100, -100, -100},
		{9, 1, 2, 3, 4, 5, 6},
		{5, 4, 3, 2, 1, 0, 4},
	}}
	e, err := Evaluate(t.Context(), &forward, noInputs{}, samples, 7, 1, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	results := e.Results
	if r := results[0]; !r.Correct || math.Abs(r.Confidence-1./6) > 1e-6 || math.Abs(r.Inside-0.75) > 1e-6 || r.MapDistance != -1 {
		t.Errorf("first: %+v", r)
	}
	if r := results[1]; !r.Correct || math.Abs(r.Confidence-0.75) > 1e-6 || r.Inside != -1 || math.Abs(r.MapDistance-math.Sqrt(2)/4) > 1e-6 {
		t.Errorf("second: %+v", r)
	}
	if r := results[2]; r.Correct || r.Top5 || r.Predicted != 0 {
		t.Errorf("third: %+v", r)
	}
	if r := results[3]; r.Correct || !r.Top5 || !r.AttCorrect {
		t.Errorf("fourth: %+v", r)
	}
	if e.Images != 4 || e.Top1 != 0.5 || e.Top5 != 0.75 || e.AttTop1 != 0.25 {
		t.Errorf("figures: %+v", e)
	}
	if e.WorstGroup == nil || *e.WorstGroup != (GroupFigure{"shore", 1, 0}) || len(e.Groups) != 2 {
		t.Errorf("groups: %+v, worst %+v", e.Groups, e.WorstGroup)
	}
	if e.Inside == nil || e.Inside.Images != 1 || e.Inside.Area != 0.5 {
		t.Errorf("inside: %+v", e.Inside)
	}
	if len(e.PerClass) != 3 || e.PerClass[1] != (ClassFigure{Class: 1, Images: 2, Top1: 0.5}) {
		t.Errorf("per class: %+v", e.PerClass)
	}
	if empty := Summarize(nil, nil); empty.Images != 0 || empty.WorstGroup != nil {
		t.Errorf("nothing: %+v", empty)
	}
}

// Two networks whose true difference is known: the 95% interval must hold it in about 95 of 100
// held-out sets, and its width must be that of the paired difference.
func TestBootstrapCoversTheTruth(t *testing.T) {
	t.Parallel()
	const sets, n, fix, spoil = 200, 300, 0.12, 0.04 // the candidate mends 12% of images and spoils 4%
	correct := func(rows []Row) Statistic { return StatisticOf(Accuracy, rows) }
	rng := rand.New(rand.NewPCG(11, 12))
	covered, width := 0, 0.0
	strata := Strata(make([]Row, n), all(n))
	for set := range sets {
		control, candidate := make([]Row, n), make([]Row, n)
		for i := range n {
			u := rng.Float64()
			control[i].Predicted = int(one(u < fix || u >= 0.7)) // the label is 0
			candidate[i].Predicted = int(one(u >= 0.7-spoil))
		}
		got := pairedBootstrap(correct(candidate), correct(control), strata, uint64(set))
		if got.Low <= fix-spoil && fix-spoil <= got.High {
			covered++
		}
		width += (got.High - got.Low) / sets
	}
	if share := float64(covered) / sets; share < 0.90 || share > 0.99 {
		t.Errorf("the interval held the truth in %.3f of cases, want about 0.95", share)
	}
	// Each image contributes +1, −1 or 0: variance fix + spoil − (fix − spoil)².
	want := 2 * 1.96 * math.Sqrt((fix+spoil-(fix-spoil)*(fix-spoil))/n)
	if width < 0.9*want || width > 1.1*want {
		t.Errorf("mean width %.4f, theory says %.4f", width, want)
	}
}

// Images that belong together are right or wrong together: drawn one by one they would seem to be four times as many as they are, and the
// interval would hold the truth in 60 of 100 cases and not in 95.
func TestBootstrapDrawsClusters(t *testing.T) {
	t.Parallel()
	const sets, clusters, each, gain = 200, 75, 4, 0.1
	correct := func(rows []Row) Statistic { return StatisticOf(Accuracy, rows) }
	rng := rand.New(rand.NewPCG(13, 14))
	covered, apart := 0, 0
	for set := range sets {
		var control, candidate, single []Row
		for c := range clusters {
			u := rng.Float64()
			for range each {
				row := Row{Cluster: fmt.Sprint(c), Predicted: int(one(u < 0.5))}
				control, single = append(control, row), append(single, Row{})
				row.Predicted = int(one(u < 0.5-gain))
				candidate = append(candidate, row)
			}
		}
		holds := func(strata []Stratum) int {
			got := pairedBootstrap(correct(candidate), correct(control), strata, uint64(set))
			return int(one(got.Low <= gain && gain <= got.High))
		}
		covered += holds(Strata(control, all(len(control))))
		apart += holds(Strata(single, all(len(single))))
	}
	if share := float64(covered) / sets; share < 0.88 || share > 0.99 {
		t.Errorf("the interval over clusters held the truth in %.3f of cases, want about 0.95", share)
	}
	if share := float64(apart) / sets; share > 0.8 {
		t.Errorf("without clusters the interval holds the truth in %.3f of cases: this test shows nothing", share)
	}
}

// Clusters within a group are drawn within it, one with images of several groups with others of that kind.
func TestStrata(t *testing.T) {
	t.Parallel()
	rows := []Row{{Group: "a", Cluster: "1"}, {Group: "b"}, {Group: "a", Cluster: "1"}, {Group: "a", Cluster: "2"}, {Group: "b", Cluster: "2"}, {Group: "b"}}
	want := []Stratum{{{0, 2}}, {{1}, {5}}, {{3, 4}}}
	if got := Strata(rows, all(6)); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestBootstrapIsSeededAndStratified(t *testing.T) {
	t.Parallel()
	samples := []Row{{Group: "a"}, {Group: "b"}, {Group: "a"}, {Group: "b"}, {Group: "b"}}
	strata := Strata(samples, all(4))
	if len(strata) != 2 || len(strata[0]) != 2 || len(strata[1]) != 2 {
		t.Fatalf("strata %v", strata)
	}
	// Where every image of a group is alike, resampling within groups changes nothing.
	control, candidate := make([]Row, 5), []Row{{}, {Predicted: 1}, {}, {Predicted: 1}, {Predicted: 1}}
	for i, s := range samples {
		control[i], candidate[i].Group = Row{Predicted: 1, Group: s.Group}, s.Group
	}
	correct := func(rows []Row) Statistic { return StatisticOf(Accuracy, rows) }
	if got := pairedBootstrap(correct(candidate), correct(control), strata, 1); got.Difference != 0.5 || got.Low != 0.5 || got.High != 0.5 {
		t.Errorf("stratified: %+v", got)
	}
	whole := Strata(make([]Row, 4), all(4))
	a, b := pairedBootstrap(correct(candidate), correct(control), whole, 1), pairedBootstrap(correct(candidate), correct(control), whole, 1)
	if a != b || a.Low >= 0.5 || a.High <= 0.5 {
		t.Errorf("unstratified: %+v and %+v", a, b)
	}
	if got := StatisticOf(WorstGroup, candidate)(all(5)); got != 0 {
		t.Errorf("worst group %v", got)
	}
}

func TestHeadlineSaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		m       Measure
		against string
		want    string
	}{
		{Measure{Difference: 0.031, Low: 0.008, High: 0.054, Images: 1120}, "the control", "Maps were worth +3.1 points of accuracy (95% 0.8 to 5.4, 1,120 images) over the control."},
		{Measure{Difference: -0.02, Low: -0.03, High: -0.01, Images: 500}, "the control", "Maps were worth −2.0 points of accuracy (95% −3.0 to −1.0, 500 images) against the control: they did harm."},
		{Measure{Difference: 0.004, Low: -0.009, High: 0.017, Images: 500}, "the control", "No clear difference in accuracy: +0.4 points (95% −0.9 to 1.7, 500 images) against the control."},
		{Measure{Difference: 0, Low: 0, High: 0, Images: 10}, "the control", "No clear difference in accuracy: 0.0 points (95% 0.0 to 0.0, 10 images) against the control."},
		{Measure{Difference: 0.1, Low: 0.05, High: 0.15, Images: 10}, "the parent", "The round was worth +10.0 points of accuracy (95% 5.0 to 15.0, 10 images) over the parent."},
	} {
		if got := Headline(c.m, c.against); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}
