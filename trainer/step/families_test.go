package step

import (
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// TestFamiliesCanBeTrained compiles the training step of every export at its published size, by both strategies, BatchNorm frozen
// and on the batch's statistics, and as a whole from pixels.
func TestFamiliesCanBeTrained(t *testing.T) {
	t.Parallel()
	for _, f := range enginetest.Families(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Structure()
			if err != nil {
				t.Fatal(err)
			}
			abn := enginetest.Split(t, m)
			for _, s := range []recipe.Settings{
				{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch}, {Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormFrozen},
				{Strategy: recipe.StrategyScratch, BatchNorm: recipe.BatchNormBatch},
				{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormFrozen}, {Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormBatch},
			}[:map[string]int{"full": 5, "small": 3}[f.Size]] { // the narrow ones are run below
				if reasons, err := Untrainable(t.Context(), abn, s.Strategy, s.BatchNorm); err != nil || len(reasons) > 0 {
					t.Errorf("%s, BatchNorm %s: %v %v", s.Strategy, s.BatchNorm, reasons, err)
				}
			}
		})
	}
}
