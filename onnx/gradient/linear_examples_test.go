package gradient_test

import (
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// linear are the operators that move or mix elements along axes, and what came with them.
func linear() []example {
	var list []example
	for _, mode := range []string{"reflect", "edge", "wrap"} {
		opset := int64(17)
		if mode == "wrap" {
			opset = 19
		}
		for i, c := range []struct{ dims, pads []int64 }{
			{[]int64{2, 3, 4, 5}, []int64{0, 0, 1, 2, 0, 0, 3, 0}}, {[]int64{2, 3, 5}, []int64{0, 1, 2, 0, 2, 1}}, {[]int64{2, 9, 13, 11}, []int64{0, 0, 1, 1, 0, 0, 1, 1}},
		} {
			list = append(list, example{name: fmt.Sprint("Pad ", mode, " ", i), opset: opset, nodes: []*onnx.Node{node("Pad", in("x", "pads"), onnx.StrAttr("mode", mode))},
				feeds: []feed{x(c.dims...)}, fixed: []*onnx.Tensor{i64("pads", c.pads...)}, step: 0.5})
		}
	}
	list = append(list, example{name: "Pad reflect of two axes", opset: 18, nodes: []*onnx.Node{node("Pad", in("x", "pads", "", "axes"), onnx.StrAttr("mode", "reflect"))},
		feeds: []feed{x(2, 3, 4, 5)}, fixed: []*onnx.Tensor{i64("pads", 2, 1, 0, 3), i64("axes", -2, 3)}, step: 0.5})
	for _, c := range []struct{ dims, repeats []int64 }{
		{[]int64{2, 1, 3, 4}, []int64{1, 5, 1, 1}}, {[]int64{2, 3, 4}, []int64{1, 2, 3}}, {[]int64{2, 3}, []int64{1, 1}}, {[]int64{3, 17, 5}, []int64{1, 3, 2}},
	} {
		list = append(list, example{name: fmt.Sprint("Tile ", c.repeats), nodes: []*onnx.Node{node("Tile", in("x", "n"))}, feeds: []feed{x(c.dims...)},
			fixed: []*onnx.Tensor{i64("n", c.repeats...)}, step: 0.5})
	}
	for _, mode := range []string{"DCR", "CRD"} {
		for i, dims := range [][]int64{{2, 8, 3, 4}, {3, 18, 1, 5}} {
			list = append(list, example{name: fmt.Sprint("DepthToSpace ", mode, " ", i), nodes: []*onnx.Node{node("DepthToSpace", in("x"), onnx.IntAttr("blocksize", int64(2+i)), onnx.StrAttr("mode", mode))},
				feeds: []feed{x(dims...)}, step: 0.5})
		}
	}
	list = append(list,
		example{name: "DepthToSpace of old", opset: 9, nodes: []*onnx.Node{node("DepthToSpace", in("x"), onnx.IntAttr("blocksize", 2))}, feeds: []feed{x(2, 8, 3, 2)}, step: 0.5},
		example{name: "SpaceToDepth", nodes: []*onnx.Node{node("SpaceToDepth", in("x"), onnx.IntAttr("blocksize", 2))}, feeds: []feed{x(2, 3, 4, 6)}, step: 0.5})
	type attributes = []*onnx.Attribute
	text := onnx.StrAttr
	for i, a := range []attributes{
		{text("mode", "nearest"), text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor")},
		{text("mode", "nearest"), text("nearest_mode", "ceil")},
		{text("mode", "nearest"), text("nearest_mode", "round_prefer_ceil"), text("coordinate_transformation_mode", "align_corners")},
		{text("mode", "nearest")},
		{text("mode", "linear")},
		{text("mode", "linear"), text("coordinate_transformation_mode", "pytorch_half_pixel")},
		{text("mode", "linear"), text("coordinate_transformation_mode", "align_corners")},
		{text("mode", "linear"), text("coordinate_transformation_mode", "asymmetric")},
		{text("mode", "cubic"), text("coordinate_transformation_mode", "pytorch_half_pixel")},
		{text("mode", "cubic"), text("coordinate_transformation_mode", "align_corners"), onnx.FloatAttr("cubic_coeff_a", -0.5)},
	} {
		resize := func(name string, dims []int64, inputs []string, fixed *onnx.Tensor) {
			list = append(list, example{name: fmt.Sprint("Resize ", i, " ", name), nodes: []*onnx.Node{node("Resize", inputs, a...)}, feeds: []feed{{name: "x", dims: dims, batch: fixed.Type == onnx.Float}}, fixed: []*onnx.Tensor{fixed}, step: 0.5})
		}
		resize("twice", []int64{2, 3, 3, 4}, in("x", "", "s"), f32("s", 1, 1, 2, 2))
		resize("uneven", []int64{2, 3, 4, 5}, in("x", "", "s"), f32("s", 1, 1, 1.7, 2.3))
		resize("to a size", []int64{2, 3, 5, 4}, in("x", "", "", "s"), i64("s", 2, 3, 7, 11))
		resize("down", []int64{2, 3, 7, 9}, in("x", "", "", "s"), i64("s", 2, 3, 3, 4))
		resize("to one", []int64{2, 3, 4, 3}, in("x", "", "", "s"), i64("s", 2, 3, 1, 5))
	}
	list = append(list,
		example{name: "Resize of named axes", opset: 19, nodes: []*onnx.Node{node("Resize", in("x", "", "s"), text("mode", "linear"), onnx.IntsAttr("axes", 2, 3))},
			feeds: []feed{x(2, 3, 4, 5)}, fixed: []*onnx.Tensor{f32("s", 2, 3)}, step: 0.5},
		example{name: "Upsample", opset: 9, nodes: []*onnx.Node{node("Upsample", in("x", "s"), text("mode", "nearest"))}, feeds: []feed{x(2, 3, 4, 5)}, fixed: []*onnx.Tensor{f32("s", 1, 1, 2, 3)}, step: 0.5},
		example{name: "Upsample with attributes", opset: 8, nodes: []*onnx.Node{node("Upsample", in("x"), text("mode", "linear"), onnx.FloatsAttr("scales", 1, 1, 2, 1.5))}, feeds: []feed{x(2, 3, 4, 6)}, step: 0.5},
		example{name: "Resize of old", opset: 10, nodes: []*onnx.Node{node("Resize", in("x", "s"), text("mode", "linear"))}, feeds: []feed{x(2, 3, 4, 5)}, fixed: []*onnx.Tensor{f32("s", 1, 1, 2, 1.6)}, step: 0.5},
		example{name: "Resize to a size read from the batch", nodes: []*onnx.Node{
			onnx.NewNode("Shape", "", in("x"), in("all")), onnx.NewNode("Slice", "", in("all", "zero", "two"), in("front")), onnx.NewNode("Concat", "", in("front", "size"), in("s"), onnx.IntAttr("axis", 0)),
			node("Resize", in("x", "", "", "s"), text("mode", "linear"))}, feeds: []feed{x(2, 3, 4, 5)}, fixed: []*onnx.Tensor{i64("zero", 0), i64("two", 2), i64("size", 8, 10)}, step: 0.5})
	for _, c := range []struct {
		equation string
		x, w     []int64
	}{
		{"nchw,nohw->nchw", []int64{2, 3, 4, 5}, []int64{2, 1, 4, 5}}, {"nchw,cd->ndhw", []int64{2, 3, 4, 5}, []int64{3, 6}},
		{"nij,jk->nik", []int64{2, 3, 4}, []int64{4, 5}}, {"ni,ni->n", []int64{2, 3}, []int64{2, 3}}, {"nchw,c->n", []int64{2, 3, 4, 5}, []int64{3}},
	} {
		second := w(c.w...)
		second.batch = c.w[0] == 2
		list = append(list, example{name: "Einsum " + c.equation, nodes: []*onnx.Node{node("Einsum", in("x", "w"), text("equation", c.equation))}, feeds: []feed{x(c.x...), second}, step: 0.25})
	}
	list = append(list, example{name: "Einsum of one", nodes: []*onnx.Node{node("Einsum", in("x"), text("equation", "nchw->nc"))}, feeds: []feed{x(2, 3, 4, 5)}, step: 0.5})
	for _, op := range []string{"ReduceLogSumExp", "ReduceLogSum"} {
		for _, keep := range []int64{0, 1} {
			list = append(list, example{name: fmt.Sprint(op, keep), opset: 18, nodes: []*onnx.Node{node(op, in("x", "axes"), onnx.IntAttr("keepdims", keep))},
				feeds: []feed{x(2, 3, 4, 5).positive()}, fixed: []*onnx.Tensor{i64("axes", 2, -1)}})
		}
		list = append(list, example{name: op + " of old", nodes: []*onnx.Node{node(op, in("x"), onnx.IntsAttr("axes", 1))}, feeds: []feed{x(2, 3, 4).positive()}},
			example{name: op + " odd", nodes: []*onnx.Node{node(op, in("x"), onnx.IntsAttr("axes", 2, 3))}, feeds: []feed{x(3, 17, 9, 7).positive()}})
	}
	for i, c := range []struct {
		opset, groups, scales int64
		dims                  []int64
	}{{21, 2, 4, []int64{2, 4, 3, 5}}, {21, 4, 4, []int64{2, 4, 3, 5}}, {21, 1, 6, []int64{2, 6, 5}}, {18, 2, 2, []int64{2, 4, 3, 5}}, {21, 3, 33, []int64{3, 33, 7, 5}}} {
		list = append(list, example{name: fmt.Sprint("GroupNormalization ", i), opset: c.opset, feeds: []feed{x(c.dims...), w(c.scales), bias(c.scales)},
			nodes: []*onnx.Node{node("GroupNormalization", in("x", "w", "b"), onnx.IntAttr("num_groups", c.groups), onnx.FloatAttr("epsilon", 1e-2))}})
	}
	return list
}
