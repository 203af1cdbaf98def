package step

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// Rounds from before L_map had weights, whose records name none, take the same steps to the bit: their graph is the same. Weights are
// a scale of the norm, and an input.
func TestWithoutWeightsTheGraphIsAsItWas(t *testing.T) {
	t.Parallel()
	abn := enginetest.Split(t, enginetest.Micro(t))
	build := func(weight recipe.MapWeight) string {
		s := recipe.Defaults()
		s.MapWeight, s.Anchor = weight, 1
		g, err := Build(t.Context(), SourceOf(abn, s.Strategy), s, Target{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := g.Model.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	none, scale, input := build(recipe.MapWeightNone), "loss/norm_scale", "loss/row_weight"
	if build("") != none || strings.Contains(none, scale) || strings.Contains(none, input) {
		t.Error("without weights the graph is another one")
	}
	for weight, want := range map[recipe.MapWeight][2]bool{recipe.MapWeightClass: {false, true}, recipe.MapWeightGrid: {true, false}, recipe.MapWeightClassAndGrid: {true, true}} {
		if got := build(weight); strings.Contains(got, scale) != want[0] || strings.Contains(got, input) != want[1] {
			t.Errorf("%s: the graph has neither or both", weight)
		}
	}
}

// TestUntrainable names what stands in the way.
func TestUntrainable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(fixture.Reference(t), fixture.ReferenceModels(t)[0]+".onnx")
	abn := enginetest.Split(t, enginetest.ReadModel(t, path))
	if reasons, err := Untrainable(t.Context(), abn, recipe.StrategyBoth, recipe.BatchNormBatch); err != nil || len(reasons) > 0 {
		t.Errorf("the fixture: %v, %v", reasons, err)
	}
	relu := ""
	for _, n := range abn.Branches.Graph.Nodes {
		if n.Op == "Relu" {
			n.Op, relu = "Softsign", n.Name
		}
	}
	reasons, err := Untrainable(t.Context(), abn, recipe.StrategyBoth, recipe.BatchNormFrozen)
	if err != nil || len(reasons) == 0 || reasons[len(reasons)-1].Op != "Softsign" || reasons[len(reasons)-1].Node != relu {
		t.Errorf("with Softsign: %v, %v; want the last to name %s", reasons, err, relu)
	}
}
