package trainer

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/architecture"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// TestMarksInTheLoss holds both parts of L_map to their definitions, and the gradient of the loss to finite differences.
func TestMarksInTheLoss(t *testing.T) {
	t.Parallel()
	a, err := architecture.Named("micro")
	if err != nil {
		t.Fatal(err)
	}
	a.ImageSize = 40
	m, err := a.Build(4, 11)
	if err != nil {
		t.Fatal(err)
	}
	s := recipe.Settings{Engine: recipe.EngineORT, Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormFrozen, MapLoss: recipe.MapLossL2, Gamma: 0.7, GammaAvoid: 4}
	e := openNamed(t, m, s)
	abn := enginetest.Split(t, m)
	cells := abn.Height * abn.Width
	b := enginetest.Noise(t, m, s, 1)[0]
	b.Known, b.Avoided = b.Marks()
	edited := make([]attention.Map, b.Size)
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range b.Size {
		marks := make([]byte, cells)
		for c := range marks {
			marks[c] = ".?x"[rng.IntN(3)]
		}
		edited[i] = attention.Map{Height: abn.Height, Width: abn.Width, Values: b.Edited[i*cells : (i+1)*cells], Marks: attention.Marks(marks)}
		edited[i].Known(b.Known[i*cells:(i+1)*cells], b.Avoided[i*cells:(i+1)*cells])
	}

	out, err := e.Forward(t.Context(), b.Size, b.Inputs)
	if err != nil {
		t.Fatal(err)
	}
	var distance, avoidance, rows float64
	for i, has := range b.HasEdit {
		if has == 0 {
			continue
		}
		own := attention.Map{Height: abn.Height, Width: abn.Width, Values: out.Maps[i*cells : (i+1)*cells]}
		distance, avoidance, rows = distance+own.Distance(edited[i]), avoidance+own.Avoidance(edited[i]), rows+1
	}
	distance, avoidance = distance/rows, avoidance/rows
	still := engine.Update{Step: 1} // a rate of 0 changes nothing
	got, err := e.Step(t.Context(), b, still)
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-5*math.Abs(want) {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	near("the distance", got.MapDistance, distance)
	near("the avoidance", got.Avoidance, avoidance)
	near("L_map", got.LossMap, 0.7*distance+4*avoidance)

	checkGradients(t, e, b, 3e-3, func(_, length int) []int { return []int{rng.IntN(length)} })
}
