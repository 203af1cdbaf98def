package trainer

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/sample"
)

// Maps without meaning make the attention branch of a real network, which got every picture right, guess. This is noticed, and
// the round begins again at half the rate and ends well. If even the last halved rate is too high, the round ends with an error
// that names the branch.
func TestRoundThatCollapsesIsRetriedAndNamed(t *testing.T) {
	t.Parallel()
	trained := attachedSpec(t)
	network, err := TrainScratch(t.Context(), trained, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if network.Evaluation.AttTop1 != 1 {
		t.Fatalf("the attention branch begins at %v", network.Evaluation.AttTop1)
	}
	round := func(rate float64) (out RoundOutcome, restarts []*DivergedError, err error) {
		spec := RoundSpec{
			Model: network.Model, Manifest: trained.Manifest, Train: append([]sample.Sample{}, trained.Train...), Heldout: trained.Heldout, Pixels: trained.Pixels,
			WorkDir: filepath.Join(t.TempDir(), "round"), Threads: 1,
			Settings: completed(recipe.Settings{Gamma: 3, Epochs: 12, BatchSize: 8, LearningRate: rate, Seed: 3}),
		}
		for i := range 8 { // maps that have nothing to do with the picture
			spec.Train[i].Edited = attention.Map{Height: 4, Width: 4, Values: make([]float32, 16)}
			spec.Train[i].Edited.Values[i%4] = 1
		}
		out, err = RunRound(t.Context(), spec, Observer{Restarted: func(d *DivergedError, _ float64) { restarts = append(restarts, d) }})
		return out, restarts, err
	}

	out, restarts, err := round(0.6)
	if err != nil || len(restarts) == 0 {
		t.Fatalf("%d restarts, %v", len(restarts), err)
	}
	for _, d := range restarts {
		if d.Branch != BranchAttention || d.Chance == 0 || d.Arm != arms.Candidate {
			t.Errorf("it came apart by %+v", d)
		}
	}
	if rate := out.Settings.LearningRate; rate >= 0.6 || out.CandidateEvaluation.AttTop1 != 1 || !strings.Contains(strings.Join(out.Warnings, " "), "began again") {
		t.Errorf("at %v the attention branch has %v; %q", rate, out.CandidateEvaluation.AttTop1, out.Warnings)
	}

	_, restarts, err = round(4)
	var diverged *DivergedError
	if !errors.As(err, &diverged) || len(restarts) != maxRestarts {
		t.Fatalf("%d restarts, %v", len(restarts), err)
	}
	for _, word := range []string{"attention branch", "than 1", "clip_norm", "frozen"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}
