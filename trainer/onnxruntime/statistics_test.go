package onnxruntime

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/architecture"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// What providers other than the CPU run takes the same steps.
func TestPlainStatistics(t *testing.T) {
	t.Parallel()
	a, err := architecture.Named("tiny")
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Build(5, 3)
	if err != nil {
		t.Fatal(err)
	}
	abn := enginetest.Split(t, m)
	s := recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 1}
	var engines [2]*Engine
	for i, o := range []Options{{Threads: 1}, {Threads: 1, plainStatistics: true}} {
		e, err := New(t.Context(), abn, s, o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		engines[i] = e
	}
	for _, n := range engines[1].graph.Model.Graph.Nodes {
		if n.IsOp("BatchNormalization") && n.AttrInt("training_mode", 0) != 0 {
			t.Errorf("%s is still in training mode", n)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for k, size := range []int{6, 6, 3} {
		b := engine.Batch{Size: size}
		for range size * abn.Channels * abn.Height * abn.Width {
			b.Inputs = append(b.Inputs, max(0, float32(rng.NormFloat64()))+2)
		}
		for i := range size {
			b.Labels, b.HasEdit = append(b.Labels, rng.Int64N(5)), append(b.HasEdit, float32(i%2))
			for range abn.Height * abn.Width {
				b.Edited = append(b.Edited, rng.Float32())
			}
		}
		var results [2]engine.StepResult
		for i, e := range engines {
			if results[i], err = e.Step(t.Context(), b, engine.Update{LearningRate: 0.02, Momentum: 0.9}); err != nil {
				t.Fatal(err)
			}
		}
		if x, y := results[0].Total(), results[1].Total(); math.Abs(x-y) > 1e-4*x {
			t.Errorf("step %d: loss %v, want %v", k, y, x)
		}
	}
	for i, p := range engines[0].Parameters() {
		for j, v := range engines[1].Parameters()[i].Value {
			if math.Abs(float64(v-p.Value[j])) > 1e-3*(0.1+math.Abs(float64(p.Value[j]))) {
				t.Fatalf("%s[%d] = %v, want %v", p.Name, j, v, p.Value[j])
			}
		}
	}
}
