package trainer

import (
	"math"
	"os"
	"testing"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
	"github.com/abn-studio/studio/trainer/step"
)

// With both engines a tensor of the body moves a tenth as far in the first step as at one rate, every other as far.
func TestStepsFollowLayerRates(t *testing.T) {
	t.Parallel()
	if err := ort.Init(os.Getenv("STUDIO_ORT_LIB")); err != nil {
		t.Fatal(err)
	}
	var abn *onnx.ABN
	for _, f := range enginetest.Families(t) {
		if f.Name == "mobilenet_v2-small-trace13-folded-published" {
			m, err := f.Model()
			if err != nil {
				t.Fatal(err)
			}
			abn = enginetest.Split(t, m)
		}
	}
	batch := enginetest.Batch(abn, recipe.StrategyBoth, 4)
	rates := step.SourceOf(abn, recipe.StrategyBoth).Rates()
	for _, which := range []recipe.Engine{recipe.EngineORT, recipe.EngineGorgonia} {
		for _, optimizer := range []recipe.Optimizer{recipe.OptimizerSGD, recipe.OptimizerNesterov, recipe.OptimizerAdamW} {
			moved := map[recipe.Rates]map[string][]float32{}
			for _, r := range []recipe.Rates{recipe.RatesOne, recipe.RatesByLayer} {
				s := completed(recipe.Settings{Engine: which, Optimizer: optimizer, Gamma: 1, BatchSize: batch.Size, Rates: r})
				e, err := NewEngine(t.Context(), abn, s, 1)
				if err != nil {
					t.Fatal(err)
				}
				before := map[string][]float32{}
				for _, p := range e.Parameters() {
					before[p.Name] = append([]float32{}, p.Value...)
				}
				if _, err := e.Step(t.Context(), batch, engine.Update{LearningRate: 0.01, Momentum: 0.9, Optimizer: optimizer, Step: 1}); err != nil {
					t.Fatal(err)
				}
				moved[r] = map[string][]float32{}
				for _, p := range e.Parameters() {
					for i, v := range p.Value {
						moved[r][p.Name] = append(moved[r][p.Name], v-before[p.Name][i])
					}
				}
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			}
			bodies := 0
			for name, one := range moved[recipe.RatesOne] {
				want := 1.0
				if rates[name] != 0 {
					want = rates[name]
					bodies++
				}
				for i, v := range one {
					if got := float64(moved[recipe.RatesByLayer][name][i]); math.Abs(got-want*float64(v)) > 1e-6 {
						t.Fatalf("%s, %s: %s moved by %v, at one rate by %v, want %v of it", which, optimizer, name, got, v, want)
					}
				}
			}
			if bodies == 0 {
				t.Error("no tensor has a rate of its own")
			}
		}
	}
}
