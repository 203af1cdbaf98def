package jobs

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/trainer"
)

// The form of a round starts with what the trainer's sweep found best (docs/aviary.md).
func TestRoundDefaultsAreTheTrainers(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(trainer.DefaultSettings(), trainerSettings(annotator.DefaultRoundSettings())); diff != "" {
		t.Errorf("annotator.DefaultRoundSettings differs from trainer.DefaultSettings (-trainer +annotator):\n%s", diff)
	}
}

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
