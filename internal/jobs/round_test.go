package jobs

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/trainer"
)

func TestClassName(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"017.Cardinal": "Cardinal", "001.Black_footed_Albatross": "Black footed Albatross", "n01440764": "n01440764", "3.": "3.", "a.b": "a.b",
	} {
		if got := ClassName(key); got != want {
			t.Errorf("ClassName(%q) = %q, want %q", key, got, want)
		}
	}
}

// What a round's page says of a divergence names the arm, the step, the loss and the last good state, and what to do.
func TestFailureTellsOfADivergence(t *testing.T) {
	t.Parallel()
	for says, d := range map[string]trainer.DivergedError{
		"The candidate came apart at step 412: its loss was NaN. The last good state was that of step 400, after 3 whole epochs. Nothing was kept":                     {Arm: arms.Candidate, Step: 412, GoodStep: 400, Epoch: 3, Loss: math.NaN()},
		"The control forgot what the network's perception branch knew: at step 20 its loss was 4.20, above that of guessing, 2.64. No state after the start was good.": {Arm: arms.Control, Step: 20, Loss: 4.2, Chance: 2.639, Branch: trainer.BranchPerception},
		"The candidate came apart at step 7: conv.weight holds a value that is no number.":                                                                             {Arm: arms.Candidate, Step: 7, Parameter: "conv.weight"},
		"The candidate came apart: after step 88 its loss on the validation images was +Inf.":                                                                          {Arm: arms.Candidate, Step: 88, Loss: math.Inf(1), Validation: true},
	} {
		got := failure(fmt.Errorf("round: %w", &d))
		if !strings.HasPrefix(got, says) || !strings.Contains(got, "Try a lower learning rate") {
			t.Errorf("failure(%+v) = %q, want it to begin %q", d, got, says)
		}
	}
}
