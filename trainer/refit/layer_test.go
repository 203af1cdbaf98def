package refit_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/refit"
)

// branches is a network's branches that end in these nodes, which make onnx.PortLogitsPer of "z".
func branches(classes int, initializers []*onnx.Tensor, nodes ...*onnx.Node) *onnx.ABN {
	return &onnx.ABN{Parts: onnx.Parts{Classes: classes}, Branches: &onnx.Model{Graph: &onnx.Graph{
		Nodes:        append([]*onnx.Node{{Op: "Relu", Inputs: []string{onnx.PortFeatures}, Outputs: []string{"z"}}}, nodes...),
		Initializers: initializers,
	}}}
}

func node(op string, inputs []string, output string, attributes ...*onnx.Attribute) *onnx.Node {
	return &onnx.Node{Op: op, Inputs: inputs, Outputs: []string{output}, Attributes: attributes}
}

func tensor(name string, dims ...int64) *onnx.Tensor {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return onnx.NewFloat32(name, dims, make([]float32, n))
}

// TestFind: the layer is found in every form that exporters write, and nothing else is taken for it.
func TestFind(t *testing.T) {
	t.Parallel()
	out := onnx.PortLogitsPer
	w, b := tensor("w", 3, 2), tensor("b", 3)
	turned := tensor("w", 2, 3)
	for name, c := range map[string]struct {
		abn        *onnx.ABN
		bias       string
		transposed bool
	}{
		"Gemm":                 {branches(3, []*onnx.Tensor{w, b}, node("Gemm", []string{"z", "w", "b"}, out, onnx.IntAttr("transB", 1))), "b", false},
		"Gemm as it lies":      {branches(3, []*onnx.Tensor{turned}, node("Gemm", []string{"z", "w"}, out)), "", true},
		"MatMul and Add":       {branches(3, []*onnx.Tensor{turned, b}, node("MatMul", []string{"z", "w"}, "y"), node("Add", []string{"b", "y"}, out)), "b", true},
		"MatMul, turned":       {branches(3, []*onnx.Tensor{w}, node("Transpose", []string{"w"}, "wt"), node("MatMul", []string{"z", "wt"}, out)), "", false},
		"Conv of one cell":     {branches(3, []*onnx.Tensor{tensor("w", 3, 2, 1, 1), b}, node("Conv", []string{"z", "w", "b"}, "y"), node("Flatten", []string{"y"}, out)), "b", false},
		"a Dropout's Identity": {branches(3, []*onnx.Tensor{w, b}, node("Gemm", []string{"z", "w", "b"}, "y", onnx.IntAttr("transB", 1)), node("Identity", []string{"y"}, out)), "b", false},
	} {
		l, err := refit.Find(c.abn)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l.Weight != "w" || l.Bias != c.bias || l.Transposed != c.transposed || l.Inputs != 2 || l.Output != "z" {
			t.Errorf("%s: %+v", name, l)
		}
		values := map[string][]float32{"w": make([]float32, 6), "b": make([]float32, 3)}
		fitted := refit.Linear{Weight: []float32{1, 2, 3, 4, 5, 6}, Bias: []float32{7, 8, 9}}
		want := []float32{1, 2, 3, 4, 5, 6}
		if l.Transposed {
			want = []float32{1, 3, 5, 2, 4, 6}
		}
		if c.bias == "" {
			fitted.Bias = nil
		}
		if !l.Set(values, fitted) || !slices.Equal(values["w"], want) {
			t.Errorf("%s: set to %v, want %v", name, values["w"], want)
		}
	}
	for name, abn := range map[string]*onnx.ABN{
		"a Relu behind it":   branches(3, []*onnx.Tensor{w}, node("Gemm", []string{"z", "w"}, "y", onnx.IntAttr("transB", 1)), node("Relu", []string{"y"}, out)),
		"a scale in it":      branches(3, []*onnx.Tensor{w}, node("Gemm", []string{"z", "w"}, out, onnx.IntAttr("transB", 1), onnx.FloatAttr("alpha", 2))),
		"weights read twice": branches(3, []*onnx.Tensor{w}, node("Gemm", []string{"z", "w"}, out, onnx.IntAttr("transB", 1)), node("Relu", []string{"w"}, "again")),
		"weights computed":   branches(3, []*onnx.Tensor{w}, node("Tanh", []string{"w"}, "t"), node("Gemm", []string{"z", "t"}, out, onnx.IntAttr("transB", 1))),
		"a Conv of 3×3":      branches(3, []*onnx.Tensor{tensor("w", 3, 2, 3, 3)}, node("Conv", []string{"z", "w"}, "y"), node("Flatten", []string{"y"}, out)),
		"nothing":            branches(3, nil),
	} {
		if l, err := refit.Find(abn); !errors.Is(err, refit.ErrNoLayer) {
			t.Errorf("%s: found %+v, %v", name, l, err)
		}
	}
}
