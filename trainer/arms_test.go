package trainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// armsSpec is refitSpec with validation images and all arms.
func armsSpec(t *testing.T, name string, engine recipe.Engine) RoundSpec {
	t.Helper()
	spec := refitSpec(t, name, engine)
	spec.Settings.Refit, spec.Settings.Epochs = false, 1
	spec.Settings.Arms, _ = arms.Parse(arms.Every)
	for i := range spec.Train[:3] {
		spec.Train[i].Label = i / 2 // two of the edited images are of one class
	}
	n := len(spec.Heldout) / 2
	spec.Heldout, spec.Validation = spec.Heldout[:n], spec.Heldout[n:]
	spec.Painting = map[int64]float64{}
	for i, s := range spec.Train {
		if !s.Edited.IsZero() {
			spec.Painting[s.ID] = 10 * float64(i+1)
		}
	}
	return spec
}

// recomputed are the figures of a table from rows, by arithmetic of its own; the interval is the bootstrap's.
func recomputed(rows []measure.ArmRow, arm arms.Arm, seed int64, set measure.ImageSet) (accuracy, inside float64, images int) {
	masked := 0.0
	for _, r := range rows {
		if r.Arm != arm || r.Seed != seed || r.Set != set {
			continue
		}
		images++
		if r.Label == r.Predicted {
			accuracy++
		}
		if v, ok := r.Figures[measure.Inside]; ok {
			inside, masked = inside+v, masked+1
		}
	}
	return accuracy / float64(images), inside / masked, images
}

// checkTable computes an ArmTable's figures from the rows.
func checkTable(t *testing.T, table measure.ArmTable, rows []measure.ArmRow) {
	t.Helper()
	means := map[arms.Arm]float64{}
	for _, f := range table.Arms {
		sum := 0.0
		for _, s := range f.Seeds {
			accuracy, inside, images := recomputed(rows, f.Arm, s.Seed, f.Set)
			if images != f.Images || math.Abs(accuracy-s.Accuracy) > 1e-12 || s.Inside != nil && math.Abs(inside-*s.Inside) > 1e-12 {
				t.Errorf("%s, seed %d: %v of %d images, the rows give %v of %d", f.Arm, s.Seed, s.Accuracy, f.Images, accuracy, images)
			}
			if s.Validation != nil {
				if accuracy, _, images := recomputed(rows, f.Arm, s.Seed, measure.OfValidation); images != table.ValidationImages || math.Abs(accuracy-*s.Validation) > 1e-12 {
					t.Errorf("%s, seed %d: %v on validation, the rows give %v", f.Arm, s.Seed, *s.Validation, accuracy)
				}
			}
			sum += s.Accuracy
		}
		means[f.Arm] = sum / float64(len(f.Seeds))
		if math.Abs(means[f.Arm]-f.Accuracy) > 1e-12 {
			t.Errorf("%s: %v is not the mean over its seeds, %v", f.Arm, f.Accuracy, means[f.Arm])
		}
	}
	for _, f := range table.Arms {
		if f.Difference == nil {
			if f.Arm != table.Maps {
				t.Errorf("%s is compared with nothing", f.Arm)
			}
			continue
		}
		want := means[f.Against] - f.Accuracy
		if f.Set == measure.OfEdited {
			was, _, _ := recomputed(rows, f.Against, f.Seeds[0].Seed, measure.OfEdited)
			want = f.Accuracy - was
		}
		if math.Abs(want-*f.Difference) > 1e-12 || *f.Low > want+1e-12 || *f.High < want-1e-12 {
			t.Errorf("%s: a difference of %v (%v to %v), the rows give %v", f.Arm, *f.Difference, *f.Low, *f.High, want)
		}
	}
}

// A round with every arm judges every one, on both engines: its table follows from its rows, candidate and control are to the bit those
// of a round without arms, and the file that it hands out is the arm that stands for the maps.
func TestRoundWithEveryArm(t *testing.T) {
	t.Parallel()
	for _, name := range fixture.ReferenceModels(t) {
		for _, engine := range []recipe.Engine{recipe.EngineORT, recipe.EngineGorgonia} {
			t.Run(name+" "+string(engine), func(t *testing.T) {
				t.Parallel()
				spec := armsSpec(t, name, engine)
				spec.Settings.Perturbed = 2
				out, err := RunRound(t.Context(), spec, Observer{})
				if err != nil {
					t.Fatal(err)
				}
				if out.Arms == nil || len(out.Arms.LeftOut) > 0 {
					t.Fatalf("the arms are %+v, warnings %q", out.Arms, out.Warnings)
				}
				judged := map[arms.Arm]bool{}
				for _, f := range out.Arms.Arms {
					judged[f.Arm] = true
				}
				for _, arm := range arms.All() {
					if !judged[arm] && !arms.Of(arm).OfStudies {
						t.Errorf("%s is not judged", arm)
					}
				}
				checkTable(t, *out.Arms, out.Rows)
				again, err := measure.JudgeArms(out.Rows, measure.Judging{Choose: true, Edits: 3, PaintingSeconds: 60, Seed: spec.Settings.Seed})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(out.Arms, again); diff != "" {
					t.Errorf("the table does not follow from the rows:\n%s", diff)
				}
				checkFollows(t, out, spec)
				checkPerturbed(t, out, spec)
				if !strings.Contains(strings.Join(out.Warnings, " "), "1 of 3 edited images keep their own") {
					t.Errorf("warnings %q", out.Warnings)
				}

				plain := armsSpec(t, name, engine)
				plain.Settings.Arms, plain.Settings.Refit = 0, out.Arms.Maps == arms.CandidateRefit
				same, err := RunRound(t.Context(), plain, Observer{})
				if err != nil {
					t.Fatal(err)
				}
				for which, files := range map[string][2][]byte{"candidate": {out.Model, same.Model}, "control": {out.Control, same.Control}} {
					a, b := initializers(t, files[0]), initializers(t, files[1])
					for name := range a {
						if !slices.Equal(a[name], b[name]) {
							t.Errorf("%s: %s is another with other arms beside it", which, name)
						}
					}
				}
			})
		}
	}
}

// checkFollows computes a round's measures, classes and reliability from its rows as they are written, and compares the images that it
// names with them.
func checkFollows(t *testing.T, out RoundOutcome, spec RoundSpec) {
	t.Helper()
	var file bytes.Buffer
	if err := measure.WriteArmRows(&file, out.Rows); err != nil {
		t.Fatal(err)
	}
	rows, err := measure.ReadArmRows(&file)
	if err != nil {
		t.Fatal(err)
	}
	maps, base := out.Maps, out.Against
	if maps != out.Arms.Maps || base != out.Arms.Baseline {
		t.Errorf("%s is compared with %s, but the table has %s and %s", maps, base, out.Arms.Maps, out.Arms.Baseline)
	}
	measures, err := measure.RoundMeasures(rows, maps, base, len(spec.Manifest.Classes), uint64(spec.Settings.Seed))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(out.Measures, measures); diff != "" {
		t.Errorf("the measures do not follow from the rows:\n%s", diff)
	}
	verdict, err := measure.VerdictOf(rows, maps, base, uint64(spec.Settings.Seed))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(out.Verdict, verdict); diff != "" {
		t.Errorf("classes and reliability do not follow from the rows:\n%s", diff)
	}
	answers := map[arms.Arm]map[string]measure.Row{maps: {}, base: {}}
	for _, r := range rows {
		if of := answers[r.Arm]; of != nil && r.Set == measure.OfTest && r.Seed == spec.Settings.Seed {
			of[r.Image] = r.Row
		}
	}
	fixed, broken := []int64{}, []int64{}
	for _, s := range spec.Heldout {
		switch was, is := answers[base][s.Name].Correct(), answers[maps][s.Name].Correct(); {
		case is && !was:
			fixed = append(fixed, s.ID)
		case was && !is:
			broken = append(broken, s.ID)
		}
	}
	if !slices.Equal(fixed, out.Fixed) || !slices.Equal(broken, out.Broken) || len(out.Judged) != len(answers[base]) {
		t.Errorf("fixed %v, broken %v of %d; the rows say %v and %v of %d", out.Fixed, out.Broken, len(out.Judged), fixed, broken, len(answers[base]))
	}
	if want := min(len(fixed), Shown) + min(len(broken), Shown) + len(out.Moved); len(out.Shown) < want || len(out.Moved) == 0 {
		t.Errorf("%d images are shown, want %d; %d moved most", len(out.Shown), want, len(out.Moved))
	}
}

// checkPerturbed computes deletion and insertion with the file that a round hands out, and compares the rows with them.
func checkPerturbed(t *testing.T, out RoundOutcome, spec RoundSpec) {
	t.Helper()
	_, running := runningModel(t, out.Model)
	sizes := running.Sizes()
	network := func(ctx context.Context, n int, pixels []float32) ([]float32, error) {
		answer, err := running.Forward(ctx, n, pixels)
		running.Probabilities(answer.LogitsPer)
		return answer.LogitsPer, err
	}
	want := map[string][2]float64{}
	for i := range spec.Settings.Perturbed {
		s := spec.Heldout[i*len(spec.Heldout)/spec.Settings.Perturbed]
		picture := make([]float32, sizes.Image())
		if err := spec.Pixels(t.Context(), s, picture); err != nil {
			t.Fatal(err)
		}
		answer, err := running.Forward(t.Context(), 1, picture)
		if err != nil {
			t.Fatal(err)
		}
		own := attention.Map{Height: sizes.GridHeight, Width: sizes.GridWidth, Values: answer.Maps}
		deletion, insertion, err := measure.Areas(t.Context(), network, picture, own, sizes.ImageHeight, sizes.ImageWidth, 0, []int{measure.Argmax(answer.LogitsPer)})
		if err != nil {
			t.Fatal(err)
		}
		want[s.Name] = [2]float64{deletion[0], insertion[0]}
	}
	measured := map[arms.Arm]int{}
	for _, r := range out.Rows {
		deletion, has := r.Figures[measure.DeletionAUC]
		insertion, also := r.Figures[measure.InsertionAUC]
		expected, perturbed := want[r.Image]
		if has != also || has != (perturbed && r.Set == measure.OfTest) {
			t.Errorf("%s, %s, %s: deletion %v, insertion %v, among those measured %v", r.Arm, r.Set, r.Image, has, also, perturbed)
		}
		if !has {
			continue
		}
		measured[r.Arm]++
		// The store keeps features in 16 bits: pixels of nearly equal map values may take each other's place.
		if r.Arm == out.Maps && (math.Abs(deletion-expected[0]) > 5e-3 || math.Abs(insertion-expected[1]) > 5e-3) {
			t.Errorf("%s: deletion %v and insertion %v, the file gives %v", r.Image, deletion, insertion, expected)
		}
	}
	for _, f := range out.Arms.Arms {
		if f.Set == measure.OfTest && measured[f.Arm] != len(want) {
			t.Errorf("%s is measured on %d pictures, want %d", f.Arm, measured[f.Arm], len(want))
		}
	}
	shown := 0
	for _, m := range out.Measures {
		if m.Name == measure.DeletionAUC || m.Name == measure.InsertionAUC {
			shown++
			if m.Images != len(want) {
				t.Errorf("%s is taken of %d images, want %d", m.Name, m.Images, len(want))
			}
		}
	}
	if shown != 2 {
		t.Errorf("%d of deletion and insertion are among the round's measures", shown)
	}
}

// Refits are made under the strategy attention too, which trains no last layer: of the networks as they are.
func TestArmsAreRefittedUnderAttention(t *testing.T) {
	t.Parallel()
	spec := armsSpec(t, fixture.ReferenceModels(t)[0], recipe.EngineORT)
	spec.Settings.Strategy = recipe.StrategyAttention
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Arms == nil || out.Arms.Of(arms.ControlRefit) == nil || out.Arms.Of(arms.CandidateRefit) == nil || len(out.Arms.LeftOut) > 0 {
		t.Fatalf("%+v", out.Arms)
	}
	checkTable(t, *out.Arms, out.Rows)
	again, err := openNetwork(t.Context(), nil, out.Model, spec.Manifest, spec.Settings, nil, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	again.close()
}

// With several seeds every training is done with each, and what one of them makes is what a round of that seed alone makes.
func TestRoundWithSeveralSeeds(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 90, 10, 100)
	build := func() RoundSpec {
		spec := p.spec(t, nil)
		spec.Settings.Seeds = 3
		spec.Settings.Arms, _ = arms.Parse("shuffled_across,shuffled_within,parent_refit,map_at_test")
		spec.Heldout, spec.Validation = p.heldout[:60], p.heldout[60:]
		return spec
	}
	spec := build()
	stages := map[progress.Stage]bool{}
	meter := progress.NewMeter(func(p progress.Progress) { stages[p.Stage] = true })
	out, err := RunRound(t.Context(), spec, Observer{Meter: meter})
	if err != nil {
		t.Fatal(err)
	}
	checkTable(t, *out.Arms, out.Rows)
	for _, stage := range []progress.Stage{progress.Candidate, progress.Training("control", 2), progress.Measuring("shuffled_across", 1)} {
		if !stages[stage] {
			t.Errorf("no progress of %s", stage)
		}
	}
	if len(out.Runs) != 12 || out.Runs[2].Seed != spec.Settings.Seed+2 || out.Runs[3].Arm != arms.Control {
		t.Errorf("runs %+v", out.Runs)
	}
	var why []string
	for _, l := range out.Arms.LeftOut {
		why = append(why, fmt.Sprint(l.Arm, ": ", l.Why))
	}
	if want := []string{"parent_refit: this network's layers are not known", "map_at_test: this network's perception branch is not known by itself"}; !slices.Equal(why, want) {
		t.Errorf("left out: %q, want %q", why, want)
	}
	one := build()
	one.Settings.Seeds, one.Settings.Arms, one.Settings.Seed = 1, 0, spec.Settings.Seed+1
	alone, err := RunRound(t.Context(), one, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*measure.ArmFigure{out.Arms.Of(arms.Candidate), out.Arms.Of(arms.Control)} {
		if want := alone.Arms.Of(f.Arm).Accuracy; f.Seeds[1].Accuracy != want {
			t.Errorf("%s, second seed: %v, alone %v", f.Arm, f.Seeds[1].Accuracy, want)
		}
	}
	if m := out.Measures[0]; math.Abs(m.Candidate-out.Arms.Of(arms.Candidate).Accuracy) > 1e-12 || m.First != out.CandidateEvaluation.Top1 {
		t.Errorf("accuracy %+v", m)
	}
}

// A round of several arms and seeds that is killed at any step goes on from that arm's and that seed's checkpoint, and ends with the same
// bits; cancelled it leaves nothing.
func TestArmsAndSeedsResumeAndAreCancelled(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 44, 6, 40)
	build := func(began *int, at func(step int)) RoundSpec {
		spec := p.spec(t, func(_ recipe.Settings, e *toyEngine) {
			e.onStep = func(int) {
				if at != nil {
					at(*began)
				}
				*began++
			}
		})
		spec.Settings.Seeds = 2
		spec.Settings.Arms, _ = arms.Parse("shuffled_across")
		spec.checkpointEvery = 1
		return spec
	}
	steps := 0
	want, err := RunRound(t.Context(), build(&steps, nil), Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if steps != 6*want.Steps {
		t.Fatalf("%d steps of 6 trainings of %d", steps, want.Steps)
	}
	for kill := 0; kill < steps; kill += 4 {
		for _, cause := range []error{errors.New("killed"), ErrCancelled} {
			ctx, cancel := context.WithCancelCause(t.Context())
			began := 0
			spec := build(&began, func(step int) {
				if step == kill {
					cancel(cause)
				}
			})
			if _, err := RunRound(ctx, spec, Observer{}); !errors.Is(err, cause) {
				t.Fatalf("%v at step %d: %v", cause, kill, err)
			}
			left, err := filepath.Glob(filepath.Join(spec.WorkDir, "*"))
			if err != nil {
				t.Fatal(err)
			}
			if errors.Is(cause, ErrCancelled) {
				if len(left) > 0 {
					t.Errorf("cancelled at step %d it leaves %q", kill, left)
				}
				continue
			}
			taken := 0
			again := build(&taken, nil)
			again.WorkDir = spec.WorkDir
			got, err := RunRound(t.Context(), again, Observer{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Model, want.Model) || !bytes.Equal(got.Control, want.Control) || !slices.Equal(got.Curve, want.Curve) {
				t.Errorf("killed at step %d it ends with other networks", kill)
			}
			if diff := cmp.Diff(want.Rows, got.Rows); diff != "" {
				t.Errorf("killed at step %d: %s", kill, diff)
			}
			if taken > steps-kill+1 {
				t.Errorf("killed at step %d of %d, %d steps were taken again", kill, steps, taken)
			}
		}
	}
}

// An arm that was asked for and diverges is left out, and the round goes on.
func TestAnArmThatDivergesIsLeftOut(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 44, 6, 40)
	opened := 0
	spec := p.spec(t, func(_ recipe.Settings, e *toyEngine) {
		if opened++; opened == 4 { // parent, candidate, control
			e.poison = 3
		}
	})
	spec.Settings.Arms, _ = arms.Parse("shuffled_across")
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []measure.LeftOut{{Arm: arms.ShuffledAcross, Why: "its training came apart at step 3"}}; !slices.Equal(out.Arms.LeftOut, want) || out.Arms.Of(arms.ShuffledAcross) != nil {
		t.Errorf("left out %+v", out.Arms.LeftOut)
	}
	if !strings.Contains(strings.Join(out.Warnings, " "), "no validation images") || out.Arms.Baseline != arms.Control || out.Arms.ValidationImages != 0 {
		t.Errorf("without validation images: %+v, %q", out.Arms, out.Warnings)
	}
}

// Maps go to other images, of the class or of any, with their marks.
func TestShuffledMaps(t *testing.T) {
	t.Parallel()
	var train []sample.Sample
	for i := range 12 {
		s := sample.Sample{ID: int64(i), Label: i % 3}
		if i < 7 { // three of class 0, two of classes 1 and 2
			s.Edited = attention.Map{Height: 1, Width: 1, Values: []float32{float32(i) / 10}, Marks: attention.Marks("?")}
		}
		train = append(train, s)
	}
	for _, arm := range []arms.Arm{arms.ShuffledWithin, arms.ShuffledAcross} {
		seen := map[string]bool{}
		for seed := range int64(20) {
			got, kept, why := shuffledMaps(train, arm, seed)
			if kept != 0 || why != "" {
				t.Errorf("%s: %d kept, %s", arm, kept, why)
			}
			var order []int
			for i, s := range got {
				if i >= 7 {
					if !s.Edited.IsZero() {
						t.Errorf("image %d has got a map", i)
					}
					continue
				}
				from := int(math.Round(float64(s.Edited.Values[0]) * 10))
				order = append(order, from)
				if from == i || s.Edited.Marks != "?" || arm == arms.ShuffledWithin && from%3 != i%3 {
					t.Errorf("%s: image %d has the map of %d, marks %q", arm, i, from, s.Edited.Marks)
				}
			}
			seen[fmt.Sprint(order)] = true
			if again, _, _ := shuffledMaps(train, arm, seed); !slices.EqualFunc(got, again, func(a, b sample.Sample) bool { return a.Edited.Equal(b.Edited) }) {
				t.Error("the same seed deals out other maps")
			}
		}
		if len(seen) < 2 {
			t.Errorf("%s: all seeds deal out %v", arm, seen)
		}
	}
	if _, kept, why := shuffledMaps(train[:3], arms.ShuffledWithin, 1); kept != 3 || why == "" {
		t.Errorf("one of each class: %d kept, %q", kept, why)
	}
	if _, _, why := shuffledMaps(train[6:], arms.ShuffledAcross, 1); why == "" {
		t.Error("one map alone is shuffled")
	}
	if train[0].Edited.Values[0] != 0 {
		t.Error("the samples themselves were changed")
	}
}

// Maps of zeros are the same on any image: shuffled, and refitted where the candidate is, they make the same networks, so that a refit's gain is
// not taken for that of the maps. The round says what such maps teach.
func TestArmsOfEmptyMaps(t *testing.T) {
	t.Parallel()
	spec := armsSpec(t, fixture.ReferenceModels(t)[0], recipe.EngineORT)
	for i, s := range spec.Train {
		if !s.Edited.IsZero() {
			spec.Train[i].Label = 0 // so that every map is shuffled
			spec.Train[i].Edited = attention.New(s.Edited.Height, s.Edited.Width)
		}
	}
	for label := range spec.Manifest.Classes { // a refit needs an image of each class
		spec.Train[3+label].Label = label
	}
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	answers := map[arms.Arm][]measure.Row{}
	for _, r := range out.Rows {
		if r.Set == measure.OfTest {
			answers[r.Arm] = append(answers[r.Arm], r.Row)
		}
	}
	for arm, like := range map[arms.Arm]arms.Arm{
		arms.ShuffledWithin: arms.Candidate, arms.ShuffledAcross: arms.Candidate, arms.ShuffledWithinRefit: arms.CandidateRefit, arms.ShuffledAcrossRefit: arms.CandidateRefit,
	} {
		if len(answers[arm]) == 0 || !cmp.Equal(answers[arm], answers[like]) {
			t.Errorf("%s answers otherwise than %s", arm, like)
		}
	}
	if told := strings.Join(out.Warnings, " "); !strings.Contains(told, "Of 3 edited maps 3 are 0 everywhere") {
		t.Errorf("warnings %q", out.Warnings)
	}
	unknown := attention.New(1, 2)
	unknown.Marks = "??"
	avoided := attention.New(1, 2)
	avoided.Marks = "x?"
	r := round{edited: []sample.Sample{{Edited: unknown}, {Edited: avoided}, {Edited: attention.New(1, 2)}, {Edited: attention.Map{Height: 1, Width: 2, Values: []float32{0, 1}}}}}
	if empty, none := r.emptyMaps(); empty != 1 || none != 1 {
		t.Errorf("%d empty, %d that say nothing; want one of each", empty, none)
	}
}
