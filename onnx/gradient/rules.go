package gradient

import (
	"maps"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// rule adds the nodes that take dY, the derivative by n's first output, to n's inputs.
type rule func(b *builder, n *onnx.Node, dY string) error

// rules has the operators that can be differentiated.
var rules map[string]rule

func init() {
	rules = map[string]rule{
		"Identity": passOn, "Dropout": dropout, "Cast": cast, "CastLike": castLike,
		"Relu": relu, "Clip": clip, "Sigmoid": sigmoid, "HardSigmoid": hardSigmoid, "HardSwish": hardSwish,
		"LeakyRelu": leakyRelu, "Tanh": tanh, "Exp": exponential, "Log": logarithm, "Sqrt": squareRoot,
		"Neg": negate, "Abs": absolute, "Reciprocal": reciprocal, "Erf": errorFunction,
		"Softplus": softplus, "Elu": elu, "Selu": selu, "Celu": celu, "PRelu": pRelu, "Gelu": gelu, "Mish": mish, "Sin": sine, "Cos": cosine,
		"Where": where, "Max": extreme, "Min": extreme, "Mean": mean,
		"Add": add, "Sum": add, "Sub": subtract, "Mul": multiply, "Div": divide, "Pow": power,
		"Conv": conv, "ConvTranspose": convTranspose, "Gemm": gemm, "MatMul": matMul,
		"BatchNormalization": batchNormalization, "InstanceNormalization": instanceNormalization, "LayerNormalization": layerNormalization, "RMSNormalization": rmsNormalization, "GroupNormalization": groupNormalization,
		"MaxPool": maxPool, "AveragePool": averagePool, "GlobalAveragePool": globalAveragePool,
		"GlobalMaxPool": globalMaxPool, "ReduceMax": reduceExtreme, "ReduceMin": reduceExtreme,
		"ReduceL1": reduceNorm, "ReduceL2": reduceNorm, "ReduceSumSquare": reduceNorm,
		"ReduceLogSum": reduceLogSum, "ReduceLogSumExp": reduceLogSumExp,
		"ReduceMean": reduceMean, "ReduceSum": reduceSum,
		"Flatten": likeInput, "Reshape": likeInput, "Squeeze": likeInput, "Unsqueeze": likeInput,
		"Transpose": transpose, "Concat": concat, "Split": split, "Slice": slice, "Gather": gather, "GatherND": gatherND, "Pad": pad, "Expand": expand, "Tile": tile, "Resize": resize, "Upsample": resize, "DepthToSpace": depthToSpace, "SpaceToDepth": spaceToDepth, "Einsum": einsum,
		"Softmax": softmax, "Attention": attention, "LogSoftmax": logSoftmax, "SoftmaxCrossEntropyLoss": softmaxCrossEntropy,
	}
}

// Operators lists the operators that can be differentiated, in alphabetical order. Of some, only some forms can: Unsupported
// names a node of any other form.
func Operators() []string { return slices.Sorted(maps.Keys(rules)) }
