package gradient_test

import (
	"fmt"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

func gathers() []example {
	var list []example
	for _, c := range []struct {
		name    string
		axis    int64
		indices *onnx.Tensor
	}{
		{"one", 1, onnx.NewInt64("i", nil, []int64{2})},
		{"one from the end", -1, onnx.NewInt64("i", nil, []int64{-1})},
		{"a list of one", 2, i64("i", 0)},
		{"some, one twice", 1, i64("i", 3, 0, 3)},
		{"a permutation", 1, i64("i", 2, 0, 3, 1)},
		{"a table", 1, onnx.NewInt64("i", []int64{2, 3}, []int64{3, 0, 3, -1, 1, 0})},
		{"a long list", 2, i64("i", slices.Repeat([]int64{2, 0, 1, 1}, 20)...)},
	} {
		list = append(list, example{name: "Gather " + c.name, nodes: []*onnx.Node{node("Gather", in("x", "i"), onnx.IntAttr("axis", c.axis))},
			feeds: []feed{x(2, 4, 3)}, fixed: []*onnx.Tensor{c.indices}, step: 0.5})
	}
	toFront := func(to string, perm ...int64) *onnx.Node {
		return onnx.NewNode("Transpose", "", in("x"), in(to), onnx.IntsAttr("perm", perm...))
	}
	return append(list,
		example{name: "GatherND of rows and columns", nodes: []*onnx.Node{toFront("t", 2, 3, 0, 1), node("GatherND", in("t", "i"))},
			feeds: []feed{x(2, 4, 3, 2)}, fixed: []*onnx.Tensor{onnx.NewInt64("i", []int64{2, 3, 2}, []int64{0, 0, 2, 1, -1, 1, 1, 0, 0, -2, 2, 1})}, step: 0.5},
		example{name: "GatherND of single elements", nodes: []*onnx.Node{toFront("t", 1, 2, 0), node("GatherND", in("t", "i"))},
			feeds: []feed{x(2, 3, 4)}, fixed: []*onnx.Tensor{onnx.NewInt64("i", []int64{3, 2}, []int64{0, 3, 2, 1, 0, 3})}, step: 0.5},
		example{name: "Gather from the first axis by a table", nodes: []*onnx.Node{toFront("t", 1, 2, 0), node("Gather", in("t", "i"))},
			feeds: []feed{x(2, 3, 4)}, fixed: []*onnx.Tensor{onnx.NewInt64("i", []int64{2, 2}, []int64{1, 0, 2, 1})}, step: 0.5},
		example{name: "Gather from an axis of one", nodes: []*onnx.Node{node("Gather", in("x", "i"), onnx.IntAttr("axis", 1))},
			feeds: []feed{x(2, 1, 3, 2)}, fixed: []*onnx.Tensor{onnx.NewInt64("i", nil, []int64{0})}, step: 0.5},
		example{name: "CastLike", nodes: []*onnx.Node{onnx.NewNode("Exp", "", in("x"), in("e")), onnx.NewNode("CastLike", "", in("x", "e"), in("c")), node("Mul", in("c", "x"))},
			feeds: []feed{x(2, 3)}},
		example{name: "CastLike of a constant", nodes: []*onnx.Node{onnx.NewNode("CastLike", "", in("six", "x"), in("high")), node("Clip", in("x", "", "high"))},
			feeds: []feed{x(2, 3, 5).apart()}, fixed: []*onnx.Tensor{onnx.NewInt64("six", nil, []int64{1})}},
		example{name: "Expand to a shape that is read", nodes: []*onnx.Node{onnx.NewNode("Shape", "", in("x"), in("s")), node("Expand", in("w", "s"))},
			feeds: []feed{x(2, 3, 4), w(4)}, step: 0.5, without: []string{"x"}},
	)
}

// odd are the operators that train at sizes that no kernel is blocked for, with every kind of leftover: along directions.
func odd() []example {
	type attributes = []*onnx.Attribute
	ints := onnx.IntsAttr
	var list []example
	for i, c := range []struct {
		x, w []int64
		a    attributes
	}{
		{[]int64{3, 17, 13, 11}, []int64{19, 17, 3, 3}, attributes{ints("pads", 1, 1, 1, 1)}},
		{[]int64{3, 17, 14, 11}, []int64{19, 17, 3, 3}, attributes{ints("pads", 1, 1, 1, 1), ints("strides", 2, 2)}},
		{[]int64{2, 17, 16, 13}, []int64{9, 17, 3, 3}, attributes{ints("pads", 0, 1, 2, 0), ints("strides", 3, 2), ints("dilations", 2, 1)}},
		{[]int64{2, 16, 13, 14}, []int64{24, 16, 1, 1}, attributes{ints("strides", 2, 2)}},
		{[]int64{2, 33, 9, 7}, []int64{24, 33, 1, 1}, nil},
		{[]int64{2, 24, 13, 11}, []int64{40, 3, 3, 3}, attributes{ints("pads", 1, 1, 1, 1), onnx.IntAttr("group", 8)}},
		{[]int64{2, 24, 14, 10}, []int64{24, 6, 3, 3}, attributes{ints("pads", 1, 1, 1, 1), ints("strides", 2, 2), onnx.IntAttr("group", 4)}},
		{[]int64{2, 33, 13, 11}, []int64{33, 1, 3, 3}, attributes{ints("pads", 1, 1, 1, 1), onnx.IntAttr("group", 33)}},
		{[]int64{2, 33, 14, 11}, []int64{33, 1, 5, 3}, attributes{ints("pads", 2, 1, 2, 1), ints("strides", 2, 2), onnx.IntAttr("group", 33)}},
		{[]int64{2, 17, 13, 11}, []int64{34, 1, 3, 3}, attributes{ints("pads", 2, 2, 2, 2), ints("dilations", 2, 2), onnx.IntAttr("group", 17)}},
		{[]int64{2, 3, 37, 35}, []int64{16, 3, 7, 7}, attributes{ints("pads", 3, 3, 3, 3), ints("strides", 2, 2)}},
	} {
		list = append(list, example{name: fmt.Sprintf("odd Conv %d %v by %v", i, c.x, c.w), step: 0.25,
			nodes: []*onnx.Node{node("Conv", in("x", "w", "b"), c.a...)}, feeds: []feed{x(c.x...), w(c.w...), bias(c.w[0])}})
	}
	stats := make([]float32, 17)
	for i := range stats {
		stats[i] = 0.5 + float32(i%5)/4
	}
	fixed := []*onnx.Tensor{onnx.NewFloat32("mean", []int64{17}, stats), onnx.NewFloat32("var", []int64{17}, stats)}
	norm := func(name string, outputs []string, a ...*onnx.Attribute) example {
		return example{name: "odd " + name, fixed: fixed, feeds: []feed{x(5, 17, 7, 5), w(17), bias(17)},
			nodes: []*onnx.Node{onnx.NewNode("BatchNormalization", "", in("x", "w", "b", "mean", "var"), outputs, a...)}}
	}
	list = append(list, norm("BatchNormalization frozen", in("y")),
		norm("BatchNormalization of the batch", in("y", "m", "v"), onnx.IntAttr("training_mode", 1)))
	for i, c := range []attributes{
		{ints("kernel_shape", 3, 3), ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)},
		{ints("kernel_shape", 3, 2), ints("strides", 2, 3), ints("pads", 0, 1, 1, 0), onnx.IntAttr("ceil_mode", 1)},
		{ints("kernel_shape", 2, 2), ints("strides", 2, 2)},
	} {
		list = append(list,
			example{name: fmt.Sprint("odd MaxPool ", i), nodes: []*onnx.Node{node("MaxPool", in("x"), c...)}, feeds: []feed{x(2, 9, 13, 12).apart()}, step: 1e-2},
			example{name: fmt.Sprint("odd AveragePool ", i), nodes: []*onnx.Node{node("AveragePool", in("x"), c...)}, feeds: []feed{x(2, 9, 13, 12)}, step: 0.5},
			example{name: fmt.Sprint("odd AveragePool counting pads ", i), opset: 19,
				nodes: []*onnx.Node{node("AveragePool", in("x"), append(c, onnx.IntAttr("count_include_pad", 1))...)}, feeds: []feed{x(2, 9, 13, 12)}, step: 0.5})
	}
	return append(list,
		example{name: "odd Gemm", nodes: []*onnx.Node{node("Gemm", in("x", "w", "b"), onnx.IntAttr("transB", 1))}, feeds: []feed{x(13, 67), w(31, 67), bias(31)}, step: 0.25},
		example{name: "odd gate", nodes: []*onnx.Node{ // squeeze and excitation
			onnx.NewNode("GlobalAveragePool", "", in("x"), in("p")), onnx.NewNode("Conv", "", in("p", "w", "b"), in("c")),
			onnx.NewNode("Sigmoid", "", in("c"), in("s")), node("Mul", in("x", "s"))},
			feeds: []feed{x(3, 17, 9, 7), w(17, 17, 1, 1), bias(17)}},
		example{name: "odd ReduceMean", opset: 18, nodes: []*onnx.Node{node("ReduceMean", in("x", "axes"))}, fixed: []*onnx.Tensor{i64("axes", 2, 3)}, feeds: []feed{x(3, 17, 9, 7)}, step: 0.5},
	)
}
