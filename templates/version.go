package templates

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/words"
)

// Versions is the view model of the page of versions.
type Versions struct {
	Comparing bool                // the visitor asked to compare; fewer than two versions may be ticked
	Versions  []annotator.Version // v1 first
	Rounds    map[int64]int       // round id → its number
	A, B      *annotator.Version  // picked for comparison
	Compared  *Compared           // the two on the same held-out images; nil where no rounds tell
	Asked     *Asked              // a version that is to be activated and is worse at something

	MaxBytes    int64  // largest size of an uploaded reference
	StateDictOf int64  // the version whose state_dict could not be made; 0: none
	NoStateDict string // why it could not be made
}

// Compared is the view model of two versions beside each other.
type Compared struct {
	annotator.VersionComparison
	FixedImages, BrokenImages, MovedImages []RoundImage
}

// Asked is a version whose activation is asked about once more.
type Asked struct {
	Version, Active annotator.Version
	Worse           []string
	Images          int
}

// comparedMeasure is a compared figure as a measure has it, for its interval's picture.
func comparedMeasure(f annotator.ComparedFigure) annotator.Measure {
	return annotator.Measure{Name: f.Name, Unit: f.Unit, Better: f.Better, Difference: f.Difference, Low: f.Low, High: f.High}
}

// comparedReach is the reach of the intervals' pictures of a unit, so that they share a scale.
func comparedReach(all []annotator.ComparedFigure, unit string) float64 {
	var measures []annotator.Measure
	for _, f := range all {
		measures = append(measures, comparedMeasure(f))
	}
	return widest(measures, unit)
}

// mechanismWord returns the formula of a network's attention mechanism, or gain itself if there is none.
func mechanismWord(gain attention.Gain) string {
	return cmp.Or(annotator.MechanismOf(gain).Formula, string(gain), "another")
}

// figureRow is one figure of the versions being compared.
type figureRow struct {
	name, label, unit string
	a, b              float64
	inA, inB          bool
}

// comparison lists the figures of A and B side by side.
func (v Versions) comparison(ctx context.Context) []figureRow {
	names := map[string]bool{}
	for n := range v.A.Figures {
		names[n] = true
	}
	for n := range v.B.Figures {
		names[n] = true
	}
	var rows []figureRow
	for _, n := range slices.SortedFunc(maps.Keys(names), byWeight) {
		r := figureRow{name: n, label: figureLabel(ctx, n), unit: "fraction"}
		if strings.HasSuffix(n, "map_distance") {
			r.unit = ""
		}
		r.a, r.inA = v.A.Figures[n]
		r.b, r.inB = v.B.Figures[n]
		if strings.HasSuffix(n, "/left_out") {
			if r.unit = "images"; r.a == 0 && r.b == 0 {
				continue
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// The order of figures, by split and by measure: those by which a version is judged come first.
var (
	figureSplits = []string{"test", "validation", "pool", "train"}
	figureNames  = []string{"accuracy", "worst_group", "attention_inside", "top5", "attention_branch", "left_out"}
)

// byWeight orders the keys of figures by split, then by measure; unknown ones come last, by name.
func byWeight(a, b string) int {
	rank := func(list []string, word string) int {
		if i := slices.Index(list, word); i >= 0 {
			return i
		}
		return len(list)
	}
	splitA, nameA, _ := strings.Cut(a, "/")
	splitB, nameB, _ := strings.Cut(b, "/")
	return cmp.Or(
		cmp.Compare(rank(figureSplits, splitA), rank(figureSplits, splitB)),
		cmp.Compare(rank(figureNames, nameA), rank(figureNames, nameB)),
		cmp.Compare(a, b))
}

// mainFigure returns the figure by which versions are compared at a glance: the accuracy on the first split that has one.
func mainFigure(ctx context.Context, v annotator.Version) (value float64, label string, ok bool) {
	for _, split := range figureSplits {
		if a, ok := v.Figures[split+"/accuracy"]; ok {
			return a, figureLabel(ctx, split+"/accuracy"), true
		}
	}
	return 0, "", false
}

// figureLabel returns a figure's key in words: "test/worst_group" → "worst group, test".
func figureLabel(ctx context.Context, key string) string {
	split, name, ok := strings.Cut(key, "/")
	if !ok {
		return figureWord(ctx, key)
	}
	return words.T(ctx, "{measure}, {split}", "measure", figureWord(ctx, name), "split", words.Say(ctx, split))
}

// figureWords are the measures of figures in words for people, by their keys; others are called by their key.
var figureWords = map[string]string{
	"accuracy": words.Key("accuracy"), "worst_group": words.Key("worst group"), "attention_inside": words.Key("attention inside"), "top5": words.Key("top five"),
	"attention_branch": words.Key("attention branch alone"), "left_out": words.Key("left out"),
}

func figureWord(ctx context.Context, measure string) string {
	if w, ok := figureWords[measure]; ok {
		return words.Say(ctx, w)
	}
	return strings.ReplaceAll(measure, "_", " ")
}

// newestFirst returns the versions, newest first.
func (v Versions) newestFirst() []annotator.Version {
	list := slices.Clone(v.Versions)
	slices.Reverse(list)
	return list
}

// parentNumber returns the number of a version's parent, 0 if the parent is not in the list.
func (v Versions) parentNumber(of annotator.Version) int {
	for _, p := range v.Versions {
		if of.ParentID != nil && p.ID == *of.ParentID {
			return p.Number
		}
	}
	return 0
}
