package onnx

import (
	"maps"
	"math"
	"slices"
)

// shapeRules has a rule for each operator of ai.onnx whose outputs Infer knows. init fills it in groups, which are easier to
// read.
var shapeRules = map[string]func(*call) error{}

func init() {
	add := func(rule func(*call) error, ops ...string) {
		for _, op := range ops {
			shapeRules[op] = rule
		}
	}
	add(unary, "Relu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Mish", "Softplus", "Softsign",
		"Tanh", "Erf", "Sin", "Cos", "Sign", "Softmax", "LogSoftmax", "Hardmax", "InstanceNormalization", "GroupNormalization",
		"LRN", "LpNormalization", "ThresholdedRelu", "Swish")
	add(identity, "Identity")
	add(dropout, "Dropout")
	add(cast, "Cast")
	add(castLike, "CastLike")
	add(batchNormalization, "BatchNormalization")
	add(layerNormalization, "LayerNormalization")
	add(unary, "RMSNormalization")
	add(unaryFunc(math.Sqrt), "Sqrt")
	add(unaryFunc(math.Exp), "Exp")
	add(unaryFunc(math.Log), "Log")
	add(unaryFunc(math.Floor), "Floor")
	add(unaryFunc(math.Ceil), "Ceil")
	add(unaryFunc(math.RoundToEven), "Round")
	add(unaryFunc(math.Abs), "Abs")
	add(unaryFunc(func(v float64) float64 { return -v }), "Neg")
	add(unaryFunc(func(v float64) float64 { return 1 / v }), "Reciprocal")
	add(not, "Not")

	add(arithmetic(addIntegers, func(a, b float64) float64 { return a + b }), "Add")
	add(arithmetic(subIntegers, func(a, b float64) float64 { return a - b }), "Sub")
	add(arithmetic(mulIntegers, func(a, b float64) float64 { return a * b }), "Mul")
	add(arithmetic(divIntegers, func(a, b float64) float64 { return a / b }), "Div")
	add(arithmetic(pow, math.Pow), "Pow")
	add(arithmetic(nil, nil), "PRelu")
	add(arithmetic(numbers(func(a, b int64) int64 {
		if b == 0 {
			return 0
		}
		return ((a % b) + b) % b
	}), nil), "Mod")
	add(variadic, "Sum", "Mean", "Min", "Max")
	add(compare(func(a, b int64) bool { return a == b }), "Equal")
	add(compare(func(a, b int64) bool { return a > b }), "Greater")
	add(compare(func(a, b int64) bool { return a >= b }), "GreaterOrEqual")
	add(compare(func(a, b int64) bool { return a < b }), "Less")
	add(compare(func(a, b int64) bool { return a <= b }), "LessOrEqual")
	add(compare(func(a, b int64) bool { return a != 0 && b != 0 }), "And")
	add(compare(func(a, b int64) bool { return a != 0 || b != 0 }), "Or")
	add(where, "Where")

	add(conv, "Conv")
	add(convTranspose, "ConvTranspose")
	add(pool, "MaxPool", "AveragePool", "LpPool")
	add(globalPool, "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
	add(gemm, "Gemm")
	add(matMul, "MatMul")
	add(reduce, "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
		"ReduceLogSum", "ReduceLogSumExp")
	add(argument, "ArgMax", "ArgMin")
	add(resize, "Resize")
	add(upsample, "Upsample")
	add(blocks, "DepthToSpace", "SpaceToDepth")
	add(einsum, "Einsum")

	add(constantNode, "Constant")
	add(constantOfShape, "ConstantOfShape")
	add(shapeOf, "Shape")
	add(sizeOf, "Size")
	add(flatten, "Flatten")
	add(reshape, "Reshape")
	add(transpose, "Transpose")
	add(squeeze, "Squeeze")
	add(unsqueeze, "Unsqueeze")
	add(slice, "Slice")
	add(pad, "Pad")
	add(concat, "Concat")
	add(split, "Split")
	add(gather, "Gather")
	add(gatherND, "GatherND")
	add(likeIndices, "GatherElements")
	add(unary, "ScatterND", "ScatterElements", "CumSum", "Trilu")
	add(expand, "Expand")
	add(tile, "Tile")
	add(rangeOf, "Range")
	add(oneHot, "OneHot")

	add(unary, "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Shrink", "MeanVarianceNormalization", "ReverseSequence")
	add(predicate, "IsNaN", "IsInf")
	add(compare(func(a, b int64) bool { return (a != 0) != (b != 0) }), "Xor")
	add(gridSample, "GridSample")
	add(affineGrid, "AffineGrid")
	add(topK, "TopK")
	add(attend, "Attention")
	add(recurrent, "RNN", "GRU", "LSTM")
	add(col2Im, "Col2Im")
}

// InferredOperators lists the operators of ai.onnx that have a shape rule, in alphabetical order.
func InferredOperators() []string { return slices.Sorted(maps.Keys(shapeRules)) }
