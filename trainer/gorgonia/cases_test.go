package gorgonia

import "github.com/abn-studio/studio/onnx"

// operatorCase is one node on inputs that are all differentiated by, but for the constants.
type operatorCase struct {
	name       string
	op         string
	shapes     [][]int64 // of the inputs, which come first
	constants  []*onnx.Tensor
	attributes []*onnx.Attribute
	outputs    int       // 0: one
	positive   bool      // inputs are above 0
	kinks      []float32 // inputs keep away from these
	opset      int64     // 0: gradient.Level
	training   bool      // a BatchNormalization on the batch's statistics
}

func sliding(kernel, stride, pad, dilation int64, more ...*onnx.Attribute) []*onnx.Attribute {
	return append([]*onnx.Attribute{
		onnx.IntsAttr("kernel_shape", kernel, kernel), onnx.IntsAttr("strides", stride, stride),
		onnx.IntsAttr("pads", pad, pad, pad, pad), onnx.IntsAttr("dilations", dilation, dilation)}, more...)
}

func ints(list ...int64) *onnx.Tensor { return onnx.NewInt64("", []int64{int64(len(list))}, list) }

func scalar(v float32) *onnx.Tensor { return onnx.NewFloat32("", nil, []float32{v}) }

var operatorCases = []operatorCase{
	{name: "3x3", op: "Conv", shapes: [][]int64{{2, 3, 5, 7}, {4, 3, 3, 3}, {4}}, attributes: sliding(3, 1, 1, 1)},
	{name: "stride 2, leftover rows", op: "Conv", shapes: [][]int64{{2, 3, 6, 7}, {4, 3, 3, 3}}, attributes: sliding(3, 2, 0, 1)},
	{name: "stride 3, more than the kernel", op: "Conv", shapes: [][]int64{{1, 2, 8, 9}, {3, 2, 2, 2}}, attributes: sliding(2, 3, 1, 1)},
	{name: "dilation", op: "Conv", shapes: [][]int64{{2, 2, 9, 8}, {3, 2, 3, 3}}, attributes: sliding(3, 2, 2, 2)},
	{name: "1x1 to one channel", op: "Conv", shapes: [][]int64{{2, 3, 4, 4}, {1, 3, 1, 1}, {1}}, attributes: sliding(1, 1, 0, 1)},
	{name: "1x1 stride 2", op: "Conv", shapes: [][]int64{{2, 3, 5, 5}, {4, 3, 1, 1}}, attributes: sliding(1, 2, 0, 1)},
	{name: "uneven pads and sides", op: "Conv", shapes: [][]int64{{2, 2, 6, 5}, {3, 2, 3, 2}}, attributes: []*onnx.Attribute{
		onnx.IntsAttr("kernel_shape", 3, 2), onnx.IntsAttr("strides", 2, 1), onnx.IntsAttr("pads", 2, 0, 1, 1)}},
	{name: "pad larger than the kernel", op: "Conv", shapes: [][]int64{{1, 1, 3, 3}, {2, 1, 2, 2}}, attributes: sliding(2, 2, 3, 1)},
	{name: "SAME_UPPER", op: "Conv", shapes: [][]int64{{2, 2, 6, 7}, {3, 2, 4, 4}}, attributes: []*onnx.Attribute{
		onnx.StrAttr("auto_pad", "SAME_UPPER"), onnx.IntsAttr("kernel_shape", 4, 4), onnx.IntsAttr("strides", 2, 2)}},
	{name: "SAME_LOWER", op: "Conv", shapes: [][]int64{{2, 2, 6, 7}, {3, 2, 4, 4}}, attributes: []*onnx.Attribute{
		onnx.StrAttr("auto_pad", "SAME_LOWER"), onnx.IntsAttr("kernel_shape", 4, 4), onnx.IntsAttr("strides", 2, 2)}},
	{name: "two groups", op: "Conv", shapes: [][]int64{{2, 4, 5, 5}, {6, 2, 3, 3}, {6}}, attributes: sliding(3, 2, 1, 1, onnx.IntAttr("group", 2))},
	{name: "depthwise", op: "Conv", shapes: [][]int64{{2, 5, 6, 6}, {5, 1, 3, 3}}, attributes: sliding(3, 2, 1, 1, onnx.IntAttr("group", 5))},
	{name: "depthwise, two each", op: "Conv", shapes: [][]int64{{1, 3, 5, 4}, {6, 1, 3, 3}}, attributes: sliding(3, 1, 1, 1, onnx.IntAttr("group", 3))},
	{name: "one image", op: "Conv", shapes: [][]int64{{1, 1, 1, 1}, {1, 1, 1, 1}, {1}}, attributes: sliding(1, 1, 0, 1)},

	{name: "plain", op: "Gemm", shapes: [][]int64{{3, 4}, {4, 5}, {5}}},
	{name: "transposed", op: "Gemm", shapes: [][]int64{{4, 3}, {5, 4}, {3, 5}}, attributes: []*onnx.Attribute{
		onnx.IntAttr("transA", 1), onnx.IntAttr("transB", 1), onnx.FloatAttr("alpha", 0.5), onnx.FloatAttr("beta", 2)}},
	{name: "one row", op: "Gemm", shapes: [][]int64{{1, 4}, {1, 4}, {1}}, attributes: []*onnx.Attribute{onnx.IntAttr("transB", 1)}},
	{name: "matrices", op: "MatMul", shapes: [][]int64{{3, 4}, {4, 2}}},
	{name: "a stack", op: "MatMul", shapes: [][]int64{{2, 3, 4}, {4, 5}}},

	{name: "frozen", op: "BatchNormalization", shapes: [][]int64{{3, 2, 2, 3}, {2}, {2}, {2}, {2}}, positive: true},
	{name: "batch", op: "BatchNormalization", shapes: [][]int64{{3, 2, 4, 3}, {2}, {2}}, training: true},
	{name: "batch, one channel", op: "BatchNormalization", shapes: [][]int64{{3, 1, 2, 3}, {1}, {1}}, training: true},
	{name: "batch, vectors", op: "BatchNormalization", shapes: [][]int64{{5, 4}, {4}, {4}}, training: true},

	{name: "same", op: "Add", shapes: [][]int64{{2, 3, 2}, {2, 3, 2}}},
	{name: "broadcast both", op: "Add", shapes: [][]int64{{2, 1, 4}, {3, 1}}},
	{name: "per channel", op: "Sub", shapes: [][]int64{{3, 1, 1}, {2, 3, 2, 2}}},
	{name: "a gate", op: "Mul", shapes: [][]int64{{2, 3, 4, 4}, {2, 3, 1, 1}}},
	{name: "a map", op: "Mul", shapes: [][]int64{{2, 3, 4, 4}, {2, 1, 4, 4}}},
	{name: "broadcast both", op: "Mul", shapes: [][]int64{{2, 1, 4}, {3, 1}}},
	{name: "the smaller first", op: "Mul", shapes: [][]int64{{4}, {2, 3, 4}}},
	{name: "same", op: "Mul", shapes: [][]int64{{2, 3}, {2, 3}}},
	{name: "by a row", op: "Div", shapes: [][]int64{{2, 3, 4}, {4}}, positive: true},
	{name: "of one element", op: "Div", shapes: [][]int64{{1}, {1}}, positive: true},
	{name: "three", op: "Sum", shapes: [][]int64{{2, 3}, {2, 3}, {3}}},

	{op: "Relu", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{0}},
	{op: "LeakyRelu", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{0}, attributes: []*onnx.Attribute{onnx.FloatAttr("alpha", 0.2)}},
	{name: "both ends", op: "Clip", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{-0.5, 0.75}, constants: []*onnx.Tensor{scalar(-0.5), scalar(0.75)}},
	{op: "HardSigmoid", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{-1, 1}, attributes: []*onnx.Attribute{onnx.FloatAttr("alpha", 0.5)}},
	{op: "HardSwish", shapes: [][]int64{{2, 3, 4}}},
	{op: "Abs", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{0}},
	{op: "Elu", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.FloatAttr("alpha", 0.7)}, kinks: []float32{0}},
	{op: "Celu", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.FloatAttr("alpha", 0.7)}},
	{op: "Selu", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{0}},
	{op: "Erf", shapes: [][]int64{{2, 3, 4}}},
	{op: "Gelu", shapes: [][]int64{{2, 3, 4}}, opset: 20},
	{op: "Mish", shapes: [][]int64{{2, 3, 4}}, opset: 18},
	{name: "squares", op: "Pow", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{scalar(2)}},
	{name: "a broken exponent", op: "Pow", shapes: [][]int64{{2, 3}}, constants: []*onnx.Tensor{scalar(1.5)}, positive: true},
	{name: "per channel", op: "PRelu", shapes: [][]int64{{2, 3, 4}, {3, 1}}, kinks: []float32{0}},
	{op: "Sin", shapes: [][]int64{{2, 3, 4}}},
	{op: "Cos", shapes: [][]int64{{2, 3, 4}}},
	{op: "InstanceNormalization", shapes: [][]int64{{2, 3, 4, 3}, {3}, {3}}},
	{name: "last axis", op: "LayerNormalization", shapes: [][]int64{{2, 3, 4}, {4}, {4}}},
	{name: "two axes, no shift", op: "LayerNormalization", shapes: [][]int64{{2, 3, 4}, {3, 4}}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", 1)}},
	{op: "Mean", shapes: [][]int64{{2, 3}, {2, 3}, {3}}},
	{name: "two stacks", op: "MatMul", shapes: [][]int64{{2, 3, 4}, {2, 4, 5}}},
	{op: "ReduceSumSquare", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.IntsAttr("axes", 1)}},
	{op: "ReduceL1", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.IntsAttr("axes", 0, 2)}, kinks: []float32{0}},
	{op: "ReduceL2", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.IntsAttr("axes", 2), onnx.IntAttr("keepdims", 0)}},
	{op: "ReduceMax", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.IntsAttr("axes", 0, 2)}},
	{op: "ReduceMin", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.IntsAttr("axes", 1)}},
	{op: "Sigmoid", shapes: [][]int64{{2, 3, 4}}},
	{op: "Tanh", shapes: [][]int64{{2, 3, 4}}},
	{op: "Exp", shapes: [][]int64{{2, 3, 4}}},
	{op: "Log", shapes: [][]int64{{2, 3, 4}}, positive: true},
	{op: "Sqrt", shapes: [][]int64{{2, 3, 4}}, positive: true},
	{op: "Neg", shapes: [][]int64{{2, 3, 4}}},
	{op: "Softplus", shapes: [][]int64{{2, 3, 4}}},
	{op: "Reciprocal", shapes: [][]int64{{2, 3, 4}}, positive: true},
	{name: "last axis", op: "Softmax", shapes: [][]int64{{3, 5}}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", -1)}},
	{name: "channels", op: "Softmax", shapes: [][]int64{{2, 3, 2, 2}}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", 1)}},
	{name: "one row", op: "LogSoftmax", shapes: [][]int64{{1, 5}}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", 1)}},

	{op: "GlobalAveragePool", shapes: [][]int64{{2, 3, 4, 5}}},
	{name: "spatial", op: "ReduceMean", shapes: [][]int64{{2, 3, 4, 5}}, attributes: []*onnx.Attribute{onnx.IntsAttr("axes", 2, 3), onnx.IntAttr("keepdims", 0)}},
	{name: "channels", op: "ReduceMean", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.IntsAttr("axes", 1)}},
	{name: "all", op: "ReduceMean", shapes: [][]int64{{2, 3, 4}}},
	{name: "negative axis", op: "ReduceSum", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{ints(-1, 0)}},
	{name: "overlapping", op: "AveragePool", shapes: [][]int64{{2, 3, 7, 6}}, attributes: sliding(3, 2, 1, 1)[:3]},
	{name: "padding counted", op: "AveragePool", shapes: [][]int64{{2, 3, 7, 6}}, attributes: append(sliding(3, 2, 1, 1)[:3], onnx.IntAttr("count_include_pad", 1))},
	{name: "rounded up", op: "AveragePool", shapes: [][]int64{{1, 2, 6, 6}}, attributes: append(sliding(3, 2, 0, 1)[:3], onnx.IntAttr("ceil_mode", 1))},
	{name: "overlapping", op: "MaxPool", shapes: [][]int64{{2, 3, 7, 6}}, attributes: sliding(3, 2, 1, 1)},
	{name: "rounded up", op: "MaxPool", shapes: [][]int64{{1, 2, 6, 6}}, attributes: sliding(3, 2, 0, 1, onnx.IntAttr("ceil_mode", 1))},
	{op: "GlobalMaxPool", shapes: [][]int64{{2, 3, 4, 5}}},

	{op: "Flatten", shapes: [][]int64{{2, 3, 4, 5}}},
	{name: "copied and inferred", op: "Reshape", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{ints(0, -1)}},
	{op: "Squeeze", shapes: [][]int64{{2, 1, 3, 1}}, constants: []*onnx.Tensor{ints(1, 3)}},
	{op: "Unsqueeze", shapes: [][]int64{{2, 3}}, constants: []*onnx.Tensor{ints(0, 3)}},
	{op: "Identity", shapes: [][]int64{{2, 3}}},
	{op: "Dropout", shapes: [][]int64{{2, 3}}},
	{op: "Expand", shapes: [][]int64{{3, 1}}, constants: []*onnx.Tensor{ints(2, 3, 4)}},
	{op: "Transpose", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.IntsAttr("perm", 1, 2, 0)}},
	{name: "reversed", op: "Transpose", shapes: [][]int64{{2, 3, 4}}},
	{name: "steps", op: "Slice", shapes: [][]int64{{5, 7}}, constants: []*onnx.Tensor{ints(1, -1), ints(9, -8), ints(0, 1), ints(2, -3)}},
	{name: "first axis", op: "Slice", shapes: [][]int64{{5, 2}}, constants: []*onnx.Tensor{ints(-3), ints(-1)}},
	{name: "uneven", op: "Split", shapes: [][]int64{{2, 5, 2}}, constants: []*onnx.Tensor{ints(1, 3, 1)}, outputs: 3, attributes: []*onnx.Attribute{onnx.IntAttr("axis", 1)}},
	{name: "a value", op: "Pad", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{ints(0, 1, 2, 0, 0, 1), scalar(2)}},
	{name: "cutting", op: "Pad", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{ints(0, -1, 2, 0, 0, -1)}},
	{name: "one", op: "Gather", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{onnx.NewInt64("", nil, []int64{-1})}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", 1)}},
	{name: "some twice", op: "Gather", shapes: [][]int64{{4, 3}}, constants: []*onnx.Tensor{onnx.NewInt64("", []int64{2, 2}, []int64{3, 0, 3, 1})}},
	{op: "Cast", shapes: [][]int64{{2, 3}}, attributes: []*onnx.Attribute{onnx.IntAttr("to", int64(onnx.Float))}},
	{op: "CastLike", shapes: [][]int64{{2, 3}}, constants: []*onnx.Tensor{scalar(1)}},
	{op: "Concat", shapes: [][]int64{{2, 1, 3}, {2, 2, 3}, {2, 3, 3}}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", -2)}},
}
