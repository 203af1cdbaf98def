package gradient_test

import (
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

func pointwise() []example {
	dims := []int64{2, 3, 5}
	list := []example{
		{name: "Clip with inputs", nodes: []*onnx.Node{node("Clip", in("x", "low", "high"))}, feeds: []feed{x(dims...).apart()},
			fixed: []*onnx.Tensor{f32("low", -1), f32("high", 1.1)}},
		{name: "Clip above", nodes: []*onnx.Node{node("Clip", in("x", "", "high"))}, feeds: []feed{x(dims...).apart()}, fixed: []*onnx.Tensor{f32("high", 0.5)}},
		{name: "Clip below", nodes: []*onnx.Node{node("Clip", in("x", "low"))}, feeds: []feed{x(dims...).apart()}, fixed: []*onnx.Tensor{f32("low", -0.3)}},
		{name: "Clip with attributes", opset: 9, nodes: []*onnx.Node{node("Clip", in("x"), onnx.FloatAttr("min", 0), onnx.FloatAttr("max", 1))}, feeds: []feed{x(dims...).apart()}},
		{name: "Clip after Relu", nodes: []*onnx.Node{onnx.NewNode("Relu", "", in("x"), in("r")), node("Clip", in("r", "low", "high"))},
			feeds: []feed{x(dims...).apart()}, fixed: []*onnx.Tensor{f32("low", 0), f32("high", 1)}},
		{name: "Clip with cast bounds", nodes: []*onnx.Node{
			onnx.NewNode("Cast", "", in("six"), in("high"), onnx.IntAttr("to", 1)),
			onnx.NewNode("Constant", "", nil, in("low"), onnx.TensorAttr("value", f32("", 0))),
			node("Clip", in("x", "low", "high"))}, feeds: []feed{x(8, 3, 6).apart()}, fixed: []*onnx.Tensor{onnx.NewInt64("six", nil, []int64{6})}},
		{name: "HardSigmoid", nodes: []*onnx.Node{node("HardSigmoid", in("x"), onnx.FloatAttr("alpha", 0.5), onnx.FloatAttr("beta", 0.4))}, feeds: []feed{x(dims...).apart()}},
		{name: "LeakyRelu", nodes: []*onnx.Node{node("LeakyRelu", in("x"), onnx.FloatAttr("alpha", 0.3))}, feeds: []feed{x(dims...).apart()}},
		{name: "Dropout", nodes: []*onnx.Node{node("Dropout", in("x", "ratio"))}, feeds: []feed{x(dims...)}, fixed: []*onnx.Tensor{f32("ratio", 0.5)}},
		{name: "Dropout of old", opset: 9, nodes: []*onnx.Node{node("Dropout", in("x"), onnx.FloatAttr("ratio", 0.5))}, feeds: []feed{x(dims...)}},
		{name: "Cast", nodes: []*onnx.Node{onnx.NewNode("Cast", "", in("x"), in("d"), onnx.IntAttr("to", 11)), node("Cast", in("d"), onnx.IntAttr("to", 1))}, feeds: []feed{x(dims...)}},
		{name: "used twice", nodes: []*onnx.Node{onnx.NewNode("Sigmoid", "", in("x"), in("s")), onnx.NewNode("Tanh", "", in("s"), in("t")),
			node("Mul", in("s", "t"))}, feeds: []feed{x(dims...)}},
	}
	for _, op := range []string{"Identity", "Sigmoid", "Tanh", "Exp", "Neg", "Erf"} {
		list = append(list, example{name: op, nodes: []*onnx.Node{node(op, in("x"))}, feeds: []feed{x(dims...)}})
	}
	for _, op := range []string{"Relu", "Abs", "HardSwish"} {
		list = append(list, example{name: op, nodes: []*onnx.Node{node(op, in("x"))}, feeds: []feed{x(dims...).apart()}})
	}
	for _, op := range []string{"Sqrt", "Log", "Reciprocal"} {
		list = append(list, example{name: op, nodes: []*onnx.Node{node(op, in("x"))}, feeds: []feed{x(dims...).positive()}})
	}
	return list
}

func arithmetic() []example {
	var list []example
	shapes := [][2][]int64{
		{{2, 3, 4}, {2, 3, 4}}, {{2, 3, 4}, {4}}, {{2, 3, 4, 5}, {3, 1, 1}}, {{2, 3, 4, 5}, {1, 1, 4, 1}}, {{2, 1, 4}, {5, 1}}, {{3, 4}, {}},
		{{2, 1, 3, 3}, {1, 4, 3, 1}},
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Div"} {
		for _, s := range shapes {
			if len(s[1]) == 0 {
				s[1] = []int64{1}
			}
			list = append(list, example{name: fmt.Sprint(op, s), nodes: []*onnx.Node{node(op, in("x", "w"))}, feeds: []feed{{name: "x", dims: s[0]}, w(s[1]...).positive()}})
		}
		list = append(list, example{name: op + " of itself", nodes: []*onnx.Node{onnx.NewNode("Exp", "", in("x"), in("e")), node(op, in("e", "x"))},
			feeds: []feed{x(2, 3).positive()}})
	}
	return append(list,
		example{name: "Mul first broadcast", nodes: []*onnx.Node{node("Mul", in("w", "x"))}, feeds: []feed{x(2, 3, 4), w(3, 1)}},
		example{name: "Mul map over features", nodes: []*onnx.Node{node("Mul", in("x", "m"))}, feeds: []feed{x(2, 5, 3, 3), {name: "m", dims: []int64{2, 1, 3, 3}, batch: true}}},
		example{name: "Sum", nodes: []*onnx.Node{node("Sum", in("x", "w", "x"))}, feeds: []feed{x(2, 3, 4), w(4)}},
		example{name: "Pow 2", nodes: []*onnx.Node{node("Pow", in("x", "p"))}, feeds: []feed{x(2, 3)}, fixed: []*onnx.Tensor{f32("p", 2)}},
		example{name: "Pow 1.5", nodes: []*onnx.Node{node("Pow", in("x", "p"))}, feeds: []feed{x(2, 3).positive()}, fixed: []*onnx.Tensor{f32("p", 1.5)}},
	)
}

func convolutions() []example {
	ks := func(k ...int64) *onnx.Attribute { return onnx.IntsAttr("kernel_shape", k...) }
	st := func(s ...int64) *onnx.Attribute { return onnx.IntsAttr("strides", s...) }
	pd := func(p ...int64) *onnx.Attribute { return onnx.IntsAttr("pads", p...) }
	dl := func(d ...int64) *onnx.Attribute { return onnx.IntsAttr("dilations", d...) }
	gr := func(g int64) *onnx.Attribute { return onnx.IntAttr("group", g) }
	auto := func(s string) *onnx.Attribute { return onnx.StrAttr("auto_pad", s) }
	cases := []struct {
		name string
		x, w []int64
		a    []*onnx.Attribute
	}{
		{"1×1", []int64{2, 3, 4, 5}, []int64{4, 3, 1, 1}, nil},
		{"1×1 stride 2 with leftovers", []int64{2, 3, 6, 5}, []int64{4, 3, 1, 1}, []*onnx.Attribute{st(2, 2)}},
		{"1×1 padded", []int64{2, 3, 4, 4}, []int64{2, 3, 1, 1}, []*onnx.Attribute{pd(1, 0, 1, 2)}},
		{"3×3 same", []int64{2, 3, 5, 4}, []int64{4, 3, 3, 3}, []*onnx.Attribute{pd(1, 1, 1, 1), ks(3, 3)}},
		{"3×3 valid", []int64{2, 2, 5, 6}, []int64{3, 2, 3, 3}, nil},
		{"3×3 padded more than it reaches", []int64{1, 2, 3, 4}, []int64{2, 2, 3, 3}, []*onnx.Attribute{pd(3, 2, 3, 3)}},
		{"3×3 stride 2", []int64{2, 2, 7, 7}, []int64{3, 2, 3, 3}, []*onnx.Attribute{pd(1, 1, 1, 1), st(2, 2)}},
		{"3×3 stride 2 with leftovers", []int64{2, 2, 8, 6}, []int64{3, 2, 3, 3}, []*onnx.Attribute{pd(1, 1, 1, 1), st(2, 2)}},
		{"3×2 stride 3×2 with leftovers", []int64{1, 2, 9, 8}, []int64{3, 2, 3, 2}, []*onnx.Attribute{pd(0, 1, 1, 0), st(3, 2)}},
		{"dilated", []int64{2, 2, 8, 7}, []int64{3, 2, 3, 2}, []*onnx.Attribute{pd(2, 1, 2, 1), dl(2, 3)}},
		{"dilated stride 2", []int64{1, 2, 9, 10}, []int64{2, 2, 3, 3}, []*onnx.Attribute{pd(2, 2, 2, 2), dl(2, 2), st(2, 2)}},
		{"even kernel", []int64{2, 2, 5, 5}, []int64{2, 2, 2, 4}, []*onnx.Attribute{pd(0, 1, 1, 2)}},
		{"uneven pads", []int64{2, 2, 6, 6}, []int64{3, 2, 3, 3}, []*onnx.Attribute{pd(0, 0, 1, 1), st(2, 2)}},
		{"SAME_UPPER", []int64{2, 2, 6, 5}, []int64{3, 2, 3, 4}, []*onnx.Attribute{auto("SAME_UPPER"), st(2, 2)}},
		{"SAME_LOWER", []int64{2, 2, 6, 5}, []int64{3, 2, 3, 4}, []*onnx.Attribute{auto("SAME_LOWER"), st(2, 1)}},
		{"VALID", []int64{2, 2, 6, 5}, []int64{3, 2, 3, 4}, []*onnx.Attribute{auto("VALID")}},
		{"grouped", []int64{2, 4, 5, 5}, []int64{6, 2, 3, 3}, []*onnx.Attribute{pd(1, 1, 1, 1), gr(2)}},
		{"grouped stride 2", []int64{2, 4, 6, 5}, []int64{6, 2, 3, 3}, []*onnx.Attribute{pd(1, 1, 1, 1), gr(2), st(2, 2)}},
		{"grouped 1×1", []int64{2, 4, 3, 3}, []int64{6, 2, 1, 1}, []*onnx.Attribute{gr(2)}},
		{"depthwise", []int64{2, 5, 5, 6}, []int64{5, 1, 3, 3}, []*onnx.Attribute{pd(1, 1, 1, 1), gr(5)}},
		{"depthwise stride 2", []int64{2, 5, 6, 7}, []int64{5, 1, 3, 3}, []*onnx.Attribute{pd(1, 1, 1, 1), gr(5), st(2, 2)}},
		{"depthwise stride 2 unpadded", []int64{3, 2, 7, 8}, []int64{2, 1, 3, 3}, []*onnx.Attribute{gr(2), st(2, 2)}},
		{"depthwise dilated", []int64{2, 3, 7, 7}, []int64{3, 1, 3, 3}, []*onnx.Attribute{pd(2, 2, 2, 2), gr(3), dl(2, 2)}},
		{"depthwise multiplied", []int64{2, 3, 5, 5}, []int64{6, 1, 3, 3}, []*onnx.Attribute{pd(1, 1, 1, 1), gr(3)}},
		{"one axis", []int64{2, 3, 9}, []int64{4, 3, 3}, []*onnx.Attribute{pd(1, 1), st(2)}},
		{"three axes", []int64{1, 2, 3, 4, 3}, []int64{2, 2, 2, 2, 2}, nil},
	}
	var list []example
	for _, c := range cases {
		list = append(list, example{name: "Conv " + c.name, nodes: []*onnx.Node{node("Conv", in("x", "w", "b"), c.a...)},
			feeds: []feed{x(c.x...), w(c.w...), bias(c.w[0])}, step: 0.5})
	}
	return append(list,
		example{name: "Conv without bias", nodes: []*onnx.Node{node("Conv", in("x", "w"))}, feeds: []feed{x(1, 2, 4, 4), w(3, 2, 3, 3)}, step: 0.5},
		example{name: "Conv by its weight only", nodes: []*onnx.Node{node("Conv", in("x", "w"))}, feeds: []feed{x(2, 2, 4, 4), w(3, 2, 3, 3)}, step: 0.5, without: []string{"x"}},
		example{name: "ConvTranspose", nodes: []*onnx.Node{node("ConvTranspose", in("x", "w", "b"), st(2, 2), pd(1, 1, 1, 1), onnx.IntsAttr("output_padding", 1, 0))},
			feeds: []feed{x(2, 3, 3, 4), w(3, 2, 3, 3), bias(2)}, step: 0.5},
		example{name: "ConvTranspose grouped", nodes: []*onnx.Node{node("ConvTranspose", in("x", "w", "b"), st(2, 2), gr(2))},
			feeds: []feed{x(2, 4, 3, 3), w(4, 3, 2, 2), bias(6)}, step: 0.5},
	)
}

func norms() []example {
	stats := []*onnx.Tensor{f32("mean", 0.3, -0.2, 0.1), f32("var", 0.5, 1.5, 2)}
	bn := func(inputs []string, outputs []string, a ...*onnx.Attribute) []*onnx.Node {
		return []*onnx.Node{onnx.NewNode("BatchNormalization", "", inputs, outputs, a...)}
	}
	all := in("x", "w", "b", "mean", "var")
	training := onnx.IntAttr("training_mode", 1)
	return []example{
		{name: "BatchNormalization frozen", nodes: bn(all, in("y")), feeds: []feed{x(2, 3, 4, 3), w(3), bias(3)}, fixed: stats},
		{name: "BatchNormalization frozen of old", opset: 9, nodes: bn(all, in("y"), onnx.FloatAttr("epsilon", 0.1)), feeds: []feed{x(2, 3, 4, 3), w(3), bias(3)}, fixed: stats},
		{name: "BatchNormalization frozen of vectors", nodes: bn(all, in("y")), feeds: []feed{x(4, 3), w(3), bias(3)}, fixed: stats},
		{name: "BatchNormalization of the batch", nodes: bn(all, in("y", "m", "v"), training), feeds: []feed{x(3, 3, 4, 3), w(3), bias(3)}, fixed: stats},
		{name: "BatchNormalization of the batch, momentum 0", nodes: bn(all, in("y", "m", "v"), training, onnx.FloatAttr("momentum", 0), onnx.FloatAttr("epsilon", 0.1)),
			feeds: []feed{x(3, 3, 4, 3), w(3), bias(3)}, fixed: stats},
		{name: "BatchNormalization of the batch of vectors", nodes: bn(all, in("y", "m", "v"), training), feeds: []feed{x(6, 3), w(3), bias(3)}, fixed: stats},
		{name: "BatchNormalization of the batch, then Sigmoid", nodes: append(bn(all, in("n", "m", "v"), training), node("Sigmoid", in("n"))), feeds: []feed{x(3, 3, 2, 3), w(3), bias(3)}, fixed: stats},
	}
}

func pools() []example {
	attr := func(k, s, p []int64, more ...*onnx.Attribute) []*onnx.Attribute {
		return append(more, onnx.IntsAttr("kernel_shape", k...), onnx.IntsAttr("strides", s...), onnx.IntsAttr("pads", p...))
	}
	two, three, none, one := []int64{2, 2}, []int64{3, 3}, []int64{0, 0, 0, 0}, []int64{1, 1, 1, 1}
	ceil, include := onnx.IntAttr("ceil_mode", 1), onnx.IntAttr("count_include_pad", 1)
	var list []example
	for _, c := range []struct {
		name string
		dims []int64
		a    []*onnx.Attribute
	}{
		{"2×2", []int64{2, 3, 4, 6}, attr(two, two, none)},
		{"2×2 with leftovers", []int64{2, 3, 5, 7}, attr(two, two, none)},
		{"3×3 overlapping", []int64{2, 2, 7, 6}, attr(three, two, one)},
		{"3×3 stride 1", []int64{2, 2, 5, 5}, attr(three, []int64{1, 1}, one)},
		{"ceil", []int64{2, 2, 6, 7}, attr(three, two, none, ceil)},
		{"SAME_UPPER", []int64{2, 2, 6, 7}, []*onnx.Attribute{onnx.IntsAttr("kernel_shape", 3, 3), onnx.IntsAttr("strides", 2, 2), onnx.StrAttr("auto_pad", "SAME_UPPER")}},
		{"one axis", []int64{2, 3, 8}, []*onnx.Attribute{onnx.IntsAttr("kernel_shape", 3), onnx.IntsAttr("strides", 2), onnx.IntsAttr("pads", 1, 0)}},
	} {
		list = append(list,
			example{name: "MaxPool " + c.name, nodes: []*onnx.Node{node("MaxPool", in("x"), c.a...)}, feeds: []feed{x(c.dims...).apart()}},
			example{name: "AveragePool " + c.name, nodes: []*onnx.Node{node("AveragePool", in("x"), c.a...)}, feeds: []feed{x(c.dims...)}, step: 0.5})
	}
	return append(list,
		example{name: "MaxPool dilated", nodes: []*onnx.Node{node("MaxPool", in("x"), attr(two, []int64{1, 1}, none, onnx.IntsAttr("dilations", 2, 2))...)}, feeds: []feed{x(2, 2, 5, 6).apart()}},
		example{name: "AveragePool counting pads", nodes: []*onnx.Node{node("AveragePool", in("x"), attr(three, two, one, include)...)}, feeds: []feed{x(2, 3, 7, 6)}, step: 0.5},
		example{name: "AveragePool counting pads, ceil", opset: 19, nodes: []*onnx.Node{node("AveragePool", in("x"), attr(three, two, one, include, ceil)...)}, feeds: []feed{x(2, 3, 6, 6)}, step: 0.5},
		example{name: "GlobalAveragePool", nodes: []*onnx.Node{node("GlobalAveragePool", in("x"))}, feeds: []feed{x(2, 3, 4, 5)}, step: 0.5},
	)
}

func reductions() []example {
	var list []example
	for _, op := range []string{"ReduceMean", "ReduceSum"} {
		for _, axes := range [][]int64{{2, 3}, {0}, {1}, {0, 2, 3}, {-1}, {0, 1, 2, 3}} {
			for _, keep := range []int64{0, 1} {
				e := example{name: fmt.Sprint(op, axes, keep), opset: 12, feeds: []feed{x(2, 3, 4, 5)}, step: 0.5,
					nodes: []*onnx.Node{node(op, in("x"), onnx.IntsAttr("axes", axes...), onnx.IntAttr("keepdims", keep))}}
				if keep == 0 && len(axes) == 4 {
					continue // a scalar, which the runtime's Go binding cannot hand out
				}
				list = append(list, e)
				e.name, e.opset = e.name+" axes as input", 18
				e.nodes = []*onnx.Node{node(op, in("x", "axes"), onnx.IntAttr("keepdims", keep))}
				e.fixed = []*onnx.Tensor{i64("axes", axes...)}
				list = append(list, e)
			}
		}
		list = append(list, example{name: op + " of all", nodes: []*onnx.Node{node(op, in("x"))}, feeds: []feed{x(2, 3)}, step: 0.5})
	}
	return list
}

func shapes() []example {
	seg := func(op string, inputs []string, fixed []*onnx.Tensor, dims []int64, a ...*onnx.Attribute) example {
		return example{name: fmt.Sprint(op, dims), nodes: []*onnx.Node{node(op, inputs, a...)}, feeds: []feed{x(dims...)}, fixed: fixed, step: 0.5}
	}
	cut := func(name string, starts, ends, axes, steps []int64) example {
		e := seg("Slice", in("x", "starts", "ends", "axes", "steps"), []*onnx.Tensor{i64("starts", starts...), i64("ends", ends...), i64("axes", axes...), i64("steps", steps...)}, []int64{2, 5, 6, 7})
		e.name = "Slice " + name
		return e
	}
	older := seg("Slice", in("x"), nil, []int64{2, 5, 6}, onnx.IntsAttr("starts", 1, 2), onnx.IntsAttr("ends", 4, 9999), onnx.IntsAttr("axes", 1, 2))
	older.opset = 9
	oldPad := seg("Pad", in("x"), nil, []int64{2, 3, 4}, onnx.IntsAttr("pads", 0, 1, 2, 0, 0, 1), onnx.FloatAttr("value", 2))
	oldPad.name, oldPad.opset = "Pad of old", 9
	oldSqueeze := seg("Squeeze", in("x"), nil, []int64{2, 3, 1}, onnx.IntsAttr("axes", 2))
	oldSqueeze.name, oldSqueeze.opset = "Squeeze of old", 11
	return []example{
		seg("Flatten", in("x"), nil, []int64{2, 3, 4}, onnx.IntAttr("axis", 1)),
		seg("Reshape", in("x", "shape"), []*onnx.Tensor{i64("shape", 0, -1, 2)}, []int64{2, 3, 4}),
		seg("Squeeze", in("x", "axes"), []*onnx.Tensor{i64("axes", 2, 3)}, []int64{2, 3, 1, 1}),
		seg("Unsqueeze", in("x", "axes"), []*onnx.Tensor{i64("axes", 1, 3)}, []int64{2, 3, 4}),
		seg("Transpose", in("x"), nil, []int64{2, 3, 4, 5}, onnx.IntsAttr("perm", 2, 0, 3, 1)),
		seg("Transpose", in("x"), nil, []int64{2, 3, 4}),
		seg("Expand", in("x", "shape"), []*onnx.Tensor{i64("shape", 1, 1, 4, 5)}, []int64{2, 3, 1, 5}),
		seg("Pad", in("x", "pads"), []*onnx.Tensor{i64("pads", 0, 0, 1, 2, 0, 0, 2, 0)}, []int64{2, 3, 4, 3}),
		seg("Pad", in("x", "pads", "value"), []*onnx.Tensor{i64("pads", 0, 1, -1, 0, 0, 2), f32("value", 3)}, []int64{2, 3, 4}),
		oldPad, older, oldSqueeze,
		cut("plain", []int64{1, 0}, []int64{4, 3}, []int64{2, 3}, []int64{1, 1}),
		cut("to the end", []int64{1, -3}, []int64{1 << 62, 1 << 62}, []int64{1, -1}, []int64{1, 1}),
		cut("strided", []int64{1, 0}, []int64{6, 7}, []int64{2, 3}, []int64{2, 3}),
		cut("strided channels", []int64{0}, []int64{5}, []int64{1}, []int64{2}),
		cut("backwards", []int64{-1, 4}, []int64{-1 << 62, 0}, []int64{3, 2}, []int64{-1, -2}),
		{name: "Concat", nodes: []*onnx.Node{node("Concat", in("x", "z", "x"), onnx.IntAttr("axis", 1))},
			feeds: []feed{x(2, 3, 2), x(2, 1, 2).named("z")}, step: 0.5},
		{name: "Concat from the end", nodes: []*onnx.Node{node("Concat", in("x", "z"), onnx.IntAttr("axis", -1))},
			feeds: []feed{x(2, 3, 2), x(2, 3, 4).named("z")}, step: 0.5},
		{name: "Split", nodes: []*onnx.Node{
			onnx.NewNode("Split", "", in("x", "sizes"), in("a", "unused", "c"), onnx.IntAttr("axis", 1)),
			node("Mul", in("a", "c"))}, feeds: []feed{x(2, 5, 3)}, fixed: []*onnx.Tensor{i64("sizes", 2, 1, 2)}, step: 0.1},
	}
}

func matrices() []example {
	var list []example
	for _, transA := range []int64{0, 1} {
		for _, transB := range []int64{0, 1} {
			a, b := []int64{3, 4}, []int64{4, 5}
			if transA == 1 {
				a = []int64{4, 3}
			}
			if transB == 1 {
				b = []int64{5, 4}
			}
			list = append(list, example{name: fmt.Sprint("Gemm ", transA, transB), step: 0.5,
				nodes: []*onnx.Node{node("Gemm", in("x", "w", "b"), onnx.IntAttr("transA", transA), onnx.IntAttr("transB", transB), onnx.FloatAttr("alpha", 0.7), onnx.FloatAttr("beta", 1.3))},
				feeds: []feed{{name: "x", dims: a}, w(b...), bias(5)}})
		}
	}
	for _, s := range [][2][]int64{
		{{3, 4}, {4, 5}}, {{2, 3, 4}, {4, 5}}, {{2, 3, 4}, {2, 4, 5}}, {{2, 3, 4}, {1, 4, 5}}, {{2, 3, 3, 4}, {3, 4, 2}}, {{2, 1, 3, 4}, {2, 4, 2}}, {{3, 4}, {2, 4, 5}},
	} {
		list = append(list, example{name: fmt.Sprint("MatMul", s), nodes: []*onnx.Node{node("MatMul", in("x", "w"))},
			feeds: []feed{{name: "x", dims: s[0]}, w(s[1]...)}, step: 0.5})
	}
	return append(list,
		example{name: "Gemm without C", nodes: []*onnx.Node{node("Gemm", in("x", "w"))}, feeds: []feed{x(3, 4), w(4, 2)}, step: 0.5},
		example{name: "MatMul of a batch", nodes: []*onnx.Node{node("MatMul", in("x", "w"))}, feeds: []feed{x(3, 2, 4), w(4, 2)}, step: 0.5})
}

func losses() []example {
	labels := []int64{2, 0, 4}
	list := []example{
		{name: "SoftmaxCrossEntropyLoss", nodes: []*onnx.Node{node("SoftmaxCrossEntropyLoss", in("x", "labels"), onnx.StrAttr("reduction", "none"))}, feeds: []feed{x(3, 5)}, labels: labels, shape: onnx.BatchOf()},
		{name: "cross entropy by hand", feeds: []feed{x(3, 5)}, labels: labels, fixed: []*onnx.Tensor{i64("depth", 5), f32("off on", 0, 1)}, nodes: []*onnx.Node{
			onnx.NewNode("LogSoftmax", "", in("x"), in("l"), onnx.IntAttr("axis", 1)),
			onnx.NewNode("OneHot", "", in("labels", "depth", "off on"), in("o"), onnx.IntAttr("axis", 1)),
			node("Mul", in("l", "o"))}},
	}
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		for _, axis := range []int64{1, -1, 0} {
			list = append(list, example{name: fmt.Sprint(op, axis), nodes: []*onnx.Node{node(op, in("x"), onnx.IntAttr("axis", axis))}, feeds: []feed{x(3, 5)}})
		}
		list = append(list, example{name: op + " of channels", nodes: []*onnx.Node{node(op, in("x"), onnx.IntAttr("axis", 1))}, feeds: []feed{x(2, 3, 2, 2)}})
		list = append(list, example{name: op + " of old", opset: 11, nodes: []*onnx.Node{node(op, in("x"))}, feeds: []feed{x(2, 3)}})
	}
	return list
}
