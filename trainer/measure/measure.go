package measure

import (
	"fmt"
	"math"

	"github.com/abn-studio/studio/trainer/sample"
)

// Measure is one figure of parent, control and candidate, with the paired-bootstrap interval of candidate − control. Without a
// control the difference is to the parent.
type Measure struct {
	Name       string  `json:"name"`
	Label      string  `json:"label"` // as people read it
	Unit       string  `json:"unit"`  // "fraction", or "" for a distance
	Parent     float64 `json:"parent"`
	Control    float64 `json:"control"`
	Candidate  float64 `json:"candidate"`
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"` // 95% interval of Difference
	High       float64 `json:"high"`
	Images     int     `json:"images"` // how many it is taken over
}

// The measures, in the order they are reported.
const (
	Accuracy        = "accuracy"
	Top5            = "top5"
	AttentionBranch = "attention_branch"
	WorstGroup      = "worst_group"
	Inside          = "attention_inside"
	Confidence      = "mean_confidence"
	MapDistance     = "map_distance"
	MapDrift        = "map_drift"
)

// Arms are the three networks' results on one set of samples.
type Arms struct {
	Samples                    []sample.Sample
	Parent, Control, Candidate []Result // of each sample
}

// compare compares the arms by one statistic over the images that keep accepts; nil if there are none.
func (a Arms) compare(name, label, unit string, f figure, keep func(i int) bool, seed uint64) *Measure {
	strata := strataOf(a.Samples, keep)
	var all []int
	for _, s := range strata {
		all = append(all, s...)
	}
	if len(all) == 0 {
		return nil
	}
	interval := pairedBootstrap(a.Candidate, a.Control, strata, f, seed)
	return &Measure{
		Name: name, Label: label, Unit: unit, Images: len(all),
		Parent: f(a.Parent, all), Control: f(a.Control, all), Candidate: f(a.Candidate, all),
		Difference: interval.Difference, Low: interval.Low, High: interval.High,
	}
}

// Heldout compares the arms on images that no edit touched, by all measures that the samples allow: Top5 needs more than five of
// the classes, WorstGroup two groups, Inside masks. The units are fractions. seed is that of the bootstrap.
func Heldout(a Arms, classes int, seed uint64) []Measure {
	every := func(int) bool { return true }
	var out []Measure
	add := func(m *Measure) {
		if m != nil {
			out = append(out, *m)
		}
	}
	groups := map[string]bool{}
	for _, s := range a.Samples {
		if s.Group != "" {
			groups[s.Group] = true
		}
	}
	add(a.compare(Accuracy, "Accuracy", "fraction", mean(func(r Result) float64 { return one(r.Correct) }), every, seed))
	if classes > 5 {
		add(a.compare(Top5, "Label among the first five", "fraction", mean(func(r Result) float64 { return one(r.Top5) }), every, seed))
	}
	if len(groups) > 1 {
		add(a.compare(WorstGroup, "Accuracy on the worst group", "fraction", worstGroup(a.Samples),
			func(i int) bool { return a.Samples[i].Group != "" }, seed))
	}
	add(a.compare(Inside, "Attention inside the object", "fraction", mean(func(r Result) float64 { return r.Inside }),
		func(i int) bool { return !a.Samples[i].Mask.IsZero() }, seed))
	add(a.compare(AttentionBranch, "Accuracy of the attention branch", "fraction", mean(func(r Result) float64 { return one(r.AttCorrect) }), every, seed))
	add(a.compare(Confidence, "Mean confidence", "fraction", mean(func(r Result) float64 { return r.Confidence }), every, seed))
	return out
}

// Distances compares how far the arms' maps are from people's, on images with an edit: the mean L2 distance ‖M′ − M‖₂ over the
// cells. nil if there are no images.
func Distances(a Arms, seed uint64) *Measure {
	return a.compare(MapDistance, "Distance to people's maps (training images)", "", mean(func(r Result) float64 { return r.MapDistance }),
		func(int) bool { return true }, seed)
}

// Headline says in a sentence what the maps were worth, or that the difference is within chance. against is "the control" or "the
// parent".
func Headline(m Measure, against string) string {
	points := func(v float64) string {
		v = math.Round(1000*v) / 10
		if v < 0 {
			return fmt.Sprintf("−%.1f", -v)
		}
		return fmt.Sprintf("%.1f", math.Abs(v))
	}
	interval := fmt.Sprintf("95%% %s to %s, %d images", points(m.Low), points(m.High), m.Images)
	what := "Maps were worth"
	if against != "the control" {
		what = "The round was worth"
	}
	switch {
	case m.Low > 0:
		return fmt.Sprintf("%s +%s points of accuracy (%s) over %s.", what, points(m.Difference), interval, against)
	case m.High < 0:
		return fmt.Sprintf("%s %s points of accuracy (%s) against %s: they did harm.", what, points(m.Difference), interval, against)
	}
	sign := ""
	if m.Difference >= 0.0005 {
		sign = "+"
	}
	return fmt.Sprintf("No clear difference in accuracy: %s%s points (%s) against %s.", sign, points(m.Difference), interval, against)
}
