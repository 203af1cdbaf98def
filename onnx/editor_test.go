package onnx_test

import (
	"testing"

	"github.com/abn-studio/studio/onnx"
)

func TestEditorGivesNamesThatNothingHas(t *testing.T) {
	t.Parallel()
	g := &onnx.Graph{
		Inputs:       []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, onnx.BatchOf(2))},
		Initializers: []*onnx.Tensor{onnx.NewFloat32("w", nil, []float32{1}), onnx.NewFloat32("made/constant_1", nil, []float32{2})},
		Nodes:        []*onnx.Node{onnx.NewNode("Mul", "node", []string{"x", "w"}, []string{"y"})},
	}
	e := onnx.Edit(g, "made")
	for _, taken := range []string{"x", "w", "node", "y"} {
		if got := e.Name(taken); got != taken+"_" {
			t.Errorf("%s is taken, given %s", taken, got)
		}
	}
	if got := e.Name("y"); got != "y__" {
		t.Errorf("a name given twice: %s", got)
	}
	e.Take("z")
	if got := e.Name("z"); got != "z_" {
		t.Errorf("a name that was taken: %s", got)
	}
	two := e.Constant(onnx.NewFloat32("", nil, []float32{3}))
	sum := e.Node("Add", []string{"y", two})
	if two != "made/constant_1_" || sum != "made/Add_2" {
		t.Errorf("%s, %s", two, sum)
	}
	if n := g.Nodes[1]; n.Name != sum || n.Outputs[0] != sum || g.Initializer(two).Dims != nil {
		t.Errorf("%v, %v", n, g.Initializer(two))
	}
}
