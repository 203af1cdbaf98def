package trainer

import (
	"context"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/architecture"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// eachEngine runs a test once per engine.
func eachEngine(t *testing.T, name string, test func(t *testing.T, engine recipe.Engine)) {
	t.Helper()
	for _, engine := range []recipe.Engine{recipe.EngineORT, recipe.EngineGorgonia} {
		t.Run(name+"/"+string(engine), func(t *testing.T) {
			t.Parallel()
			test(t, engine)
		})
	}
}

// openNamed opens the engine that the settings name on a network.
func openNamed(t *testing.T, m *onnx.Model, s recipe.Settings) engine.Engine {
	t.Helper()
	e, err := NewEngine(t.Context(), enginetest.Parts(t, m, s), s, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// engineCase is a network, how it is trained, and how often.
type engineCase struct {
	name     string
	settings recipe.Settings
	update   engine.Update
	rows     []int // batch sizes, in turn; nil: 4
}

var engineCases = []engineCase{
	{name: "attention, frozen", settings: recipe.Settings{Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormFrozen, MapLoss: recipe.MapLossL2, Gamma: 0.5, GammaAvoid: 3}},
	{name: "both, batch", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 0.5}},
	{name: "attention, batch, mse", settings: recipe.Settings{Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossMSE, Gamma: 2}},
	{name: "both, frozen, l1", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormFrozen, MapLoss: recipe.MapLossL1, Gamma: 2, GammaAvoid: 1}},
	{name: "no maps", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2}},
	{name: "anchor", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 0.5, GammaAvoid: 2, Anchor: 0.3}},
	{name: "anchor, l1", settings: recipe.Settings{Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormFrozen, MapLoss: recipe.MapLossL1, Gamma: 0.5, Anchor: 2}},
	{name: "energy", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossEnergy, Gamma: 0.5, GammaAvoid: 2}},
	{name: "energy, anchor", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormFrozen, MapLoss: recipe.MapLossEnergy, Gamma: 0.5, Anchor: 2}},
	{name: "by class and grid", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, MapWeight: recipe.MapWeightClassAndGrid, Gamma: 0.5, GammaAvoid: 2}},
	{name: "only what is avoided", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossMSE, GammaAvoid: 5}},
	{name: "all, batch", settings: recipe.Settings{Strategy: recipe.StrategyAll, Blocks: 1, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 0.5}},
	{name: "all, frozen, by layer", settings: recipe.Settings{Strategy: recipe.StrategyAll, Blocks: 2, BatchNorm: recipe.BatchNormFrozen, MapLoss: recipe.MapLossL2, Gamma: 0.5, Rates: recipe.RatesByLayer}},
	{name: "scratch", settings: recipe.Settings{Strategy: recipe.StrategyScratch, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 0.5}},
	{name: "smaller last batch", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 0.5}, rows: []int{4, 4, 3}},
	{name: "one row", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormFrozen, MapLoss: recipe.MapLossL2, Gamma: 0.5}, rows: []int{1}},
	{name: "nesterov, clipped", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 0.5, Optimizer: recipe.OptimizerNesterov},
		update: engine.Update{LearningRate: 0.01, Momentum: 0.9, WeightDecay: 1e-3, Optimizer: recipe.OptimizerNesterov, SpareNorms: true, ClipNorm: 0.5}},
	{name: "adamw", settings: recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormFrozen, MapLoss: recipe.MapLossL2, Gamma: 0.5, Optimizer: recipe.OptimizerAdamW},
		update: engine.Update{LearningRate: 1e-4, WeightDecay: 1e-2, Optimizer: recipe.OptimizerAdamW}},
}

// TestEnginesAgree takes the same steps on both engines, on a network of our own making, and compares losses, hits,
// parameters and momenta after them, and a forward pass.
func TestEnginesAgree(t *testing.T) {
	t.Parallel()
	for _, c := range engineCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, err := architecture.Named("micro")
			if err != nil {
				t.Fatal(err)
			}
			a.ImageSize = 40 // a map of 5×5
			m, err := a.Build(4, 11)
			if err != nil {
				t.Fatal(err)
			}
			c.compare(t, m, enginetest.Noise(t, m, c.settings, 4, c.rows...))
		})
	}
}

// compare takes the case's steps on both engines.
func (c engineCase) compare(t *testing.T, m *onnx.Model, batches []engine.Batch) {
	t.Helper()
	if c.update == (engine.Update{}) {
		c.update = engine.Update{LearningRate: 0.01, Momentum: 0.9, WeightDecay: 1e-4}
	}
	ours := c.settings
	ours.Engine = recipe.EngineORT
	runtime := openNamed(t, m, ours)
	ours.Engine = recipe.EngineGorgonia
	gorgonia := openNamed(t, m, ours)
	for k, b := range batches {
		c.update.Step = k + 1
		want, err := runtime.Step(context.Background(), b, c.update)
		if err != nil {
			t.Fatal(err)
		}
		got, err := gorgonia.Step(context.Background(), b, c.update)
		if err != nil {
			t.Fatal(err)
		}
		enginetest.Agree(t, k, got, want)
	}
	got, want := gorgonia.Parameters(), runtime.Parameters()
	if len(got) != len(want) {
		t.Fatalf("%d parameters, want %d", len(got), len(want))
	}
	for i, p := range got {
		if p.Name != want[i].Name || (p.Momentum == nil) != (want[i].Momentum == nil) || (p.Second == nil) != (want[i].Second == nil) {
			t.Fatalf("parameter %d is %s, want %s", i, p.Name, want[i].Name)
		}
		enginetest.Near(t, p.Name, p.Value, want[i].Value, 2e-4)
		enginetest.Near(t, "momentum of "+p.Name, p.Momentum, want[i].Momentum, 2e-3)
		enginetest.Near(t, "second moment of "+p.Name, p.Second, want[i].Second, 1e-4)
	}
	last := batches[len(batches)-1]
	x, err := gorgonia.Forward(context.Background(), last.Size, last.Inputs)
	if err != nil {
		t.Fatal(err)
	}
	y, err := runtime.Forward(context.Background(), last.Size, last.Inputs)
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Near(t, "logits_att", x.LogitsAtt, y.LogitsAtt, 1e-3)
	enginetest.Near(t, "logits_per", x.LogitsPer, y.LogitsPer, 1e-3)
	enginetest.Near(t, "maps", x.Maps, y.Maps, 1e-3)
}
