package trainer

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/recipe"
)

// searching is a round that searches γ around 0.5 on images of their own, and how many steps each γ has trained.
func searching(t *testing.T, p *toyProblem) (spec RoundSpec, trained map[float64]int) {
	t.Helper()
	trained = map[float64]int{}
	spec = p.spec(t, func(s recipe.Settings, e *toyEngine) {
		e.onStep = func(int) { trained[s.Gamma]++ }
	})
	spec.Heldout, spec.Validation = p.heldout[:28], p.heldout[28:]
	spec.Settings.GammaSearch, spec.Settings.Epochs = true, 4
	return spec, trained
}

// A search trains 0.3, 1 and 3 times γ for a third of the epochs, judges them on the validation images, and the round is then the one
// with the best of them.
func TestRoundSearchesGamma(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 90, 12, 100)
	spec, trained := searching(t, p)
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	found := out.GammaSearch
	if found == nil || len(found.Tries) != 3 || found.Epochs != 2 || found.Gamma != out.Settings.Gamma || out.ValidationImages != 72 || out.HeldBack {
		t.Fatalf("%+v of %d images, trained with %g", found, out.ValidationImages, out.Settings.Gamma)
	}
	for i, gamma := range []float64{0.15, 0.5, 1.5} {
		try := found.Tries[i]
		steps := out.Steps / 2
		if gamma == found.Gamma {
			steps += out.Steps
		}
		if try.Gamma != gamma || trained[gamma] != steps {
			t.Errorf("try %+v of %d steps, want %g and %d", try, trained[gamma], gamma, steps)
		}
		if try.Validation.Loss < found.Tries[slices.IndexFunc(found.Tries, func(t GammaTry) bool { return t.Gamma == found.Gamma })].Validation.Loss {
			t.Errorf("%+v is better than what was chosen, %g", try, found.Gamma)
		}
		// The try is a fine-tuning of its own.
		alone := p.spec(t, nil)
		alone.Settings = spec.Settings.Tried(gamma)
		alone.Heldout, alone.WithoutControl = spec.Validation, true
		want, err := RunRound(t.Context(), alone, Observer{})
		if err != nil {
			t.Fatal(err)
		}
		if try.Validation.Accuracy != want.CandidateEvaluation.Top1 {
			t.Errorf("γ = %g: an accuracy of %g, by itself %g", gamma, try.Validation.Accuracy, want.CandidateEvaluation.Top1)
		}
	}
	plain := p.spec(t, nil)
	plain.Settings, plain.Heldout = spec.Settings, spec.Heldout
	plain.Settings.GammaSearch, plain.Settings.Gamma = false, found.Gamma
	want, err := RunRound(t.Context(), plain, Observer{})
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
				t.Errorf("network %d: %s is not that of a round with γ = %g", i, q.Name, found.Gamma)
			}
		}
	}
	if slices.ContainsFunc(out.Curve, func(p Point) bool { return p.Arm != arms.Candidate && p.Arm != arms.Control }) || !slices.Equal(out.Curve, want.Curve) {
		t.Error("the curve is not that of a round without a search")
	}
	if left, err := filepath.Glob(filepath.Join(spec.WorkDir, "gamma-*.checkpoint")); err != nil || len(left) > 0 {
		t.Errorf("checkpoints of the tries: %v, %v", left, err)
	}
}

// A round that is cut off in its search goes on where it was, and finds the same γ.
func TestSearchedGammaResumes(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 90, 12, 100)
	whole, _ := searching(t, p)
	want, err := RunRound(t.Context(), whole, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{1, want.Steps/2 + 1, want.Steps - 1, want.Steps + 2} {
		spec, trained := searching(t, p)
		ctx, cancel := context.WithCancelCause(t.Context())
		total := 0
		cutting := p.spec(t, func(s recipe.Settings, e *toyEngine) {
			e.onStep = func(int) {
				if total++; total == cut {
					cancel(errors.New("the worker shuts down"))
				}
			}
		})
		cutting.Heldout, cutting.Validation, cutting.Settings, cutting.WorkDir = spec.Heldout, spec.Validation, spec.Settings, spec.WorkDir
		if _, err := RunRound(ctx, cutting, Observer{}); err == nil {
			t.Fatalf("cut at step %d, it went on", cut)
		}
		out, err := RunRound(t.Context(), spec, Observer{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out.GammaSearch.Tries, want.GammaSearch.Tries) || out.GammaSearch.Gamma != want.GammaSearch.Gamma {
			t.Errorf("cut at step %d: %+v, want %+v", cut, out.GammaSearch, want.GammaSearch)
		}
		if cut > want.Steps/2 && trained[0.15] > 0 && want.GammaSearch.Gamma != 0.15 {
			t.Errorf("cut at step %d: the first γ, which was tried, is trained %d steps again", cut, trained[0.15])
		}
	}
}

// A try that comes apart is not chosen; where all do, the round has the γ that was set, and says so.
func TestSearchSurvivesDivergence(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		p := newToyProblem(t, 90, 12, 100)
		spec, _ := searching(t, p)
		opened := 0
		broken := p.spec(t, func(_ recipe.Settings, e *toyEngine) {
			opened++ // the parent's is the first
			if opened >= 2 && opened <= 4 && (all || opened == 2) {
				e.poison = 3
			}
		})
		broken.Heldout, broken.Validation, broken.Settings = spec.Heldout, spec.Validation, spec.Settings
		out, err := RunRound(t.Context(), broken, Observer{})
		if err != nil {
			t.Fatal(err)
		}
		said := slices.ContainsFunc(out.Warnings, func(w string) bool { return strings.Contains(w, "No γ was found") })
		if !out.GammaSearch.Tries[0].Diverged || out.GammaSearch.Tries[2].Diverged != all || out.GammaSearch.Gamma == 0.15 || all && out.Settings.Gamma != 0.5 || said != all {
			t.Errorf("all %t: %+v, %q", all, out.GammaSearch, out.Warnings)
		}
	}
}

// Without validation images a tenth of the training images is held back, and with too few the round is refused.
func TestSearchHoldsImagesBack(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 68, 8, 40)
	spec, _ := searching(t, p)
	spec.Heldout, spec.Validation = p.heldout, nil
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if out.ValidationImages != 6 || !out.HeldBack || out.Images != 62 || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "The search for γ looks at 6 validation images") {
		t.Errorf("%d validate, held back %t, %d train, %q", out.ValidationImages, out.HeldBack, out.Images, out.Warnings)
	}
	if out.Runs[0].Epochs != 4 || out.Runs[0].Validation != (Validation{}) {
		t.Errorf("the arms stop early too: %+v", out.Runs)
	}
	spec.Train = p.train[:17]
	var bad *recipe.Error
	if _, err := RunRound(t.Context(), spec, Observer{}); !errors.As(err, &bad) || bad.Field != "gamma_search" {
		t.Errorf("nine images without an edit: %v", err)
	}
}
