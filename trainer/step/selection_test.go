package step

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// torch.export gives a BatchNorm without learned parameters (affine=False) a scale of ones and a shift of zeros. Trained, they could not go home:
// the module has no place for them.
func TestBatchNormsWithoutParametersStaySo(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join(fixture.Root(), "onnx", "statedict", "testdata", "bare-dynamo.onnx.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Read(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	var fillers []string
	for _, n := range m.Graph.Nodes {
		if n.IsOp("BatchNormalization") {
			fillers = append(fillers, n.Inputs[1:3]...)
		}
	}
	selection, err := SourceOf(enginetest.Split(t, m), recipe.StrategyBoth).Select(t.Context(), recipe.StrategyBoth, recipe.BatchNormFrozen)
	if err != nil || len(fillers) == 0 {
		t.Fatal(err, fillers)
	}
	for _, name := range fillers {
		if slices.Contains(selection.Weights, name) {
			t.Errorf("%s is trained, of %v", name, selection.Weights)
		}
	}
}

// A filter that a module keeps as a buffer is none of its parameters: PyTorch would not train it either.
func TestBuffersAreNotTrained(t *testing.T) {
	t.Parallel()
	m, err := onnx.ReadFile(t.Context(), filepath.Join(fixture.Root(), "onnx", "testdata", "exports", "branch-blurred.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	selection, err := SourceOf(enginetest.Split(t, m), recipe.StrategyBoth).Select(t.Context(), recipe.StrategyBoth, recipe.BatchNormFrozen)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(selection.Weights, "fc.weight") {
		t.Errorf("trained are %v", selection.Weights)
	}
	for _, name := range []string{"blur", "positions", "scale"} {
		if m.Graph.Initializer(name) == nil {
			t.Errorf("the file has no %s", name)
		}
		if slices.Contains(selection.Weights, name) {
			t.Errorf("%s is trained", name)
		}
	}
}
