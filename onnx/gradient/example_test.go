package gradient_test

import (
	"context"
	"fmt"
	"log"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// The graph of L = Σ relu(x·w) gets the nodes that compute dL/dw. Whatever runs the graph forward can then train w. The derivative
// of the Relu is a steep HardSigmoid: 1 where the product is positive, else 0.
func ExampleAppend() {
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name:         "product",
		Inputs:       []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, onnx.BatchOf(2))},
		Initializers: []*onnx.Tensor{onnx.NewFloat32("w", []int64{2, 1}, []float32{0.5, -1})},
		Outputs:      []*onnx.ValueInfo{onnx.NewValue("loss", onnx.Float, onnx.ShapeOf())},
		Nodes: []*onnx.Node{
			onnx.NewNode("MatMul", "", []string{"x", "w"}, []string{"product"}),
			onnx.NewNode("Relu", "", []string{"product"}, []string{"positive"}),
			onnx.NewNode("ReduceSum", "", []string{"positive"}, []string{"loss"}, onnx.IntAttr("keepdims", 0)),
		},
	}}
	forward := len(m.Graph.Nodes)
	derivatives, err := gradient.Append(context.Background(), m, "loss", []string{"w"})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range m.Graph.Nodes[forward:] {
		fmt.Println(n.Op, n.Inputs, "→", n.Outputs)
	}
	fmt.Println("dL/dw is", derivatives["w"])
	// Output:
	// Shape [positive] → [gradient/Shape_4]
	// HardSigmoid [positive] → [gradient/HardSigmoid_6]
	// Unsqueeze [gradient/constant_1 gradient/constant_2] → [gradient/Unsqueeze_3]
	// Expand [gradient/Unsqueeze_3 gradient/Shape_4] → [gradient/Expand_5]
	// Mul [gradient/Expand_5 gradient/HardSigmoid_6] → [gradient/Mul_7]
	// Gemm [x gradient/Mul_7] → [gradient/Gemm_8]
	// dL/dw is gradient/Gemm_8
}

// Before a training starts it is known what stands in its way.
func ExampleUnsupported() {
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name:         "odd",
		Inputs:       []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, onnx.BatchOf(2))},
		Initializers: []*onnx.Tensor{onnx.NewFloat32("w", []int64{2}, []float32{0.5, -1})},
		Outputs:      []*onnx.ValueInfo{onnx.NewValue("y", onnx.Float, onnx.BatchOf(2))},
		Nodes: []*onnx.Node{
			onnx.NewNode("Mul", "scaled", []string{"x", "w"}, []string{"s"}),
			onnx.NewNode("Mod", "wrapped", []string{"s", "w"}, []string{"y"}, onnx.IntAttr("fmod", 1)),
		},
	}}
	reasons, err := gradient.Unsupported(context.Background(), m, []string{"y"}, []string{"w"})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range reasons {
		fmt.Println(r)
	}
	// Output:
	// wrapped (Mod): there is no gradient for this operator
}
