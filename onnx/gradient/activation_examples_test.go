package gradient_test

import (
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// activations are those that newer networks use.
func activations() []example {
	var list []example
	for _, op := range []string{"Softplus", "Sin", "Cos"} {
		list = append(list, example{name: op, nodes: []*onnx.Node{node(op, in("x"))}, feeds: []feed{x(2, 3, 5)}})
	}
	list = append(list,
		example{name: "Mish", opset: 18, nodes: []*onnx.Node{node("Mish", in("x"))}, feeds: []feed{x(2, 3, 5)}},
		example{name: "Gelu", opset: 20, nodes: []*onnx.Node{node("Gelu", in("x"))}, feeds: []feed{x(2, 3, 5)}},
		example{name: "Gelu by tanh", opset: 20, nodes: []*onnx.Node{node("Gelu", in("x"), onnx.StrAttr("approximate", "tanh"))}, feeds: []feed{x(2, 3, 5)}},
		example{name: "PRelu", nodes: []*onnx.Node{node("PRelu", in("x", "w"))}, feeds: []feed{x(2, 3, 4, 3).apart(), w(3, 1, 1)}},
		example{name: "PRelu of one slope", nodes: []*onnx.Node{node("PRelu", in("x", "w"))}, feeds: []feed{x(2, 3, 5).apart(), w(1)}},
		example{name: "Where", nodes: []*onnx.Node{onnx.NewNode("Greater", "", in("x", "zero"), in("c")), onnx.NewNode("Exp", "", in("x"), in("e")), node("Where", in("c", "e", "w"))},
			feeds: []feed{x(2, 3, 5).apart(), w(5)}, fixed: []*onnx.Tensor{f32("zero", 0)}},
		example{name: "a comparison as a factor", nodes: []*onnx.Node{onnx.NewNode("Greater", "", in("x", "zero"), in("c")), onnx.NewNode("Cast", "", in("c"), in("f"), onnx.IntAttr("to", 1)),
			onnx.NewNode("Mul", "", in("f", "w"), in("fw")), node("Mul", in("fw", "x"))}, feeds: []feed{x(2, 3, 5).apart(), w(5)}, fixed: []*onnx.Tensor{f32("zero", 0)}},
		example{name: "a sign as a factor", nodes: []*onnx.Node{onnx.NewNode("Sign", "", in("x"), in("s")), node("Mul", in("x", "s"))}, feeds: []feed{x(2, 3, 5).apart()}},
		example{name: "Max of a constant", nodes: []*onnx.Node{node("Max", in("x", "half"))}, feeds: []feed{x(2, 3, 5).apart()}, fixed: []*onnx.Tensor{f32("half", 0.52)}},
	)
	for _, op := range []string{"Elu", "Selu", "Celu"} {
		list = append(list, example{name: op, nodes: []*onnx.Node{node(op, in("x"), onnx.FloatAttr("alpha", 0.7))}, feeds: []feed{x(2, 3, 5).apart()}},
			example{name: op + " as it comes", nodes: []*onnx.Node{node(op, in("x"))}, feeds: []feed{x(2, 7).apart()}})
	}
	for _, op := range []string{"Max", "Min", "Mean"} {
		list = append(list, example{name: op, nodes: []*onnx.Node{onnx.NewNode("Mul", "", in("x", "half"), in("m")), node(op, in("x", "m", "w"))},
			feeds: []feed{x(2, 3, 5).apart(), w(3, 1)}, fixed: []*onnx.Tensor{f32("half", 0.52)}})
	}
	return list
}

// extremes are reductions by size, and normalisations within an image.
func extremes() []example {
	var list []example
	for _, op := range []string{"ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"} {
		for _, axes := range [][]int64{{1}, {2, 3}, {-1}} {
			for _, keep := range []int64{0, 1} {
				e := example{name: fmt.Sprint(op, axes, keep), opset: 17, feeds: []feed{x(2, 3, 4, 5).apart()},
					nodes: []*onnx.Node{node(op, in("x"), onnx.IntsAttr("axes", axes...), onnx.IntAttr("keepdims", keep))}}
				list = append(list, e)
				e.name, e.opset, e.fixed = e.name+" axes as input", 18, []*onnx.Tensor{i64("axes", axes...)}
				e.nodes = []*onnx.Node{node(op, in("x", "axes"), onnx.IntAttr("keepdims", keep))}
				list = append(list, e)
			}
		}
	}
	return append(list,
		example{name: "GlobalMaxPool", nodes: []*onnx.Node{node("GlobalMaxPool", in("x"))}, feeds: []feed{x(2, 3, 5, 4).apart()}},
		example{name: "InstanceNormalization", nodes: []*onnx.Node{node("InstanceNormalization", in("x", "w", "b"))}, feeds: []feed{x(2, 3, 4, 5), w(3), bias(3)}},
		example{name: "InstanceNormalization of one axis", nodes: []*onnx.Node{node("InstanceNormalization", in("x", "w", "b"), onnx.FloatAttr("epsilon", 0.1))}, feeds: []feed{x(2, 3, 7), w(3), bias(3)}},
		example{name: "LayerNormalization", nodes: []*onnx.Node{node("LayerNormalization", in("x", "w", "b"))}, feeds: []feed{x(2, 3, 7), w(7), bias(7)}},
		example{name: "RMSNormalization", opset: 23, nodes: []*onnx.Node{node("RMSNormalization", in("x", "w"))}, feeds: []feed{x(2, 3, 7), w(7)}},
		example{name: "RMSNormalization of two axes", opset: 23, nodes: []*onnx.Node{node("RMSNormalization", in("x", "w"), onnx.IntAttr("axis", 1), onnx.FloatAttr("epsilon", 0.1))}, feeds: []feed{x(2, 3, 5), w(3, 5)}},
		example{name: "BatchNormalization with computed statistics", nodes: []*onnx.Node{node("BatchNormalization", in("x", "w", "b", "m", "v"))},
			feeds: []feed{x(2, 3, 4), w(3), bias(3), bias(3).named("m"), bias(3).named("v").positive()}},
		example{name: "Attention", opset: 23, nodes: []*onnx.Node{node("Attention", in("x", "k", "v"))}, feeds: []feed{x(2, 3, 4, 5), x(2, 3, 6, 5).named("k"), x(2, 3, 6, 2).named("v")}},
		example{name: "Attention with a mask", opset: 23, nodes: []*onnx.Node{node("Attention", in("x", "x", "x", "w"), onnx.FloatAttr("scale", 0.3))}, feeds: []feed{x(2, 3, 4, 5), w(3, 4, 4)}},
		example{name: "LayerNormalization of two axes", nodes: []*onnx.Node{node("LayerNormalization", in("x", "w"), onnx.IntAttr("axis", 1), onnx.FloatAttr("epsilon", 0.1))}, feeds: []feed{x(2, 3, 5), w(3, 5)}},
	)
}
