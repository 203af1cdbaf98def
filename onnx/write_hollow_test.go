package onnx_test

import (
	"errors"
	"testing"

	"github.com/abn-studio/studio/onnx"
)

// What is written hollow has no value of a large tensor, names one file, and is read by nobody who looks for values.
func TestMarshalHollowLeavesValuesOut(t *testing.T) {
	t.Parallel()
	values := make([]float32, 1<<15)
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Nodes: []*onnx.Node{onnx.NewNode("Add", "add", []string{"large", "small"}, []string{"y"})},
		Initializers: []*onnx.Tensor{
			onnx.NewFloat32("large", []int64{1 << 15}, values), onnx.NewFloat32("small", []int64{1}, []float32{3}),
		},
	}}
	whole, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	hollow, err := m.MarshalHollow("m.onnx", int64(len(whole)))
	if err != nil || len(hollow) > 1000 || len(whole) < 4<<15 {
		t.Errorf("%d bytes of %d, %v", len(hollow), len(whole), err)
	}
	var elsewhere *onnx.ExternalError
	if _, err := onnx.Read(t.Context(), hollow); !errors.As(err, &elsewhere) || elsewhere.Location != "m.onnx" {
		t.Errorf("read: %v", err)
	}
	if same, err := m.MarshalHollow("m.onnx", 100); err != nil || len(same) != len(whole) {
		t.Errorf("a file that is too small stands for values: %d bytes, %v", len(same), err)
	}
}

// A length is written where it belongs, however wrong the guess of it was.
func TestMarshalMovesWhatWasGuessedWrong(t *testing.T) {
	t.Parallel()
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{}}
	for range 3000 { // Ints are guessed by what they may take at most
		m.Graph.Nodes = append(m.Graph.Nodes, onnx.NewNode("Pad", "", []string{"x"}, []string{"x"}, onnx.IntsAttr("pads", make([]int64, 100)...)))
	}
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := onnx.Read(t.Context(), data)
	if err != nil || len(again.Graph.Nodes) != 3000 {
		t.Fatal(err)
	}
}
