package measure

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/text"
)

// ImageSet says which images a row is of.
type ImageSet string

// The sets: the held-out images that a difference is taken from, those that the baseline is chosen on, and the edited ones.
const (
	OfTest       ImageSet = "test"
	OfValidation ImageSet = "validation"
	OfEdited     ImageSet = "edited"
)

// ArmRow is a row of one of a round's networks. All of a round's figures follow from such rows.
type ArmRow struct {
	Arm  arms.Arm `json:"arm"`
	Seed int64    `json:"seed"`
	Set  ImageSet `json:"set"`
	Row
}

// LeftOut is an arm that was asked for and is not judged.
type LeftOut struct {
	Arm arms.Arm `json:"arm"`
	Why string   `json:"why"`
}

// ArmTable compares a round's arms.
type ArmTable struct {
	Images           int `json:"images"`            // held out
	ValidationImages int `json:"validation_images"` // that maps and baseline were chosen on; 0: they were not
	// Maps is the arm that stands for people's maps, and Baseline the arm without them that counts.
	Maps     arms.Arm `json:"maps"`
	Baseline arms.Arm `json:"baseline"`
	Headline string   `json:"headline"`
	Edits    int      `json:"edits"`
	// PaintingSeconds is how long the edits took to paint, 0 where that is not known of each.
	PaintingSeconds float64 `json:"painting_seconds,omitempty"`
	// Points of accuracy over the baseline, for each edit and for each minute of painting.
	PerEdit   *float64    `json:"points_per_edit,omitempty"`
	PerMinute *float64    `json:"points_per_minute,omitempty"`
	Arms      []ArmFigure `json:"arms"` // simple ones first
	LeftOut   []LeftOut   `json:"left_out,omitempty"`
}

// ArmFigure has the figures of an arm, means over its seeds.
type ArmFigure struct {
	Arm        arms.Arm `json:"arm"`
	Set        ImageSet `json:"set"` // that it is judged on
	Images     int      `json:"images"`
	Accuracy   float64  `json:"accuracy"`
	Validation *float64 `json:"validation_accuracy,omitempty"`
	Inside     *float64 `json:"attention_inside,omitempty"` // over the images with a known object
	// Difference is what the maps are worth against this arm: the accuracy of Against less this one's, with its 95% interval. Of an arm
	// that has maps of its own at test time it is the other way round: this one's less that of Against. Absent for ArmTable.Maps.
	Against    arms.Arm     `json:"against,omitempty"`
	Difference *float64     `json:"difference,omitempty"`
	Low        *float64     `json:"low,omitempty"`
	High       *float64     `json:"high,omitempty"`
	Seeds      []SeedFigure `json:"seeds"`
}

// SeedFigure has the figures of one of an arm's trainings.
type SeedFigure struct {
	Seed       int64    `json:"seed"`
	Accuracy   float64  `json:"accuracy"`
	Validation *float64 `json:"validation_accuracy,omitempty"`
	Inside     *float64 `json:"attention_inside,omitempty"`
}

// Judging is what JudgeArms needs beside the rows.
type Judging struct {
	// Choose says that the strongest arm is the baseline, by its accuracy on the rows of validation; without it, and without such rows,
	// the control is.
	Choose          bool
	Edits           int
	PaintingSeconds float64
	LeftOut         []LeftOut
	Seed            int64 // of the bootstrap
}

// armRows are an arm's rows on one set, by seed in the order in which they come.
type armRows struct {
	seeds []int64
	rows  [][]Row
}

// hits counts right answers and answers over all seeds.
func (a armRows) hits() (right, all int) {
	for _, rows := range a.rows {
		for _, r := range rows {
			right += int(one(r.Correct()))
		}
		all += len(rows)
	}
	return right, all
}

// statistics are a measure of each of n seeds' networks; an arm that depends on no seed has the same for all.
func (a armRows) statistics(name string, n int) []Statistic {
	out := make([]Statistic, n)
	for i := range out {
		out[i] = StatisticOf(name, a.rows[min(i, len(a.rows)-1)])
	}
	return out
}

// JudgeArms compares the arms of a round by their rows. nil where there is no held-out image or no arm to compare the candidate with.
//
// The baseline is chosen on validation images and its difference taken on others: the best of several arms on the images of the
// comparison would be that by luck, and the maps' gain would look too small. Whether the candidate's last layer is refitted is
// chosen in the same way.
func JudgeArms(rows []ArmRow, j Judging) (*ArmTable, error) {
	sets, err := bySet(rows)
	if err != nil {
		return nil, err
	}
	test, validation := sets[OfTest], sets[OfValidation]
	t := &ArmTable{Maps: arms.Candidate, Baseline: arms.Control, Edits: j.Edits, PaintingSeconds: j.PaintingSeconds, LeftOut: j.LeftOut}
	if test[arms.Candidate] == nil || test[arms.Control] == nil {
		return nil, nil
	}
	t.Images = len(test[arms.Candidate].rows[0])
	if v := validation[arms.Candidate]; j.Choose && v != nil {
		t.ValidationImages = len(v.rows[0])
		t.Maps = best(test, validation, func(k arms.Kind) bool { return !k.Baseline() && (k.Trains || k.Refits != "") })
		t.Baseline = best(test, validation, arms.Kind.Baseline)
	}
	for _, k := range arms.Kinds() {
		if a := test[k.Arm]; a != nil {
			f := figureOf(k.Arm, OfTest, a, validation[k.Arm])
			if k.Arm != t.Maps {
				f.compare(t.Maps, difference(test[t.Maps], a, j.Seed))
			}
			t.Arms = append(t.Arms, f)
		} else if a := sets[OfEdited][k.Arm]; a != nil && k.Maps && sets[OfEdited][k.Against] != nil {
			f := figureOf(k.Arm, OfEdited, a, nil)
			f.compare(k.Against, difference(a, sets[OfEdited][k.Against], j.Seed))
			t.Arms = append(t.Arms, f)
		}
	}
	t.tell()
	return t, nil
}

// bySet are rows by set and arm; those of a set are of the same images.
func bySet(rows []ArmRow) (map[ImageSet]map[arms.Arm]*armRows, error) {
	sets := map[ImageSet]map[arms.Arm]*armRows{OfTest: {}, OfValidation: {}, OfEdited: {}}
	for _, r := range rows {
		set, ok := sets[r.Set]
		if !ok {
			return nil, fmt.Errorf("a row of %s is of the set %q", r.Arm, r.Set)
		}
		if set[r.Arm] == nil {
			set[r.Arm] = &armRows{}
		}
		a := set[r.Arm]
		i := slices.Index(a.seeds, r.Seed)
		if i < 0 {
			i = len(a.seeds)
			a.seeds, a.rows = append(a.seeds, r.Seed), append(a.rows, nil)
		}
		a.rows[i] = append(a.rows[i], r.Row)
	}
	for set, of := range sets {
		if err := sameImages(set, of); err != nil {
			return nil, err
		}
	}
	return sets, nil
}

// sameImages refuses rows of which not every network has one of each image.
func sameImages(set ImageSet, of map[arms.Arm]*armRows) error {
	var first []Row
	for _, arm := range arms.All() {
		if of[arm] == nil {
			continue
		}
		for i, rows := range of[arm].rows {
			if first == nil {
				first = rows
			}
			same := slices.EqualFunc(rows, first, func(a, b Row) bool { return a.Image == b.Image && a.Label == b.Label })
			if !same {
				return fmt.Errorf("the %s rows of %s, seed %d, are not of the same images as the others", set, arm, of[arm].seeds[i])
			}
		}
	}
	return nil
}

// best is the arm of those accepted that gets most validation images right, the first of equals.
func best(test, validation map[arms.Arm]*armRows, accept func(arms.Kind) bool) (chosen arms.Arm) {
	var right, all int
	for _, k := range arms.Kinds() {
		if !accept(k) || test[k.Arm] == nil || validation[k.Arm] == nil {
			continue
		}
		if r, n := validation[k.Arm].hits(); chosen == "" || r*all > right*n {
			chosen, right, all = k.Arm, r, n
		}
	}
	return chosen
}

// difference is the paired interval of a's accuracy less b's, over images and, if there are several, seeds.
func difference(a, b *armRows, seed int64) Interval {
	n := max(len(a.rows), len(b.rows))
	rows := a.rows[0]
	return SeedBootstrap(a.statistics(Accuracy, n), b.statistics(Accuracy, n), Strata(rows, all(len(rows))), uint64(seed))
}

func (f *ArmFigure) compare(against arms.Arm, d Interval) {
	f.Against, f.Difference, f.Low, f.High = against, &d.Difference, &d.Low, &d.High
}

// figureOf has an arm's figures; validation may be nil.
func figureOf(arm arms.Arm, set ImageSet, a, validation *armRows) ArmFigure {
	f := ArmFigure{Arm: arm, Set: set, Images: len(a.rows[0])}
	var accuracies, validations, insides []float64
	for i, seed := range a.seeds {
		s := SeedFigure{Seed: seed, Accuracy: StatisticOf(Accuracy, a.rows[i])(all(len(a.rows[i])))}
		if masked := indicesOf(Inside, 0, a.rows[i]); len(masked) > 0 {
			inside := StatisticOf(Inside, a.rows[i])(masked)
			s.Inside, insides = &inside, append(insides, inside)
		}
		if validation != nil {
			accuracy := StatisticOf(Accuracy, validation.rows[i])(all(len(validation.rows[i])))
			s.Validation, validations = &accuracy, append(validations, accuracy)
		}
		accuracies, f.Seeds = append(accuracies, s.Accuracy), append(f.Seeds, s)
	}
	f.Accuracy = *meanOf(accuracies)
	f.Validation, f.Inside = meanOf(validations), meanOf(insides)
	return f
}

// meanOf is nil for no values.
func meanOf(values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	var sum float64
	for _, v := range values {
		sum += v
	}
	sum /= float64(len(values))
	return &sum
}

// Of returns the figures of an arm, nil if it is not judged.
func (t *ArmTable) Of(arm arms.Arm) *ArmFigure {
	for i := range t.Arms {
		if t.Arms[i].Arm == arm {
			return &t.Arms[i]
		}
	}
	return nil
}

// tell fills in the headline and what an edit was worth.
func (t *ArmTable) tell() {
	b := t.Of(t.Baseline)
	rate := func(n float64) *float64 {
		if n == 0 {
			return nil
		}
		v := 100 * *b.Difference / n
		return &v
	}
	t.PerEdit, t.PerMinute = rate(float64(t.Edits)), rate(t.PaintingSeconds/60)
	maps, base := arms.Of(t.Maps), arms.Of(t.Baseline).Words
	what := "Maps were worth"
	if maps.Refits != "" {
		what = "Maps and a refitted last layer were worth"
	}
	low, high := text.Points(*b.Low), text.Points(*b.High)
	about := fmt.Sprintf("95%% %s to %s, %s", low, high, text.Plural(t.Images, "image"))
	if n := len(t.Of(t.Maps).Seeds); n > 1 {
		about = fmt.Sprintf("95%% %s to %s, %s, %s seeds", low, high, text.Plural(t.Images, "image"), text.Count(n))
	}
	switch d := *b.Difference; {
	case *b.Low > 0:
		t.Headline = fmt.Sprintf("%s +%s points of accuracy (%s) over %s.", what, text.Points(d), about, base)
		if rates := t.rates(); rates != "" {
			t.Headline = fmt.Sprintf("%s +%s points of accuracy (%s) over %s: %s.", what, text.Points(d), about, base, rates)
		}
	case *b.High < 0:
		t.Headline = fmt.Sprintf("Without people's maps %s did better: %s has %s points of accuracy against it (%s).", base, maps.Words, text.Points(d), about)
	case d <= 0:
		t.Headline = fmt.Sprintf("Without people's maps %s did as well: %s has %s points of accuracy against it (%s).", base, maps.Words, text.Points(d), about)
	default:
		t.Headline = fmt.Sprintf("No clear difference in accuracy: %s has +%s points (%s) against %s.", maps.Words, text.Points(d), about, base)
	}
}

// rates says what an edit and a minute of painting were worth.
func (t *ArmTable) rates() string {
	say := func(v float64) string {
		if v >= 10 {
			return strconv.FormatFloat(v, 'f', 0, 64)
		}
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	switch {
	case t.PerEdit == nil:
		return ""
	case t.PerMinute == nil:
		return fmt.Sprintf("%s points per edit", say(*t.PerEdit))
	}
	return fmt.Sprintf("%s points per edit, %s per minute of painting", say(*t.PerEdit), say(*t.PerMinute))
}
