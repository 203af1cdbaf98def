package gorgonia

import (
	"maps"
	"slices"
)

// rules has the operators that the gorgonia engine can build and, with Gorgonia's differentiation, train through. Some are built
// in some forms only; a rule's error says which.
var rules map[string]rule

func init() { // the rules call the builder, which looks here
	rules = map[string]rule{
		"Conv": convRule, "Gemm": gemmRule, "MatMul": matMulRule,
		"BatchNormalization": batchNormRule,
		"Add":                arithmeticRule, "Sub": arithmeticRule, "Mul": arithmeticRule, "Div": arithmeticRule, "Sum": arithmeticRule, "Mean": arithmeticRule,
		"Relu": kinkRule, "LeakyRelu": kinkRule, "Clip": kinkRule, "HardSigmoid": kinkRule, "HardSwish": kinkRule, "Abs": kinkRule,
		"Sigmoid": smoothRule, "Tanh": smoothRule, "Exp": smoothRule, "Log": smoothRule, "Sqrt": smoothRule, "Neg": smoothRule, "Softplus": smoothRule, "Reciprocal": smoothRule, "Sin": smoothRule, "Cos": smoothRule,
		"Elu": curveRule, "Celu": curveRule, "Selu": curveRule, "Erf": curveRule, "Gelu": curveRule, "Mish": curveRule, "Pow": curveRule, "PRelu": preluRule,
		"InstanceNormalization": momentsRule, "LayerNormalization": momentsRule,
		"Softmax": softmaxRule, "LogSoftmax": softmaxRule,
		"GlobalAveragePool": reduceRule, "ReduceMean": reduceRule, "ReduceSum": reduceRule,
		"ReduceSumSquare": reduceRule, "ReduceL1": reduceRule, "ReduceL2": reduceRule, "ReduceMax": reduceRule, "ReduceMin": reduceRule,
		"AveragePool": averagePoolRule, "MaxPool": maxPoolRule, "GlobalMaxPool": maxPoolRule,
		"Flatten": reshapeRule, "Reshape": reshapeRule, "Squeeze": reshapeRule, "Unsqueeze": reshapeRule,
		"Identity": reshapeRule, "Dropout": reshapeRule, "Expand": expandRule,
		"Transpose": transposeRule, "Slice": sliceRule, "Split": splitRule, "Pad": padRule, "Concat": concatRule, "Gather": gatherRule,
		"Constant": constantRule, "Cast": castRule, "CastLike": castRule,
	}
}

// Operators lists the ONNX operators that the gorgonia engine has, in alphabetical order.
func Operators() []string {
	return slices.Sorted(maps.Keys(rules))
}
