package gradient

import "github.com/abn-studio/studio/onnx"

// BlockedDomain is the domain of operators that each compute all gradients of a rule, over channels in blocks. AppendBlocked
// writes them. Whoever runs the graph must provide them (package internal/ort/blocked) and put the values into that layout.
const BlockedDomain = "studio.blocked"

// The operators of BlockedDomain that AppendBlocked writes. Shapes are those of the standard layout.
const (
	// ConvWeightGradient (dY, x) → (dW, dB), with Conv's attributes group, kernel_shape, strides and dilations, and begins: the
	// padding before each spatial axis.
	ConvWeightGradient = "ConvWeightGradient"
	// ConvInputGradient (dY, w) → dX of a Conv with a stride above 1, with ConvWeightGradient's attributes and size: X's spatial axes.
	ConvInputGradient = "ConvInputGradient"
	// TurnedWeight (w) → the weight of the convolution that leads from a Conv's dY to its dX, with Conv's attribute group.
	TurnedWeight = "TurnedWeight"
	// ClipGradient (y, dY) → dY where low < y < high, 0 elsewhere; without these attributes there is no bound.
	ClipGradient = "ClipGradient"
	// BatchNormalizationGradient (dY, x, scale, shift, mean, variance) → (dX, dScale, dShift), with epsilon, and training: 1 where mean
	// and variance are the batch's.
	BatchNormalizationGradient = "BatchNormalizationGradient"
)

// BlockedConv reports whether a convolution can be one of BlockedDomain: its channels in each group are a multiple of block or,
// if each group has one channel, the number of groups is. weight is [O,C/g,k,l].
func BlockedConv(weight []int64, groups, block int64) bool {
	if block == 0 || len(weight) != 4 {
		return false
	}
	if groups > 1 && weight[1] == 1 && weight[0] == groups {
		return groups%block == 0
	}
	return weight[0]/groups%block == 0 && weight[1]%block == 0
}

// BlockedImage reports whether a value is [N,C,H,W] with C a multiple of block.
func BlockedImage(shape onnx.Shape, block int64) bool {
	if block == 0 || len(shape) != 4 {
		return false
	}
	sizes, ok := shape[1:].Sizes()
	return ok && sizes[0]%block == 0
}

// blocked adds an operator of BlockedDomain. Its outputs get the shapes given, since inference does not know the operator.
func (b *builder) blocked(op string, inputs []string, shapes []onnx.Shape, attributes ...*onnx.Attribute) []string {
	outputs := make([]string, len(shapes))
	for i, shape := range shapes {
		outputs[i] = b.editor.Fresh(op)
		b.graph.ValueInfo = append(b.graph.ValueInfo, onnx.NewValue(outputs[i], onnx.Float, shape))
	}
	n := onnx.NewNode(op, outputs[0], inputs, outputs, attributes...)
	n.Domain = BlockedDomain
	b.append(n)
	return outputs
}

// convWeightBlocked gives a convolution's weight and bias their gradients.
func (b *builder) convWeightBlocked(n *onnx.Node, dY string, dims []int64, g *geometry, groups int64) {
	shapes := []onnx.Shape{onnx.ShapeOf(dims...)}
	if b.depends[n.Input(2)] {
		shapes = append(shapes, onnx.ShapeOf(dims[0]))
	}
	given := b.blocked(ConvWeightGradient, []string{dY, n.Input(0)}, shapes, onnx.IntAttr("group", groups),
		onnx.IntsAttr("kernel_shape", g.kernel...), onnx.IntsAttr("strides", g.stride...),
		onnx.IntsAttr("dilations", g.dilation...), onnx.IntsAttr("begins", g.before...))
	b.give(n.Input(1), given[0])
	if len(given) > 1 {
		b.give(n.Input(2), given[1])
	}
}

// convInputBlocked is dX of a convolution of stride above 1, for which dX is not a plain convolution of dY.
func (b *builder) convInputBlocked(x, dY, w string, g *geometry, groups int64) string {
	return b.blocked(ConvInputGradient, []string{dY, w}, []onnx.Shape{b.info[x].Shape}, onnx.IntAttr("group", groups),
		onnx.IntsAttr("kernel_shape", g.kernel...), onnx.IntsAttr("strides", g.stride...),
		onnx.IntsAttr("dilations", g.dilation...), onnx.IntsAttr("begins", g.before...), onnx.IntsAttr("size", g.in...))[0]
}

// within is dY where low < y < high, 0 elsewhere, in one pass; ±Inf is no bound. It returns "" if standard operators have to be
// used.
func (b *builder) within(y, dY string, low, high float64) string {
	if !BlockedImage(b.info[y].Shape, b.block) || b.info[y].Type != onnx.Float {
		return ""
	}
	return b.blocked(ClipGradient, []string{y, dY}, []onnx.Shape{b.info[y].Shape},
		onnx.FloatAttr("low", float32(low)), onnx.FloatAttr("high", float32(high)))[0]
}

// normalizeBlocked gives a BatchNormalization's inputs their gradients.
func (b *builder) normalizeBlocked(n *onnx.Node, dY, mean, variance string, training int64) {
	channels := onnx.Shape{b.info[n.Input(0)].Shape[1]}
	given := b.blocked(BatchNormalizationGradient, []string{dY, n.Input(0), n.Input(1), n.Input(2), mean, variance},
		[]onnx.Shape{b.info[n.Input(0)].Shape, channels, channels},
		onnx.FloatAttr("epsilon", n.AttrFloat("epsilon", 1e-5)), onnx.IntAttr("training", training))
	for i, value := range given {
		b.give(n.Inputs[i], value)
	}
}
