package gradient

import "github.com/abn-studio/studio/onnx"

// castLike casts to the type of another value, which gets no gradient. torch.export writes constants this way.
func castLike(b *builder, n *onnx.Node, dY string) error {
	if b.info[n.Input(0)].Type == b.info[n.Outputs[0]].Type {
		return passOn(b, n, dY)
	}
	return cast(b, n, dY)
}

// steps are operators whose outputs are the same all around almost every input: comparisons, signs, rounding. Their derivative is 0 there.
var steps = []string{
	"And", "ArgMax", "ArgMin", "Ceil", "Equal", "Floor", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "NonZero", "Not", "Or", "Round", "Sign", "Xor",
}

// carriesGradient reports whether a node's outputs change with what is trained if this input does. The
// shape of a value, and the type that another is cast to, do not depend on its elements.
func carriesGradient(n *onnx.Node, input int) bool {
	if n.IsOp("Shape", "Size") || n.IsOp(steps...) || n.IsOp("Cast") && !isReal(onnx.DataType(n.AttrInt("to", 0))) {
		return false
	}
	return input == 0 || !n.IsOp("CastLike")
}
