package trainer

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// TestEnginesAgreeOnFamilies takes two steps on both engines for some of the narrow exports of published ABNs, such that
// every network and every form of export occurs. Losses and the gradients' norm of the first step are held to 1e-4; of the
// second the norm to 1e-3, since a Relu's input may lie closer to 0 than rounding tells.
func TestEnginesAgreeOnFamilies(t *testing.T) {
	t.Parallel()
	ways := []recipe.Settings{
		{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormFrozen}, {Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch},
		{Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormBatch}, {Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormFrozen},
	}
	form := func(f families.Family) string { return fmt.Sprint(f.Exporter, f.Opset, f.Norm, f.Head) }
	seenNetworks, seenForms := map[string]bool{}, map[string]bool{}
	for _, f := range enginetest.Families(t) {
		if f.Size != "small" || seenNetworks[f.Family] && seenForms[form(f)] {
			continue
		}
		seenNetworks[f.Family], seenForms[form(f)] = true, true
		s := ways[(len(seenNetworks)+len(seenForms))%len(ways)]
		s.Gamma, s.MapLoss = 0.5, recipe.MapLossL2
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Model()
			if err != nil {
				t.Fatal(err)
			}
			s.Engine = recipe.EngineORT
			runtime := openNamed(t, m, s)
			s.Engine = recipe.EngineGorgonia
			gorgonia := openNamed(t, m, s)
			b := enginetest.Batch(enginetest.Split(t, m), recipe.StrategyBoth, 6)
			for k, bound := range []float64{1e-4, 1e-3} {
				u := engine.Update{LearningRate: 1e-3, Momentum: 0.9, ClipNorm: 1e5}
				got, err := gorgonia.Step(context.Background(), b, u)
				if err != nil {
					t.Fatal(err)
				}
				want, err := runtime.Step(context.Background(), b, u)
				if err != nil {
					t.Fatal(err)
				}
				if !(math.Abs(got.GradNorm-want.GradNorm) <= bound*want.GradNorm) {
					t.Errorf("step %d: the gradients' norm is %g, want %g", k, got.GradNorm, want.GradNorm)
				}
				got.GradNorm = want.GradNorm
				enginetest.Agree(t, k, got, want)
			}
		})
	}
	if len(seenNetworks) < 8 || len(seenForms) < 8 {
		t.Errorf("%d networks and %d forms were looked at", len(seenNetworks), len(seenForms))
	}
}

// TestGorgoniaTrainsFamilies asks whether the gorgonia engine has what the published ABNs need at full size.
func TestGorgoniaTrainsFamilies(t *testing.T) {
	t.Parallel()
	var seen []string
	for _, f := range enginetest.Families(t) {
		if f.Size != "full" || slices.Contains(seen, f.Family) {
			continue
		}
		seen = append(seen, f.Family)
		m, err := f.Structure()
		if err != nil {
			t.Fatal(err)
		}
		if reasons, err := Lacks(t.Context(), enginetest.Split(t, m), completed(recipe.Settings{Engine: recipe.EngineGorgonia})); err != nil || len(reasons) > 0 {
			t.Errorf("%s: %v %v", f.Name, reasons, err)
		}
	}
	if len(seen) < 10 {
		t.Errorf("full-size networks: %v", seen)
	}
}
