package onnxruntime

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
	"github.com/abn-studio/studio/trainer/architecture"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// TestBlockedStepIsTheStep takes a step in blocks and one in standard operators on the same network and batch. Gradients differ by
// rounding, and where a Relu's input is so near 0 that rounding decides.
func TestBlockedStepIsTheStep(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	if BlockSize() < 2 {
		t.Skip("this machine has no operators in blocks")
	}
	for _, name := range []string{"resnet18", "resnet50", "mobilenetv2"} {
		a, err := architecture.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		a.Width, a.ImageSize = 16, 64
		m, err := a.Build(5, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, strategy := range []recipe.Strategy{recipe.StrategyAttention, recipe.StrategyBoth, recipe.StrategyScratch} {
			for _, norm := range []recipe.BatchNorm{recipe.BatchNormBatch, recipe.BatchNormFrozen} {
				if strategy == recipe.StrategyScratch && (norm == recipe.BatchNormFrozen || name == "resnet50") {
					continue // fifty layers of statistics over so few values make percents of rounding, with the runtime's operators too
				}
				t.Run(fmt.Sprintf("%s, %s, %s", name, strategy, norm), func(t *testing.T) {
					t.Parallel()
					s := recipe.Settings{Strategy: strategy, BatchNorm: norm, Gamma: 0.5, MapLoss: recipe.MapLossL2}
					blocked, standard := openEngine(t, m, s), openEngineWith(t, m, s, Options{Threads: 1, Portable: true})
					if !slices.ContainsFunc(blocked.graph.Model.Graph.Nodes, func(n *onnx.Node) bool {
						return n.Domain == gradient.BlockedDomain && n.Op == gradient.BatchNormalizationGradient
					}) {
						t.Fatal("the step has no operators in blocks")
					}
					b := enginetest.Batch(enginetest.Split(t, m), strategy, 4)
					var results [2]engine.StepResult
					for i, e := range []*Engine{blocked, standard} {
						if results[i], err = e.Step(context.Background(), b, engine.Update{}); err != nil {
							t.Fatal(err)
						}
					}
					enginetest.Agree(t, 0, results[0], results[1])
					whole := 0.0
					for _, gradient := range standard.gradients {
						for _, g := range gradient {
							whole += float64(g) * float64(g)
						}
					}
					for i, want := range standard.gradients {
						var off, size float64
						for j, g := range want {
							off += math.Pow(float64(blocked.gradients[i][j]-g), 2)
							size += float64(g) * float64(g)
						}
						if !(math.Sqrt(off) <= 2e-3*math.Sqrt(size)+1e-5*math.Sqrt(whole)) {
							t.Errorf("the gradient of %s is %g off, of %g", standard.weights[i].Name, math.Sqrt(off), math.Sqrt(size))
						}
					}
					for i, want := range standard.statistics {
						for j := range want.Mean {
							if got := blocked.statistics[i]; math.Abs(float64(got.Mean[j]-want.Mean[j])) > 1e-4*(1+math.Abs(float64(want.Mean[j]))) ||
								math.Abs(float64(got.Variance[j]-want.Variance[j])) > 1e-4*(1+math.Abs(float64(want.Variance[j]))) {
								t.Fatalf("statistics %d, channel %d: mean %g and variance %g, want %g and %g", i, j, got.Mean[j], got.Variance[j], want.Mean[j], want.Variance[j])
							}
						}
					}
				})
			}
		}
	}
}
