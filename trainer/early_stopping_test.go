package trainer

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/sample"
)

func TestChooseValidation(t *testing.T) {
	t.Parallel()
	var train []sample.Sample
	for i := range 100 {
		s := sample.Sample{ID: int64(i), Hash: "train " + string(rune('a'+i%26)) + string(rune('a'+i/26)), Label: i % 2}
		if i >= 90 {
			s.Edited = attention.New(2, 2)
		}
		train = append(train, s)
	}
	judged := []sample.Sample{{ID: 1000, Hash: "judged"}}
	given := []sample.Sample{{ID: 2000, Hash: "fresh"}, {ID: 2001, Hash: "judged"}, {ID: 2002, Hash: train[3].Hash}, {ID: 2003, Hash: train[95].Hash}}
	rest, chosen, err := chooseValidation(train, given, judged, 1)
	if err != nil || len(rest) != 100 || len(chosen) != 1 || chosen[0].ID != 2000 {
		t.Errorf("given images: %d train, %v validate, %v", len(rest), chosen, err)
	}
	// None of them can be used: a tenth of the 90 training images without an edit, as many of either class (within one).
	rest, chosen, err = chooseValidation(train, given[1:], judged, 1)
	if err != nil || len(rest) != 91 || len(chosen) != 9 {
		t.Fatalf("held back: %d train, %d validate, %v", len(rest), len(chosen), err)
	}
	seen, ofClass := map[int64]int{}, 0
	for _, s := range slices.Concat(rest, chosen) {
		seen[s.ID]++
	}
	for _, s := range chosen {
		ofClass += s.Label
		if !s.Edited.IsZero() {
			t.Errorf("image %d, which has an edit, is held back", s.ID)
		}
	}
	if len(seen) != 100 || ofClass < 4 || ofClass > 5 {
		t.Errorf("%d of 100 images take part, %d of class 1 among the nine", len(seen), ofClass)
	}
	sameID := func(a, b sample.Sample) bool { return a.ID == b.ID }
	if _, again, _ := chooseValidation(train, nil, judged, 1); !slices.EqualFunc(chosen, again, sameID) {
		t.Error("one seed holds other images back the second time")
	}
	if _, other, _ := chooseValidation(train, nil, judged, 2); slices.EqualFunc(chosen, other, sameID) {
		t.Error("two seeds hold the same images back")
	}
	// A picture that is there twice is never on both sides.
	twice := slices.Concat(train[:90], train[:90])
	rest, chosen, err = chooseValidation(twice, nil, judged, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range chosen {
		if slices.ContainsFunc(rest, func(r sample.Sample) bool { return r.Hash == s.Hash }) {
			t.Errorf("the file of image %d is trained on and validates", s.ID)
		}
	}
	if _, _, err := chooseValidation(train[81:], nil, judged, 1); !errors.Is(err, errNoValidation) {
		t.Errorf("nine images without an edit: %v", err)
	}
}

func TestEarlyStoppingKeepsTheBestEpoch(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 60, 8, 60)
	heldout, validation := p.misleading(28)
	spec := p.spec(t, nil)
	spec.Heldout, spec.Validation = heldout, validation
	spec.Settings.Epochs, spec.Settings.Patience, spec.Settings.Schedule = 9, 2, recipe.ScheduleConstant
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Runs) != 2 || out.ValidationImages != 32 || out.HeldBack || out.Images != 60 || out.CandidateEvaluation.Images != 28 {
		t.Fatalf("runs %+v, %d validate, held back %v, %d train, %d judge", out.Runs, out.ValidationImages, out.HeldBack, out.Images, out.CandidateEvaluation.Images)
	}
	for _, run := range out.Runs {
		if run.Epochs != 3 || run.Kept != 1 || run.Steps != out.Steps/3 {
			t.Errorf("%+v of %d steps: the labels mislead from the first epoch on", run, out.Steps)
		}
		var validated []Point
		for _, point := range out.Curve {
			if point.Arm == run.Arm && point.ValidationLoss != 0 {
				validated = append(validated, point)
			}
		}
		if len(validated) != 3 || validated[0].Epoch != 1 || validated[0].ValidationLoss != run.Validation.Loss || validated[0].ValidationAccuracy != run.Validation.Accuracy {
			t.Errorf("%s: the curve's validations are %+v, the run kept %+v", run.Arm, validated, run.Validation)
		}
		if !(validated[1].ValidationLoss > validated[0].ValidationLoss && validated[2].ValidationLoss > validated[0].ValidationLoss) {
			t.Errorf("%s kept the first epoch, whose validation is not the best: %+v", run.Arm, validated)
		}
	}
	// At a constant rate the state after epoch 1 is that of a round of one epoch.
	short := p.spec(t, nil)
	short.Heldout = heldout
	short.Settings.Epochs, short.Settings.Schedule = 1, recipe.ScheduleConstant
	want, err := RunRound(t.Context(), short, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	for i, files := range [][2][]byte{{want.Model, out.Model}, {want.Control, out.Control}} {
		a, errA := unmarshalCheckpoint(files[0])
		b, errB := unmarshalCheckpoint(files[1])
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		for k, q := range a.Parameters {
			if !slices.Equal(q.Value, b.Parameters[k].Value) {
				t.Errorf("network %d: %s is not that of the first epoch", i, q.Name)
			}
		}
	}
	if out.CandidateEvaluation.Top1 != want.CandidateEvaluation.Top1 {
		t.Errorf("measured %v, the kept network has %v", out.CandidateEvaluation.Top1, want.CandidateEvaluation.Top1)
	}
	best, err := filepath.Glob(filepath.Join(spec.WorkDir, "*-best-*"))
	if err != nil || len(best) != 2 {
		t.Errorf("best epochs on disk: %v, %v", best, err)
	}
}

func TestEarlyStoppingHoldsImagesBack(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 68, 8, 40)
	spec := p.spec(t, nil)
	spec.Settings.Patience = 3
	spec.Validation = p.heldout // all of them are judged on
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if out.ValidationImages != 6 || !out.HeldBack || out.Images != 62 || out.CandidateEvaluation.Images != 40 {
		t.Errorf("%d validate, held back %v, %d train, %d judge", out.ValidationImages, out.HeldBack, out.Images, out.CandidateEvaluation.Images)
	}
	if run := out.Runs[0]; run.Epochs != 3 || run.Kept != 3 {
		t.Errorf("a loss that falls to the end: %+v", run)
	}
	if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "6 validation images") {
		t.Errorf("warnings: %q", out.Warnings)
	}
	few := p.spec(t, nil)
	few.Settings.Patience, few.Train = 3, p.train[:17]
	var bad *recipe.Error
	if _, err := RunRound(t.Context(), few, Observer{}); !errors.As(err, &bad) || bad.Field != "patience" {
		t.Errorf("nine images without an edit: %v", err)
	}
}

func TestScratchStopsEarly(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 60, 0, 60)
	spec := p.scratch(t, nil)
	spec.Heldout, spec.Validation = p.misleading(28)
	spec.Settings.Patience, spec.Settings.Epochs = 1, 5
	out, err := TrainScratch(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Run.Epochs != 2 || out.Run.Kept != 1 || out.ValidationImages != 32 || out.HeldBack || out.Images != 60 || out.Evaluation.Images != 28 {
		t.Errorf("run %+v, %d validate, %d train", out.Run, out.ValidationImages, out.Images)
	}
	spec = p.scratch(t, nil)
	spec.Settings.Patience = 2
	if out, err = TrainScratch(t.Context(), spec, Observer{}); err != nil || out.ValidationImages != 6 || !out.HeldBack || out.Images != 54 {
		t.Errorf("%d held back (%v), %d train, %v", out.ValidationImages, out.HeldBack, out.Images, err)
	}
}

func TestRoundWarnsOfForgetting(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 20, 12, 10)
	out, err := RunRound(t.Context(), p.spec(t, nil), Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "Only 8 training images without an edit take part beside 12") {
		t.Errorf("warnings: %q", out.Warnings)
	}
}
