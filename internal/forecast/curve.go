package forecast

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/abn-studio/studio/internal/text"
)

// NextMaps is how many more maps a learning curve is drawn out by, and curveRounds how many rounds it needs.
const (
	NextMaps    = 60
	curveRounds = 2
)

// z is the normal quantile of a 95% interval; leastError bounds how sure a round's gain is taken to be, in fractions.
const (
	z          = 1.959964
	leastError = 0.001
)

// CurveRound is what one round gained.
type CurveRound struct {
	ID     int64   `json:"round"`
	Number int     `json:"number"`
	Edits  int     `json:"edits" minimum:"0"`
	Gain   float64 `json:"gain" doc:"Accuracy of the maps' network less that of the baseline."`
	Low    float64 `json:"low" doc:"95% interval."`
	High   float64 `json:"high"`
}

// MoreMapsGain is what more maps would add to what the most maps of a round gained.
type MoreMapsGain struct {
	Maps int     `json:"maps" minimum:"0"`
	Gain float64 `json:"gain"`
	Low  float64 `json:"low" doc:"95% interval."`
	High float64 `json:"high"`
	// Total is what all maps together are then worth, by the curve.
	Total float64 `json:"total" doc:"What all maps together are then worth, by the curve."`
}

// LearningCurve is what a project's rounds gained by how many maps they had.
type LearningCurve struct {
	Rounds   []CurveRound  `json:"rounds" doc:"Those with the fewest edits first."`
	Slope    float64       `json:"slope" doc:"b of gain = b·log(1 + edits); 0 with fewer than two numbers of edits."`
	Next     *MoreMapsGain `json:"next,omitempty" doc:"Absent with fewer than two numbers of edits."`
	Sentence string        `json:"sentence"`
}

// LearningCurveOf fits gain = b·log(1 + edits) to the rounds, each weighing as its interval is narrow: no maps gain nothing, and each further
// map gains less. The interval of what more maps would add is that of b; where the rounds lie further from the curve than their own intervals
// explain, it is widened by as much (the root of χ² over its degrees of freedom).
func LearningCurveOf(rounds []CurveRound) LearningCurve {
	c := LearningCurve{Rounds: slices.SortedFunc(slices.Values(rounds), func(a, b CurveRound) int {
		return cmp.Or(cmp.Compare(a.Edits, b.Edits), cmp.Compare(a.Number, b.Number))
	})}
	if c.Rounds == nil {
		c.Rounds = []CurveRound{}
	}
	numbers := map[int]bool{}
	for _, r := range rounds {
		numbers[r.Edits] = true
	}
	switch n := len(rounds); {
	case n == 0:
		c.Sentence = fmt.Sprintf("No round has finished yet; a curve needs %d, with different numbers of maps.", curveRounds)
		return c
	case n < curveRounds:
		c.Sentence = fmt.Sprintf("1 round has finished; a curve needs %d, with different numbers of maps.", curveRounds)
		return c
	case len(numbers) < curveRounds:
		c.Sentence = fmt.Sprintf("%s rounds have finished, all with %s maps: what more maps add can be told once rounds had different numbers of them.", text.Count(n), text.Count(c.Rounds[0].Edits))
		return c
	}
	var xy, xx float64
	for _, r := range rounds {
		x, w := r.x(), r.weight()
		xy, xx = xy+w*x*r.Gain, xx+w*x*x
	}
	c.Slope = xy / xx
	variance, chi := 1/xx, 0.
	for _, r := range rounds {
		d := r.Gain - c.Slope*r.x()
		chi += r.weight() * d * d
	}
	variance *= max(1, chi/float64(len(rounds)-1))
	last := c.Rounds[len(rounds)-1]
	more := math.Log1p(float64(last.Edits+NextMaps)) - last.x()
	half := z * math.Sqrt(variance) * more
	c.Next = &MoreMapsGain{Maps: NextMaps, Gain: c.Slope * more, Low: c.Slope*more - half, High: c.Slope*more + half, Total: c.Slope * (last.x() + more)}
	c.Sentence = fmt.Sprintf("%s more maps: %s points (95%% %s to %s), %s in all.", text.Count(NextMaps), text.SignedPoints(c.Next.Gain), text.Points(c.Next.Low), text.Points(c.Next.High), text.SignedPoints(c.Next.Total))
	return c
}

func (r CurveRound) x() float64 { return math.Log1p(float64(r.Edits)) }

func (r CurveRound) weight() float64 {
	e := max(leastError, (r.High-r.Low)/(2*z))
	return 1 / (e * e)
}
