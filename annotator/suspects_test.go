package annotator

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// evidence is a store that has a version's answers.
type evidence struct {
	Store
	rows []LabelEvidence
}

func (e evidence) LabelAnswers(_ context.Context, _ int64, _ int, wrong bool, each func(LabelEvidence)) error {
	for _, row := range e.rows {
		answer := slices.Index(row.Probabilities, slices.Max(row.Probabilities))
		switch {
		case wrong && answer != row.Label:
			each(row)
		case !wrong && row.HeldOut:
			row.Probability = row.Probabilities[row.Label]
			each(row)
		}
	}
	return nil
}

// The suspects are those of cleanlab, with the same suggestions as numpy's (testdata/suspects.py).
func TestSuspectsAreCleanlabs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("testdata", "suspects.json"))
	if err != nil {
		t.Fatal(err)
	}
	var reference struct {
		Labels        []int
		Probabilities [][]float32
		Thresholds    []float64
		Suggested     []int
	}
	if err := json.Unmarshal(raw, &reference); err != nil {
		t.Fatal(err)
	}
	var e evidence
	want := map[int64]int{}
	for i, label := range reference.Labels {
		e.rows = append(e.rows, LabelEvidence{ImageID: int64(i), Label: label, HeldOut: true, Probabilities: reference.Probabilities[i]})
		if class := reference.Suggested[i]; class >= 0 {
			want[int64(i)] = class
		}
	}
	found, err := (&Service{store: e}).suspicions(t.Context(), Version{}, len(reference.Thresholds), nil)
	if err != nil || len(want) < 10 || len(found) != len(want) {
		t.Fatalf("%d suspects, want %d, %v", len(found), len(want), err)
	}
	for _, s := range found {
		if class, is := want[s.imageID]; !is || class != s.class || math.Abs(s.threshold-reference.Thresholds[s.class]) > 1e-6 {
			t.Errorf("image %d: %+v, want class %d", s.imageID, s, class)
		}
	}
}

// Labels that were exchanged on purpose are found, with the class that they had, among answers of a network that is right about nine in
// ten; and few others are.
func TestExchangedLabelsAreSuspects(t *testing.T) {
	t.Parallel()
	const classes, images = 20, 4000
	random := rand.New(rand.NewPCG(1, 2))
	var e evidence
	exchanged := map[int64]int{}
	for i := range images {
		truth := random.IntN(classes)
		p, sum := make([]float32, classes), float32(0)
		for j := range p {
			logit := random.NormFloat64()
			if j == truth {
				logit += 4
			}
			p[j] = float32(math.Exp(logit))
			sum += p[j]
		}
		for j := range p {
			p[j] /= sum
		}
		label := truth
		if random.Float64() < 0.08 {
			label = (truth + 1 + random.IntN(classes-1)) % classes
			exchanged[int64(i)] = truth
		}
		e.rows = append(e.rows, LabelEvidence{ImageID: int64(i), Label: label, HeldOut: true, Probabilities: p})
	}
	found, err := (&Service{store: e}).suspicions(t.Context(), Version{}, classes, nil)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, s := range found {
		if class, was := exchanged[s.imageID]; was && class == s.class {
			right++
		}
	}
	recall, precision := float64(right)/float64(len(exchanged)), float64(right)/float64(len(found))
	t.Logf("%d exchanged, %d suspects: recall %.2f, precision %.2f", len(exchanged), len(found), recall, precision)
	if recall < 0.55 || precision < 0.9 {
		t.Errorf("recall %.2f, precision %.2f", recall, precision)
	}
}

// More than half of the versions have to doubt a label, and what most of them suggest is suggested.
func TestVersionsAgreeOnSuspects(t *testing.T) {
	t.Parallel()
	says := func(classes ...int) (all []suspicion) {
		for _, class := range classes {
			all = append(all, suspicion{imageID: 1, label: 0, class: class, given: 0.1, probability: 0.8, threshold: 0.5, heldOut: class != 3})
		}
		return all
	}
	for name, c := range map[string]struct {
		all      []suspicion
		versions int
		class    int // -1: not listed
	}{
		"the only version": {says(2), 1, 2}, "one of two": {says(2), 2, -1}, "two of three": {says(2, 2), 3, 2},
		"most say another": {says(1, 2, 2), 3, 2}, "as many, so the first": {says(1, 2), 3, 1}, "one was trained on it": {says(3), 1, 3},
	} {
		s, ok := agreed(c.all, c.versions)
		if ok != (c.class >= 0) || ok && (s.Suggested != c.class || s.HeldOut != (c.class != 3) || math.Abs(s.Probability-0.8) > 1e-9) {
			t.Errorf("%s: %+v, %v", name, s, ok)
		}
	}
}

// evidenceOf is evidence of a project's only version.
type evidenceOf struct{ evidence }

func (evidenceOf) Versions(context.Context, int64) ([]Version, error) {
	return []Version{{Number: 1, State: VersionActive, Scanned: 1}}, nil
}

// A project in which most labels are doubted lists the most suspect, and counts all.
func TestTheMostSuspectAreListed(t *testing.T) {
	t.Parallel()
	const images = 3*MaxSuspects + 7
	var e evidenceOf
	for i := range images {
		p := 0.51 + 0.4*float32(i*2741%images)/images // all different, in no order
		e.rows = append(e.rows, LabelEvidence{ImageID: int64(i), Label: 0, Probabilities: []float32{1 - p, p}})
	}
	e.rows = append(e.rows, LabelEvidence{ImageID: images, Label: 1, HeldOut: true, Probability: 0.4, Probabilities: []float32{0.6, 0.4}})
	found, err := (&Service{store: e}).suspects(t.Context(), Project{Classes: make([]Class, 2)})
	if err != nil || found.Total != images || len(found.Suspects) != MaxSuspects {
		t.Fatalf("%d of %d, %v; want %d of %d", len(found.Suspects), found.Total, err, MaxSuspects, images)
	}
	for i, s := range found.Suspects {
		if want := 0.51 + 0.4*float64(images-1-i)/images; math.Abs(s.Probability-want) > 1e-6 {
			t.Fatalf("the %d. is %v probable, want %v", i+1, s.Probability, want)
		}
	}
}
