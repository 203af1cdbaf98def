package step

import (
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

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
