package onnxruntime

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// TestFamiliesLearn runs the step of every narrow export on ONNX Runtime and compares what it reports with what the loss does:
// along two directions through all parameters by central differences, and over one small step. STUDIO_ALL_FAMILIES=1 takes all of
// them rather than every third.
func TestFamiliesLearn(t *testing.T) {
	t.Parallel()
	ways := []recipe.Settings{
		{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormFrozen}, {Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch},
		{Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormBatch}, {Strategy: recipe.StrategyScratch, BatchNorm: recipe.BatchNormBatch},
		{Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormFrozen},
	}
	for i, f := range enginetest.Families(t) {
		// Every third one, in turn, so that each network meets a third of the forms and each form a third of the networks.
		if f.Size != "small" || (i+i/6)%3 != 1 && os.Getenv("STUDIO_ALL_FAMILIES") == "" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Model()
			if err != nil {
				t.Fatal(err)
			}
			if f.Opset == 18 && f.Exporter == "trace" {
				m.Opsets[0].Version = 19 // which no exporter here writes; what these graphs hold is the same in both
			}
			s := ways[(i+i/len(ways))%len(ways)] // every form and every network meets several
			s.Gamma, s.MapLoss = 0.5, recipe.MapLossL2
			abn := enginetest.Split(t, m)
			e, err := New(t.Context(), abn, s, Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			checkStep(t, e, enginetest.Batch(abn, s.Strategy, 6))
		})
	}
}

// checkStep compares an engine's gradients with its losses. The first direction moves every tensor uphill by the same share of its
// length, so that the loss changes by Σ|g|·|p| and no tensor hides behind another; the second flips half of them.
func checkStep(t *testing.T, e *Engine, b engine.Batch) {
	t.Helper()
	start := enginetest.Clone(e.Parameters())
	first, err := e.Step(context.Background(), b, engine.Update{})
	if err != nil {
		t.Fatal(err)
	}
	if v := first.Total(); math.IsNaN(v) || math.IsInf(v, 0) || v <= 0 {
		t.Fatalf("loss %g", v)
	}
	gradients := map[string][]float32{}
	for i, p := range e.weights {
		gradients[p.Name] = slices.Clone(e.gradients[i])
	}
	// A step against the gradient so small that the loss falls by a thousandth, if the gradient is right.
	squares := 0.0
	for _, g := range gradients {
		squares += norm(g) * norm(g)
	}
	u := engine.Update{LearningRate: 1e-3 * first.Total() / squares}
	var losses [2]float64
	for i := range losses {
		result, err := e.Step(context.Background(), b, u)
		if err != nil {
			t.Fatal(err)
		}
		losses[i] = result.Total()
	}
	if fall := (losses[0] - losses[1]) / first.Total(); losses[0] != first.Total() || math.Abs(fall-1e-3) > 2e-4 {
		t.Errorf("losses %v after %g: it falls by %.3g of itself in one step, want 1e-3", losses, first.Total(), fall)
	}
	// moved is the loss with every tensor moved by length·sign·|p|/|g| along its gradient, and the slope the gradients promise.
	r := rand.New(rand.NewPCG(1, 9))
	for _, mixed := range []bool{false, true} {
		scale, slope, whole := map[string]float64{}, 0.0, 0.0
		for _, p := range start {
			g := gradients[p.Name]
			length, size := norm(g), norm(p.Value)
			if length == 0 {
				continue
			}
			scale[p.Name] = size / length
			if mixed && r.IntN(2) == 0 {
				scale[p.Name] = -scale[p.Name]
			}
			slope += scale[p.Name] * length * length
			whole += size * length
		}
		moved := func(length float64) float64 {
			list := enginetest.Clone(start)
			for _, p := range list {
				for i, g := range gradients[p.Name] { // running statistics have none
					p.Value[i] += float32(length * scale[p.Name] * float64(g))
				}
			}
			if err := e.Load(list); err != nil {
				t.Fatal(err)
			}
			result, err := e.Step(context.Background(), b, engine.Update{})
			if err != nil {
				t.Fatal(err)
			}
			return result.Total()
		}
		length := 3e-4 * first.Total() / whole // small enough for a network of many layers, large beside float32's rounding
		measured := (moved(length) - moved(-length)) / (2 * length)
		if off := math.Abs(measured - slope); !(off <= 0.02*whole) {
			t.Errorf("the loss changes by %.4g along a direction in which the gradients say %.4g (of %.4g in all)", measured, slope, whole)
		}
	}
}

func norm(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
