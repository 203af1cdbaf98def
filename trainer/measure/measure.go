package measure

import (
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/text"
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

// RoundMeasures compares a round's network that stands for maps with the one that stands for none, over all seeds, by all measures that
// their rows have: on the held-out images, and by MapDistance on the edited ones. base may be the parent. seed is that of the bootstrap.
func RoundMeasures(rows []ArmRow, maps, base arms.Arm, classes int, seed uint64) ([]Measure, error) {
	sets, err := bySet(rows)
	if err != nil {
		return nil, err
	}
	var out []Measure
	for _, k := range kinds {
		of := sets[OfTest]
		if k.Name == MapDistance {
			of = sets[OfEdited]
		}
		if notCompared[k.Name] || of[arms.Parent] == nil || of[maps] == nil || of[base] == nil {
			continue
		}
		parent := of[arms.Parent].rows[0]
		indices := indicesOf(k.Name, classes, slices.Concat([][]Row{parent}, of[base].rows, of[maps].rows)...)
		if len(indices) == 0 {
			continue
		}
		n := max(len(of[maps].rows), len(of[base].rows))
		candidates, controls := of[maps].statistics(k.Name, n), of[base].statistics(k.Name, n)
		d := SeedBootstrap(candidates, controls, Strata(parent, indices), seed)
		m := Measure{
			Name: k.Name, Label: k.Label, Unit: k.Unit, Images: len(indices), Parent: StatisticOf(k.Name, parent)(indices),
			Control: meanOver(controls, indices), Candidate: meanOver(candidates, indices), First: candidates[0](indices),
			Difference: d.Difference, Low: d.Low, High: d.High,
		}
		if k.Name == MapDistance {
			m.Label += " (training images)"
		}
		out = append(out, m)
	}
	return out, nil
}

func meanOver(seeds []Statistic, indices []int) (mean float64) {
	for _, of := range seeds {
		mean += of(indices) / float64(len(seeds))
	}
	return mean
}

// Headline says in a sentence what the maps were worth, or that the difference is within chance. against is "the control" or "the
// parent".
func Headline(m Measure, against string) string {
	interval := fmt.Sprintf("95%% %s to %s, %s", text.Points(m.Low), text.Points(m.High), text.Plural(m.Images, "image"))
	what := "Maps were worth"
	if against != "the control" {
		what = "The round was worth"
	}
	switch {
	case m.Low > 0:
		return fmt.Sprintf("%s +%s points of accuracy (%s) over %s.", what, text.Points(m.Difference), interval, against)
	case m.High < 0:
		return fmt.Sprintf("%s %s points of accuracy (%s) against %s: they did harm.", what, text.Points(m.Difference), interval, against)
	}
	points := text.Points(m.Difference)
	if m.Difference >= 0.0005 {
		points = "+" + points
	}
	return fmt.Sprintf("No clear difference in accuracy: %s points (%s) against %s.", points, interval, against)
}
