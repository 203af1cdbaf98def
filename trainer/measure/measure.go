package measure

import (
	"fmt"

	"github.com/abn-studio/studio/trainer/sample"
)

// Measure is one figure of parent, control and candidate, with the paired-bootstrap interval of candidate − control. Without a
// control the difference is to the parent.
type Measure struct {
	Name       string  `json:"name"`
	Label      string  `json:"label"` // as people read it
	Unit       string  `json:"unit"`  // as in Kind
	Parent     float64 `json:"parent"`
	Control    float64 `json:"control"`
	Candidate  float64 `json:"candidate"`
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"` // 95% interval of Difference
	High       float64 `json:"high"`
	Images     int     `json:"images"` // how many it is taken over
	First      float64 `json:"-"`      // of the candidate's first seed, which is the network that a round makes; Candidate is the mean over the seeds
}

// Arms are the three networks' results on one set of samples.
type Arms struct {
	Samples            []sample.Sample
	Parent             []Result   // of each sample
	Control, Candidate [][]Result // of each seed and sample; a parent that stands for the control is there once for each seed
}

// compare compares the arms by one statistic over the images that keep accepts; nil if there are none.
func (a Arms) compare(name string, f figure, keep func(i int) bool, seed uint64) *Measure {
	var images []int
	for i := range a.Samples {
		if keep(i) {
			images = append(images, i)
		}
	}
	if len(images) == 0 {
		return nil
	}
	of := func(seeds [][]Result) (statistics []Statistic, mean float64) {
		for _, results := range seeds {
			statistics = append(statistics, f.of(results))
			mean += f(results, images) / float64(len(seeds))
		}
		return statistics, mean
	}
	candidates, candidate := of(a.Candidate)
	controls, control := of(a.Control)
	interval := SeedBootstrap(candidates, controls, strataOf(images, func(i int) string { return a.Samples[i].Group }), seed)
	kind := KindOf(name)
	return &Measure{
		Name: name, Label: kind.Label, Unit: kind.Unit, Images: len(images),
		Parent: f(a.Parent, images), Control: control, Candidate: candidate, First: f(a.Candidate[0], images),
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
	add(a.compare(Accuracy, mean(func(r Result) float64 { return one(r.Correct) }), every, seed))
	if classes > 5 {
		add(a.compare(Top5, mean(func(r Result) float64 { return one(r.Top5) }), every, seed))
	}
	if len(groups) > 1 {
		add(a.compare(WorstGroup, worstGroup(a.Samples),
			func(i int) bool { return a.Samples[i].Group != "" }, seed))
	}
	add(a.compare(Inside, mean(func(r Result) float64 { return r.Inside }),
		func(i int) bool { return !a.Samples[i].Mask.IsZero() }, seed))
	add(a.compare(AttentionBranch, mean(func(r Result) float64 { return one(r.AttCorrect) }), every, seed))
	add(a.compare(Confidence, mean(func(r Result) float64 { return r.Confidence }), every, seed))
	return out
}

// Distances compares how far the arms' maps are from people's, on images with an edit: the mean L2 distance ‖M′ − M‖₂ over the
// cells. nil if there are no images.
func Distances(a Arms, seed uint64) *Measure {
	m := a.compare(MapDistance, mean(func(r Result) float64 { return r.MapDistance }), func(int) bool { return true }, seed)
	if m != nil {
		m.Label += " (training images)"
	}
	return m
}

// Headline says in a sentence what the maps were worth, or that the difference is within chance. against is "the control" or "the
// parent".
func Headline(m Measure, against string) string {
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
