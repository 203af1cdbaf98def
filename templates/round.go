package templates

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/words"
)

// Rounds is the view model of the list of rounds.
type Rounds struct {
	Rounds   []annotator.Round
	Versions map[int64]int       // version id → its number
	Data     annotator.RoundData // of a round that is started now
}

// Round is the view model of an experiment's page.
type Round struct {
	Round    annotator.Round
	Versions map[int64]int
	Fixed    []RoundImage
	Broken   []RoundImage
	Moved    []RoundImage
}

// RoundImage is an image whose answer or map a round changed: with the answers of two networks, or with the map of one.
type RoundImage struct {
	Image      annotator.Image
	Answers    []NamedAnswer
	Prediction *annotator.Prediction
}

// NamedAnswer is the answer of a network.
type NamedAnswer struct {
	Of string // such as "control"
	annotator.ShownAnswer
}

// caption is what stands under the answer's picture: with the network's name if that is short, since the class has to be read.
func (a NamedAnswer) caption(f Frame) string {
	if len(a.Of) > len("candidate") {
		return f.ClassName(a.Class)
	}
	return a.Of + ": " + f.ClassName(a.Class)
}

// trainedArms are the arms whose losses a round's page draws.
func trainedArms(r annotator.Round) []arms.Arm {
	list := []arms.Arm{arms.Candidate, arms.Control}
	for _, k := range arms.Kinds() {
		if k.Trains && k.Asked && r.Settings.Arms.Has(k.Arm) {
			list = append(list, k.Arm)
		}
	}
	return list
}

// role is the class that colours a network: what it is in the comparison.
func role(result annotator.RoundResult, arm arms.Arm) string {
	switch maps, against := result.Compared(); arm {
	case maps:
		return "candidate"
	case against:
		return "control"
	}
	return "parent"
}

// took is how long an arm's training and measuring took, over all seeds; "–" where that is not known.
func took(ctx context.Context, result annotator.RoundResult, arm arms.Arm) string {
	var seconds float64
	for _, a := range result.Arms {
		if a.Arm == arm {
			seconds += a.Seconds
		}
	}
	if seconds == 0 {
		return "–"
	}
	return words.T(ctx, "{n} min", "n", fmt.Sprintf("%.1f", seconds/60))
}

// plotX and plotY are places in the reliability diagram, of a share.
func plotX(v float64) string { return fmt.Sprintf("%.1f", 40+290*v) }
func plotY(v float64) string { return fmt.Sprintf("%.1f", 270-260*v) }

func tenths(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func reliabilityLine(d annotator.Reliability) string {
	var points []string
	for _, b := range d.Bins {
		points = append(points, plotX(b.Confidence)+","+plotY(b.Accuracy))
	}
	return strings.Join(points, " ")
}

// dotSize is the radius of a bin's dot: its area grows with the share of the answers.
func dotSize(b annotator.ReliabilityBin, d annotator.Reliability) string {
	all := 0
	for _, other := range d.Bins {
		all += other.Images
	}
	return fmt.Sprintf("%.1f", max(1.5, 12*math.Sqrt(float64(b.Images)/float64(max(1, all)))))
}

// reliabilityText says the diagram's figure.
func reliabilityText(ctx context.Context, result annotator.RoundResult) string {
	for _, m := range result.Measures {
		if m.Name == "ece" {
			maps, against := result.Compared()
			return words.T(ctx, "Expected calibration error: {a} {errora}, {b} {errorb}, parent {parent}.", "a", words.Say(ctx, arms.Of(maps).Brief), "errora", Percent(m.Candidate),
				"b", words.Say(ctx, arms.Of(against).Brief), "errorb", Percent(m.Control), "parent", Percent(m.Parent))
		}
	}
	return words.T(ctx, "How often answers of a confidence are right.")
}

// comparedText names the two networks of which a round's page shows differences.
func comparedText(ctx context.Context, result annotator.RoundResult) string {
	maps, against := result.Compared()
	if maps == arms.Candidate && against == arms.Control {
		return ""
	}
	return words.T(ctx, "Here and below {a} is compared with {b}.", "a", words.Say(ctx, arms.Of(maps).Words), "b", words.Say(ctx, arms.Of(against).Words))
}

// classesOnPage is how many classes that lost, and how many that gained, a page lists.
const classesOnPage = 8

// shownClasses are the classes that a page lists: those that changed most either way.
func shownClasses(all []annotator.ClassDifference) (list []annotator.ClassDifference) {
	lost, gained := 0, 0
	for lost < min(len(all), classesOnPage) && all[lost].Difference < 0 {
		lost++
	}
	for gained < min(len(all)-lost, classesOnPage) && all[len(all)-1-gained].Difference > 0 {
		gained++
	}
	return slices.Concat(all[:lost], all[len(all)-gained:])
}

// restText says how many of the classes that differ a page does not list; "" for none.
func restText(ctx context.Context, told []annotator.ClassDifference, compared int) string {
	changed := compared - len(told) // those that a result does not name changed less than the ones it does
	for _, c := range told {
		if c.Difference != 0 {
			changed++
		}
	}
	if more := changed - len(shownClasses(told)); more > 0 {
		return words.N(ctx, more, "{n} other class changed less.", "{n} other classes changed less.")
	}
	return ""
}

// classesText says how many classes lost and gained.
func classesText(ctx context.Context, told []annotator.ClassDifference, compared int) string {
	lost, gained := 0, 0
	for _, c := range told {
		switch classJudgement(c) {
		case "bad":
			lost++
		case "good":
			gained++
		}
	}
	text := words.T(ctx, "No class clearly lost or gained, of {compared} that were compared: by the interval and by the sign test of the class's images.", "compared", compared)
	if lost+gained > 0 {
		text = words.N(ctx, lost, "{n} class clearly lost and {gained} clearly gained, of {compared} that were compared: by the interval and by the sign test of the class's images.",
			"{n} classes clearly lost and {gained} clearly gained, of {compared} that were compared: by the interval and by the sign test of the class's images.", "gained", gained, "compared", compared)
	}
	return strings.TrimSpace(text + " " + restText(ctx, told, compared))
}

// classJudgement colours a class that clearly lost or gained.
func classJudgement(c annotator.ClassDifference) string {
	switch {
	case !c.Clear:
		return ""
	case c.Difference > 0:
		return "good"
	}
	return "bad"
}

// dumbbellX is the place of an accuracy in a class's picture.
func dumbbellX(v float64) string { return fmt.Sprintf("%.1f", 4+112*v) }

// judgedText says how many rounds the held-out images have judged, "" where they have judged none.
func judgedText(ctx context.Context, d annotator.RoundData) string {
	if d.Judged == 0 {
		return ""
	}
	return words.N(ctx, d.Judged, "The {images} {split} images have judged {n} round.", "The {images} {split} images have judged {n} rounds.", "images", d.Heldout, "split", words.Say(ctx, string(d.Split)))
}

// number writes a setting's value as a form shows it.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// told are the settings that a round's page describes in sentences of its own, sometimes several in one.
var told = strings.Fields(`engine strategy gamma gamma_search map_loss anchor epochs patience batch_size balanced flip crop optimizer momentum learning_rate schedule rates warm_up
	weight_decay spare_norms clip_norm batch_norm seed`)

// untold returns the settings of a round that are not in told.
func untold() []recipe.Field {
	return slices.DeleteFunc(slices.Clone(recipe.Fields), func(f recipe.Field) bool { return f.Group == "" || slices.Contains(told, f.Name) })
}

// vName is a version by its number: v3.
func vName(numbers map[int64]int, version int64) string {
	if n := numbers[version]; n > 0 {
		return "v" + strconv.Itoa(n)
	}
	return "–"
}

// againText is the text of the link to a form that is filled in with a round's settings.
func againText(ctx context.Context, r annotator.Round) string {
	if r.State == annotator.RoundFailed {
		return words.T(ctx, "Start it again…")
	}
	return words.T(ctx, "New round like this…")
}

// headlineClass returns the class that colours the headline: whether the interval shows a gain, a loss, or neither.
func headlineClass(r *annotator.RoundResult) string {
	if c := r.Comparison; c != nil {
		for _, f := range c.Arms {
			if f.Arm == c.Baseline && f.Difference != nil {
				return judgement(armMeasure(f))
			}
		}
	}
	for _, m := range r.Measures {
		if m.Name == "accuracy" {
			switch {
			case m.Low > 0:
				return "good"
			case m.High < 0:
				return "bad"
			}
		}
	}
	return ""
}

// phaseWords are the stages of a round, as its line of steps calls them.
var phaseWords = map[progress.Stage]string{
	progress.Features: words.Key("Features"), progress.EvaluatingParent: words.Key("Measure parent"), progress.GammaSearch: words.Key("Search γ"), progress.Candidate: words.Key("Train candidate"),
	progress.EvaluatingCandidate: words.Key("Measure candidate"), progress.Control: words.Key("Train control"), progress.EvaluatingControl: words.Key("Measure control"),
}

// phase is an entry of a round's line of steps: a stage or, of a round of several arms or seeds, all stages of an arm.
type phase struct {
	stages []progress.Stage
	word   string
}

// names are the stages' names, apart by spaces, for the page's script.
func (p phase) names() string {
	var names []string
	for _, s := range p.stages {
		names = append(names, string(s))
	}
	return strings.Join(names, " ")
}

// phases are the entries of a round's line of steps.
func phases(ctx context.Context, r annotator.Round) (list []phase) {
	all := stages(r)
	for _, s := range all {
		arm, _, _ := s.Arm()
		switch n := len(list); {
		case arm == "", len(all) <= 6: // candidate and control alone
			list = append(list, phase{[]progress.Stage{s}, phaseWord(ctx, s)})
		case n > 0 && list[n-1].word == words.Say(ctx, arms.Of(arms.Arm(arm)).Label):
			list[n-1].stages = append(list[n-1].stages, s)
		default:
			list = append(list, phase{[]progress.Stage{s}, words.Say(ctx, arms.Of(arms.Arm(arm)).Label)})
		}
	}
	return list
}

// stages lists a round's stages in order: those that its worker reported, or, before it did, those that every round has.
func stages(r annotator.Round) []progress.Stage {
	if len(r.Progress.Phases) == 0 {
		return []progress.Stage{progress.Features, progress.EvaluatingParent, progress.Candidate, progress.EvaluatingCandidate, progress.Control, progress.EvaluatingControl}
	}
	out := make([]progress.Stage, len(r.Progress.Phases))
	for i, p := range r.Progress.Phases {
		out[i] = progress.Stage(p)
	}
	return out
}

func phaseWord(ctx context.Context, s progress.Stage) string {
	if w, ok := phaseWords[s]; ok {
		return words.Say(ctx, w)
	}
	return words.Say(ctx, s.Words())
}

// phaseState returns "done", "now" or "" for an entry of a running round's line of steps.
func phaseState(r annotator.Round, p phase) string {
	all := stages(r)
	at := slices.Index(all, progress.Stage(r.Progress.Phase))
	switch {
	case slices.Index(all, p.stages[len(p.stages)-1]) < at:
		return "done"
	case slices.Index(all, p.stages[0]) <= at:
		return "now"
	}
	return ""
}

// armReach is the reach of an interval's picture: that of the widest of all arms on the same images, so that they share a scale.
func armReach(c annotator.Comparison, of annotator.ArmFigure) float64 {
	w := 1e-9
	for _, f := range c.Arms {
		if f.High != nil && f.Edited == of.Edited {
			w = max(w, *f.High, -*f.Low)
		}
	}
	return w
}

// armMeasure is an arm's difference as a measure has it, for its interval's picture.
func armMeasure(f annotator.ArmFigure) annotator.Measure {
	return annotator.Measure{Name: "accuracy", Unit: "fraction", Better: "higher", Difference: *f.Difference, Low: *f.Low, High: *f.High}
}

// chosenText says how maps and baseline of a comparison were chosen.
func chosenText(ctx context.Context, c annotator.Comparison) string {
	text := words.T(ctx, "The control is the baseline: no other was to be chosen, or there are no validation images to choose on.")
	if c.ValidationImages > 0 {
		text = words.N(ctx, c.ValidationImages, "The baseline, {arm}, is the network without people's maps that is best on {n} validation image; differences are taken on other images.",
			"The baseline, {arm}, is the network without people's maps that is best on {n} validation images; differences are taken on other images.", "arm", words.Say(ctx, arms.Of(c.Baseline).Words))
	}
	if c.Seeds > 1 {
		text += " " + words.T(ctx, "Every training was done with {n} seeds: figures are means, intervals cover seeds too.", "n", c.Seeds)
	}
	return text
}

// share writes a fraction that may not be known.
func share(v *float64) string {
	if v == nil {
		return "–"
	}
	return Percent(*v)
}

// seedsText has the accuracy with each seed.
func seedsText(ctx context.Context, f annotator.ArmFigure) string {
	var all []string
	for _, s := range f.Seeds {
		all = append(all, words.T(ctx, "seed {seed}: {accuracy}", "seed", fmt.Sprint(s.Seed), "accuracy", Percent(s.Accuracy)))
	}
	return strings.Join(all, ", ")
}

// judgement returns "good" or "bad" for a difference whose interval does not contain zero, else "". A larger map distance is bad.
// Changes of the confidence and of how far maps moved are neither good nor bad by themselves.
func judgement(m annotator.Measure) string {
	gain := m.Difference
	switch {
	case m.Better == "lower" || m.Better == "" && (m.Name == "map_distance" || m.Name == "ece"): // old rounds do not say
		gain = -gain
	case m.Better == "" && (m.Name == "mean_confidence" || m.Name == "map_drift"):
		return ""
	}
	switch {
	case m.Low <= 0 && m.High >= 0:
		return ""
	case gain > 0:
		return "good"
	default:
		return "bad"
	}
}

// trainedGamma is the γ that a round trained with, "" while it is not known.
func trainedGamma(r annotator.Round) string {
	if gamma, known := r.TrainedGamma(); known {
		return number(gamma)
	}
	return ""
}

// searchedText says how the round found its γ, "" for a round without a search.
func searchedText(ctx context.Context, r annotator.Round) string {
	if r.Result == nil || r.Result.GammaSearch == nil {
		return ""
	}
	found := r.Result.GammaSearch
	tries := make([]string, len(found.Tries))
	for i, t := range found.Tries {
		tries[i] = words.T(ctx, "{gamma} (validation loss {loss}, accuracy {accuracy})", "gamma", number(t.Gamma), "loss", fmt.Sprintf("%.3f", t.ValidationLoss), "accuracy", Percent(t.ValidationAccuracy))
		if t.Diverged {
			tries[i] = words.T(ctx, "{gamma} (came apart)", "gamma", number(t.Gamma))
		}
	}
	return words.N(ctx, found.Epochs, "γ was searched by {images}, {n} epoch each: {tries}. The round was trained with {gamma}.", "γ was searched by {images}, {n} epochs each: {tries}. The round was trained with {gamma}.",
		"images", validatedOn(ctx, *r.Result), "tries", strings.Join(tries, ", "), "gamma", number(found.Gamma))
}

// validatedOn says on what early stopping and the search for γ measured.
func validatedOn(ctx context.Context, result annotator.RoundResult) string {
	if result.HeldBack {
		return words.N(ctx, result.ValidationImages, "{n} training image that was held back", "{n} training images that were held back")
	}
	return words.N(ctx, result.ValidationImages, "{n} validation image", "{n} validation images")
}

// stoppedText says what early stopping kept, "" for a round without it.
func stoppedText(ctx context.Context, r annotator.Round) string {
	if r.Settings.Patience == 0 || r.Result == nil || len(r.Result.Arms) == 0 {
		return ""
	}
	var kept []string
	for _, a := range r.Result.Arms {
		kept = append(kept, words.T(ctx, "the {arm}'s epoch {epoch} of {epochs} (validation loss {loss}, accuracy {accuracy})", "arm", words.Say(ctx, string(a.Arm)),
			"epoch", a.Kept, "epochs", a.Epochs, "loss", fmt.Sprintf("%.3f", a.ValidationLoss), "accuracy", Percent(a.ValidationAccuracy)))
	}
	return words.T(ctx, "Early stopping, by {images}, kept {kept}.", "images", validatedOn(ctx, *r.Result), "kept", strings.Join(kept, ", "))
}

// pairsFirst has the pictures of which both maps are known before those of which they are not.
func pairsFirst(images []RoundImage) []RoundImage {
	images = slices.Clone(images)
	slices.SortStableFunc(images, func(a, b RoundImage) int {
		return cmp.Compare(len(b.Answers), len(a.Answers))
	})
	return images
}
