package forecast

import (
	"fmt"
	"math"

	"github.com/abn-studio/studio/internal/text"
)

// The bounds of a forecast.
const (
	// Enough is how many approved edits a project has before a forecast is made of them, and how many wrong images a verdict needs.
	Enough = 10
	// Bound is the difference to another image's map from which on training is likely to pay. Where it was 11 and 15 points, maps gained 2.5
	// to 5.4 points over the control; where it was −2, 0 and 7, they gained nothing that was clear (docs/training.md).
	Bound = 0.10
	// enoughToDoubt is how many wrong images a verdict against painting needs: of fewer, none of which gains, a difference of Bound cannot be
	// ruled out (3/n is the upper end of the 95% interval of 0 in n).
	enoughToDoubt = 30
	// few is the share of images below which hardly any becomes right, and near how close two shares are that are as good as each other.
	few, near = 0.10, 0.05
)

// Due reports whether a forecast is to be made of edits that are approved now: where there is none, or where so many of them were added,
// taken away or changed since it was made of had edits.
func Due(had, changed, now int) bool {
	if now < Enough {
		return false
	}
	return had == 0 || changed >= max(Enough/2, had/10)
}

// Verdict says whether painting is likely to pay.
type Verdict string

// The verdicts.
const (
	Likely   Verdict = "likely"
	Unclear  Verdict = "unclear"
	Unlikely Verdict = "unlikely"
)

// Verdicts are all of them.
var Verdicts = []Verdict{Likely, Unclear, Unlikely}

// Advice is what to do next.
type Advice string

// The advice. All but the first two is what would pay instead of maps.
const (
	StartRound Advice = "round"
	MoreMaps   Advice = "maps"
	Refit      Advice = "refit"
	Labels     Advice = "labels"
	Pictures   Advice = "pictures"
)

// AllAdvice is all there is.
var AllAdvice = []Advice{StartRound, MoreMaps, Refit, Labels, Pictures}

var advice = map[Advice]string{
	StartRound: "Start a round with these maps, and go on painting.",
	MoreMaps:   "Approve more maps of images that the network gets wrong: the interval narrows with their number.",
	Refit:      "Fit the last layer anew in a round (its setting “refit”): it takes seconds and needs labels alone. It adds to maps or takes their place, and sometimes gains nothing; the round says which.",
	Labels:     "Look at the labels that are probably wrong, and label more of the pool: where no map makes an image right, its label may be what is wrong.",
	Pictures:   "Add pictures of the classes that are confused most: what tells them apart may not be in the features yet.",
}

// Words say the advice in a sentence.
func (a Advice) Words() string { return advice[a] }

// broken says how many images that the network gets right the maps spoil; "" where none is.
func (t *MapsInPlace) broken() string {
	right := t.Right
	if lost := float64(right.Images) - right.Of(Edited).Right; right.Images > 0 && lost >= 1 {
		return fmt.Sprintf("Of %s that it gets right, %s become wrong with the edited map", images(right.Images), count(lost))
	}
	return ""
}

// judge fills in verdict, sentence and advice.
func (t *MapsInPlace) judge() {
	t.verdict()
	if broken := t.broken(); broken != "" {
		t.Sentence += " " + broken + "."
	}
}

// verdict fills in verdict, sentence and advice. Words that are said as they stand end before their full stop, by which the catalogue of
// the pages (package words) knows them.
func (t *MapsInPlace) verdict() {
	n, d := t.Wrong.Images, t.OverShuffled
	edited, shuffled, flat := t.Wrong.Of(Edited), t.Wrong.Of(Shuffled), t.Wrong.Of(Flat)
	about := fmt.Sprintf("of %s images that the network gets wrong %s become right with the edited map in place of its own, %s with another image's (a mean over draws): %s points (95%% %s to %s)",
		text.Count(n), count(edited.Right), count(shuffled.Right), text.SignedPoints(d.Value), text.Points(d.Low), text.Points(d.High))
	switch {
	case n < Enough:
		t.Verdict, t.Advice = Unclear, []Advice{MoreMaps}
		t.Sentence = fmt.Sprintf("Too little to go by: %s with an edited map, and the network gets %s of them wrong; %s are needed", images(t.Images), count(float64(n)), text.Count(Enough)) + "."
		return
	case t.Draws == 0:
		t.Verdict, t.Advice = Unclear, []Advice{MoreMaps}
		t.Sentence = "Too little to go by: no other image has a map to compare with" + "."
		return
	case d.Low > 0 && d.Value >= Bound:
		t.Verdict, t.Advice = Likely, []Advice{StartRound, Refit}
		t.Sentence = "Painting is likely to pay" + ": " + about + "."
		return
	case d.High < Bound && n >= enoughToDoubt:
		t.Verdict = Unlikely
		t.Sentence = "Painting is unlikely to pay" + ": " + about + "."
	default:
		t.Verdict, t.Advice = Unclear, []Advice{MoreMaps}
		t.Sentence = "It is unclear whether painting will pay" + ": " + about + "."
	}
	t.Advice = append(t.Advice, Refit)
	switch {
	case edited.Share < few && flat.Share < few:
		t.Advice = append(t.Advice, Labels, Pictures)
	case t.Verdict == Unlikely && edited.Share <= flat.Share+near:
		t.Advice = append(t.Advice, Pictures)
	case t.Verdict == Unlikely:
		t.Advice = append(t.Advice, Labels, Pictures)
	}
}

func images(n int) string {
	if n == 1 {
		return "1 image"
	}
	return fmt.Sprintf("%s images", text.Count(n))
}

// count writes a number of images, which of several draws need not be whole.
func count(v float64) string {
	if v = math.Round(10*v) / 10; v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}
