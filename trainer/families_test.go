package trainer

import (
	"context"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// TestFreshNetworksAreUntied trains networks of which the exporter has written equal tensors once: the attention branch, still a
// copy of the last stage, and every BatchNorm get tensors of their own, and the exported file answers as the engine does.
func TestFreshNetworksAreUntied(t *testing.T) {
	t.Parallel()
	found := 0
	for _, f := range enginetest.Families(t) {
		if f.Weights != "fresh" || f.Size != "small" {
			continue
		}
		found++
		parent, err := f.Model()
		if err != nil {
			t.Fatal(err)
		}
		abn := enginetest.Split(t, parent)
		attention := readBy(abn.Attention.Graph)
		for name := range readBy(abn.Perception.Graph) {
			if attention[name] {
				t.Errorf("%s: both branches read %s", f.Name, name)
			}
		}
		e, err := NewEngine(t.Context(), abn, recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2}, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		b := enginetest.Batch(abn, recipe.StrategyBoth, 6)
		for range 3 {
			if _, err := e.Step(context.Background(), b, engine.Update{LearningRate: 1e-3}); err != nil {
				t.Fatal(err)
			}
		}
		child, err := Export(parent, e.Parameters(), nil)
		if err != nil {
			t.Fatal(err)
		}
		reloaded := enginetest.Split(t, child)
		again, err := NewEngine(t.Context(), reloaded, recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2}, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		want, err := e.Forward(context.Background(), b.Size, b.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Forward(context.Background(), b.Size, b.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.LogitsPer, want.LogitsPer) || !slices.Equal(got.LogitsAtt, want.LogitsAtt) || !slices.Equal(got.Maps, want.Maps) {
			t.Errorf("%s: the exported file answers differently", f.Name)
		}
		if len(again.Parameters()) != len(e.Parameters()) || reloaded.ExtractorHash() != abn.ExtractorHash() {
			t.Errorf("%s: %d parameters, then %d; or another extractor", f.Name, len(e.Parameters()), len(again.Parameters()))
		}
	}
	if found == 0 {
		t.Error("no fresh export")
	}
}

// readBy are a graph's initializers of more than one element that its convolutions and BatchNorms read.
func readBy(g *onnx.Graph) map[string]bool {
	read := map[string]bool{}
	for _, n := range g.Nodes {
		if n.IsOp("Conv", "BatchNormalization", "Gemm") {
			for _, in := range n.Inputs[1:] {
				read[in] = g.Initializer(in) != nil
			}
		}
	}
	return read
}
