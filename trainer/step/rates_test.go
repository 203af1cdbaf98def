package step

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// The body of an attention branch whose BatchNorms are folded away learns at a tenth, and nothing else does.
func TestLayerRatesSpareTheBody(t *testing.T) {
	t.Parallel()
	list, err := families.List(filepath.Join(fixture.Root(), "onnx", "testdata", "classifiers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		m, err := f.Structure()
		if err != nil {
			t.Fatal(err)
		}
		attached, err := onnx.Attach(t.Context(), m, onnx.AttachSettings{Classes: 10, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		abn := enginetest.Split(t, attached.Model)
		source := SourceOf(abn, recipe.StrategyBoth)
		rates := source.Rates()
		if isFolded := Folded(abn.Branches.Graph); isFolded != (f.Norm == "folded") || isFolded != (len(rates) > 0) {
			t.Errorf("%s: BatchNorms %s, folded: %v, %d tensors with rates of their own", f.Name, f.Norm, isFolded, len(rates))
		}
		if len(rates) == 0 {
			continue
		}
		chosen, err := source.choose(recipe.StrategyBoth, recipe.BatchNormBatch)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range chosen.weights {
			body := strings.HasPrefix(name, "attention.") && !strings.HasPrefix(name, "attention.att_conv") && !strings.HasPrefix(name, "attention.bn_att")
			want := 0.0
			if body {
				want = bodyRate
			}
			if rates[name] != want {
				t.Errorf("%s: %s has a rate of %v, want %v", f.Name, name, rates[name], want)
			}
		}
	}
}
