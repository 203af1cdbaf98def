package trainer

import (
	"compress/gzip"
	"io"
	"os"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
)

// A layer that standardises its weight has a BatchNormalization of the weight in the file, whose statistics the graph computes: it has no
// running ones, in either setting, and is no sign of training mode.
func TestStandardisedWeightsTrain(t *testing.T) {
	t.Parallel()
	file, err := os.Open("../onnx/statedict/testdata/standardised-plain.onnx.gz")
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
	opened, err := network.Open(t.Context(), m, manifest.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	if n := opened.ABN().TrainingModeNodes; n > 0 || m.InTrainingMode() {
		t.Errorf("%d nodes are in training mode", n)
	}
	report, err := InspectTraining(t.Context(), opened)
	if err != nil {
		t.Fatal(err)
	}
	if can, of := report.Trains("ort"); can != of || of == 0 {
		t.Errorf("%d of %d: %v", can, of, report.Obstacles())
	}
}
