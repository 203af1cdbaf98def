package trainer

import (
	"context"
	"testing"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// splitModel takes a network apart.
func splitModel(t *testing.T, m *onnx.Model) *onnx.ABN {
	t.Helper()
	parts, err := onnx.FindParts(m, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	abn, err := onnx.Split(m, parts)
	if err != nil {
		t.Fatal(err)
	}
	return abn
}

// openEngine opens an engine on a network.
func openEngine(t *testing.T, m *onnx.Model, s Settings) *ortEngine {
	t.Helper()
	e, err := NewORTEngine(splitModel(t, m), s, ORTOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e.(*ortEngine)
}

// runWhole runs a whole network, from its pixels.
func runWhole(t *testing.T, model []byte, b archiveData) Outputs {
	t.Helper()
	session, err := ort.Open(model, []string{"image"}, []string{"logits_att", "logits_per", "attention"}, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	side := int64(1)
	for side*side*3*int64(b.n) < int64(len(b.image)) {
		side++
	}
	input, err := ort.Float32s(b.image, int64(b.n), 3, side, side)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*ort.Tensor, 3)
	if err := session.Run(context.Background(), []*ort.Tensor{input}, out); err != nil {
		t.Fatal(err)
	}
	return Outputs{LogitsAtt: out[0].Float32(), LogitsPer: out[1].Float32(), Maps: out[2].Float32()}
}
