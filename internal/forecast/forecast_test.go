package forecast_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/abn-studio/studio/internal/forecast"
)

// mean takes no samples: the difference of the means, and half of it on either side.
func mean(a, b []float64) forecast.GainInterval {
	var d float64
	for i := range a {
		d += (a[i] - b[i]) / float64(len(a))
	}
	return forecast.GainInterval{Value: d, Low: d / 2, High: 1.5 * d}
}

// row is an image of class label: what is answered under the network's own, the edited, a flat and other images' maps.
func row(label, own, edited, flat int, shuffled ...int) forecast.RowInPlace {
	answer := func(class int) forecast.AnswerInPlace {
		return forecast.AnswerInPlace{Predicted: class, Top5: class < 2}
	}
	r := forecast.RowInPlace{Label: label, Own: answer(own), Edited: answer(edited), Flat: answer(flat)}
	for _, class := range shuffled {
		r.Shuffled = append(r.Shuffled, answer(class))
	}
	return r
}

// Five images, worked by hand: three that the network gets wrong, of which the edited map mends two, a flat map one, and other images' maps
// one in the first draw and two in the second; two that it gets right, of which the edited map breaks one.
func TestTableByHand(t *testing.T) {
	t.Parallel()
	rows := []forecast.RowInPlace{
		row(0, 1, 0, 1, 0, 0),
		row(0, 1, 0, 0, 1, 0),
		row(1, 2, 2, 2, 2, 2),
		row(1, 1, 1, 1, 1, 1),
		row(2, 2, 0, 2, 2, 0),
	}
	got := forecast.TableOf(rows, mean)
	under := func(right, n, top5 float64, m forecast.Map) forecast.UnderMap {
		share := right / n
		return forecast.UnderMap{Map: m, Right: right, Share: share, Low: share / 2, High: 1.5 * share, TopOneErr: 1 - share, TopFiveErr: 1 - top5/n}
	}
	near := cmpopts.EquateApprox(0, 1e-12)
	for name, c := range map[string]struct{ got, want forecast.UnderMaps }{
		"wrong": {got.Wrong, forecast.UnderMaps{Images: 3, Maps: []forecast.UnderMap{
			under(0, 3, 2, forecast.Own), under(2, 3, 2, forecast.Edited), under(1.5, 3, 2, forecast.Shuffled), under(1, 3, 2, forecast.Flat),
		}}},
		"right": {got.Right, forecast.UnderMaps{Images: 2, Maps: []forecast.UnderMap{
			under(2, 2, 1, forecast.Own), under(1, 2, 2, forecast.Edited), under(1.5, 2, 1.5, forecast.Shuffled), under(2, 2, 1, forecast.Flat),
		}}},
		"all": {got.All, forecast.UnderMaps{Images: 5, Maps: []forecast.UnderMap{
			under(2, 5, 3, forecast.Own), under(3, 5, 4, forecast.Edited), under(3, 5, 3.5, forecast.Shuffled), under(3, 5, 3, forecast.Flat),
		}}},
	} {
		if diff := cmp.Diff(c.want, c.got, near); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(forecast.GainInterval{Value: 0.5 / 3, Low: 0.25 / 3, High: 0.25}, got.OverShuffled, near); diff != "" {
		t.Errorf("over shuffled maps:\n%s", diff)
	}
	if diff := cmp.Diff(forecast.GainInterval{Value: 1. / 3, Low: 1. / 6, High: 0.5}, got.OverFlat, near); diff != "" {
		t.Errorf("over a flat map:\n%s", diff)
	}
	if diff := cmp.Diff([]forecast.ConfusedPair{{Label: 0, Predicted: 1, Edits: 2, Edited: 2, Shuffled: 1.5, PerEdit: 0.25}}, got.Pairs, near); diff != "" {
		t.Errorf("pairs: one with a single edit is not listed:\n%s", diff)
	}
	if got.Images != 5 || got.Draws != 2 || got.Verdict != forecast.Unclear || !strings.HasPrefix(got.Sentence, "Too little to go by: 5 images with an edited map, and the network gets 3 of them wrong") {
		t.Errorf("%d images, %d draws, %s: %s", got.Images, got.Draws, got.Verdict, got.Sentence)
	}
}

// Three edits that all gain stand before two that do.
func TestPairsOfFewEditsDoNotLead(t *testing.T) {
	t.Parallel()
	var rows []forecast.RowInPlace
	for i := range 5 {
		label := 1 + i/3 // three of 1, two of 2
		rows = append(rows, row(label, 0, label, 0, 0))
	}
	got := forecast.TableOf(rows, mean).Pairs
	if len(got) != 2 || got[0].Label != 1 || got[0].PerEdit != 1 || got[1].PerEdit != 1 {
		t.Errorf("%+v", got)
	}
}

// The verdict follows the difference and its interval, and how many images it rests on.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		n         int
		d         forecast.GainInterval
		edited    int // of the n with the edited map right
		flat      int
		want      forecast.Verdict
		beginning string
		advice    []forecast.Advice
	}{
		"large and sure":            {40, forecast.GainInterval{Value: 0.2, Low: 0.05, High: 0.35}, 12, 4, forecast.Likely, "Painting is likely to pay: of 40 images that the network gets wrong 12 become right with the edited map in place of its own, 0 with another image's (a mean over draws): +20.0 points (95% 5.0 to 35.0).", []forecast.Advice{forecast.StartRound, forecast.Refit}},
		"large and unsure":          {12, forecast.GainInterval{Value: 0.2, Low: -0.01, High: 0.4}, 4, 1, forecast.Unclear, "It is unclear whether", []forecast.Advice{forecast.MoreMaps, forecast.Refit}},
		"sure and small":            {400, forecast.GainInterval{Value: 0.07, Low: 0.04, High: 0.12}, 60, 60, forecast.Unclear, "It is unclear", []forecast.Advice{forecast.MoreMaps, forecast.Refit}},
		"surely small":              {400, forecast.GainInterval{Value: 0.02, Low: -0.01, High: 0.05}, 60, 60, forecast.Unlikely, "Painting is unlikely to pay: ", []forecast.Advice{forecast.Refit, forecast.Pictures}},
		"surely small, not flat":    {400, forecast.GainInterval{Value: 0.02, Low: -0.01, High: 0.05}, 90, 60, forecast.Unlikely, "", []forecast.Advice{forecast.Refit, forecast.Labels, forecast.Pictures}},
		"nothing helps":             {30, forecast.GainInterval{}, 0, 0, forecast.Unlikely, "", []forecast.Advice{forecast.Refit, forecast.Labels, forecast.Pictures}},
		"nothing helps, few images": {29, forecast.GainInterval{}, 0, 0, forecast.Unclear, "", []forecast.Advice{forecast.MoreMaps, forecast.Refit, forecast.Labels, forecast.Pictures}},
		"below 0":                   {50, forecast.GainInterval{Value: -0.02, Low: -0.08, High: 0.04}, 8, 6, forecast.Unlikely, "Painting is unlikely to pay: of 50 images that the network gets wrong 8 become right with the edited map in place of its own, 0 with another image's (a mean over draws): −2.0 points (95% −8.0 to 4.0).", []forecast.Advice{forecast.Refit, forecast.Pictures}},
		"too few":                   {9, forecast.GainInterval{Value: 1, Low: 1, High: 1}, 9, 0, forecast.Unclear, "Too little to go by", []forecast.Advice{forecast.MoreMaps}},
	} {
		var rows []forecast.RowInPlace
		for i := range c.n {
			edited, flat := 1, 1
			if i < c.edited {
				edited = 0
			}
			if i < c.flat {
				flat = 0
			}
			rows = append(rows, row(0, 1, edited, flat, 1))
		}
		got := forecast.TableOf(rows, func(_, _ []float64) forecast.GainInterval { return c.d })
		if got.Verdict != c.want || !strings.HasPrefix(got.Sentence, c.beginning) || !cmp.Equal(got.Advice, c.advice) {
			t.Errorf("%s: %s, %v: %s", name, got.Verdict, got.Advice, got.Sentence)
		}
		for _, a := range got.Advice {
			if a.Words() == "" {
				t.Errorf("%s has no words", a)
			}
		}
	}
	alone := make([]forecast.RowInPlace, 20)
	for i := range alone {
		alone[i] = row(0, 1, 0, 0)
	}
	if got := forecast.TableOf(alone, mean); got.Verdict != forecast.Unclear || !strings.Contains(got.Sentence, "no other image has a map") {
		t.Errorf("without draws: %s: %s", got.Verdict, got.Sentence)
	}
}

// A forecast is due with ten edits, and again when enough of them are others.
func TestDue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		had, changed, now int
		want              bool
	}{{0, 9, 9, false}, {0, 10, 10, true}, {10, 4, 14, false}, {10, 5, 15, true}, {200, 19, 219, false}, {200, 20, 220, true}, {12, 12, 0, false}} {
		if got := forecast.Due(c.had, c.changed, c.now); got != c.want {
			t.Errorf("had %d, %d changed, %d now: %v", c.had, c.changed, c.now, got)
		}
	}
}

// Two rounds on one curve: the slope is theirs, the interval follows from their own by the sum of weights, and what comes next is the
// difference of two logarithms.
func TestCurveByHand(t *testing.T) {
	t.Parallel()
	const b, e = 0.01, 0.02 // gain for each unit of log(1+n), standard error
	at := func(n int) float64 { return math.Log(1 + float64(n)) }
	round := func(n int, off float64) forecast.CurveRound {
		g := b*at(n) + off
		return forecast.CurveRound{Number: n, Edits: n, Gain: g, Low: g - 1.959964*e, High: g + 1.959964*e}
	}
	got := forecast.LearningCurveOf([]forecast.CurveRound{round(60, 0), round(20, 0)})
	more := at(120) - at(60)
	half := 1.959964 * e / math.Sqrt(at(20)*at(20)+at(60)*at(60)) * more
	want := &forecast.MoreMapsGain{Maps: 60, Gain: b * more, Low: b*more - half, High: b*more + half, Total: b * at(120)}
	near := cmpopts.EquateApprox(0, 1e-9)
	if !cmp.Equal(got.Next, want, near) || math.Abs(got.Slope-b) > 1e-12 || got.Rounds[0].Edits != 20 {
		t.Errorf("%+v, next %+v, want %+v", got, got.Next, want)
	}
	if got.Sentence != "60 more maps: +0.7 points (95% 0.2 to 1.2), +4.8 in all." {
		t.Error(got.Sentence)
	}
	// Rounds that differ by more than their intervals say widen what comes next.
	wide := forecast.LearningCurveOf([]forecast.CurveRound{round(60, 0.2*at(20)), round(20, -0.2*at(60))}) // these leave the slope as it is
	root := math.Sqrt(0.2 * 0.2 * (at(20)*at(20) + at(60)*at(60)) / (e * e))                               // χ² of one degree of freedom
	if got := wide.Next.High - wide.Next.Gain; math.Abs(got-half*root) > 1e-9 || math.Abs(wide.Slope-b) > 1e-12 {
		t.Errorf("half %v, want %v", got, half*root)
	}
	// Rounds with the same number of maps say nothing of other numbers.
	if c := forecast.LearningCurveOf([]forecast.CurveRound{round(60, 0.2), round(60, -0.2)}); c.Next != nil || !strings.HasPrefix(c.Sentence, "2 rounds have finished, all with 60 maps") {
		t.Errorf("%+v", c)
	}
	for n, words := range map[int]string{0: "No round has finished yet; a curve needs 2, with different numbers of maps.", 1: "1 round has finished; a curve needs 2, with different numbers of maps."} {
		c := forecast.LearningCurveOf([]forecast.CurveRound{round(20, 0)}[:n])
		if c.Next != nil || c.Sentence != words || len(c.Rounds) != n || c.Rounds == nil {
			t.Errorf("%d rounds: %+v", n, c)
		}
	}
	// Rounds whose interval is a point do not weigh without bound.
	if c := forecast.LearningCurveOf([]forecast.CurveRound{{Edits: 10}, {Edits: 20}}); math.IsNaN(c.Next.Low) || c.Next.Gain != 0 {
		t.Errorf("%+v", c.Next)
	}
}
