package trainer

import (
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/architecture"
)

// TestPassesArePrinted follows a step through its passes: what it prints is the place to look where one of them goes wrong.
func TestPassesArePrinted(t *testing.T) {
	t.Parallel()
	a, err := architecture.Named("tiny")
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Build(5, 3)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	s := recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 1}
	if err := Print(t.Context(), &text, splitModel(t, m), s, true); err != nil {
		t.Fatal(err)
	}
	var passes []string
	section := map[string]string{}
	for _, part := range strings.Split("\n"+text.String(), "\n# ")[1:] {
		name, _, _ := strings.Cut(part, ":")
		passes = append(passes, name)
		section[name] = part
	}
	if want := []string{"raise", "simplify", "choose", "batch statistics", "losses", "differentiate", "outputs"}; !slices.Equal(passes, want) {
		t.Fatalf("passes are %v, want %v", passes, want)
	}
	for value, from := range map[string]string{"batch/bn_att2": "batch statistics", "loss/total = Add(": "losses", "gradient/": "differentiate"} {
		for i, pass := range passes {
			if got, want := strings.Contains(section[pass], value), i >= slices.Index(passes, from); got != want {
				t.Errorf("%s behind %q: %v", value, pass, got)
			}
		}
	}
}
