package step

import (
	"context"
	"math"
	"runtime"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// RuntimeBlocked is the domain of the runtime's own convolutions over blocked channels: x [N,C,H,W] is kept as [N,C/B,H,W,B], so
// that a vector register holds the same pixel of B channels. The runtime's optimiser uses them only if weights are constants,
// which a step's are not. Its Conv is then an im2col and a product, which takes about 1.5 times as long at 3×3.
const RuntimeBlocked = "com.microsoft.nchwc"

// layout rewrites a graph so that images stay in blocks from the first operator that needs blocks to the last. A value in blocks
// is declared with the shape of the standard layout.
type layout struct {
	*survey
	block    int64
	threads  int
	inBlocks map[string]string // the name of a value in blocks
	only     map[string]bool   // values that are only in blocks so far
	nodes    []*onnx.Node
}

// layOut replaces standard operators by those over blocked channels, in a forward pass or in a step that was differentiated for
// them (gradient.AppendBlocked), after fuseBlocked. threads is for each operator, 0: one per core.
func layOut(ctx context.Context, m *onnx.Model, block int64, threads int) error {
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	s, err := surveyOf(ctx, m)
	if err != nil {
		return err
	}
	l := &layout{survey: s, block: block, threads: threads, inBlocks: map[string]string{}, only: map[string]bool{}}
	fused := map[*onnx.Node]bool{}
	for _, n := range m.Graph.Nodes {
		if !fused[n] {
			l.place(n, fused)
		}
	}
	m.Graph.Nodes = l.nodes
	m.Opsets = append(m.Opsets, onnx.Opset{Domain: RuntimeBlocked, Version: 1}, onnx.Opset{Domain: gradient.BlockedDomain, Version: 1})
	return nil
}

// place adds the nodes that replace n.
func (l *layout) place(n *onnx.Node, fused map[*onnx.Node]bool) {
	switch {
	case n.Domain == gradient.BlockedDomain:
		switch n.Op {
		case gradient.TurnedWeight: // the convolution that reads it lays it out
			return
		case gradient.ClipGradient:
			l.placeAsIs(n)
		default:
			l.placeOperator(n)
		}
	case l.fits(n):
		l.placeConv(n, fused)
	default:
		l.placeAsIs(n)
	}
	for _, output := range n.Outputs {
		if l.outputs[output] {
			l.standard(output)
		}
	}
}

// blocks returns a value in blocks, converting it if needed.
func (l *layout) blocks(value string) string {
	if l.inBlocks[value] == "" {
		l.nodes = append(l.nodes, blockedNode("ReorderInput", value, l.name(value)))
	}
	return l.inBlocks[value]
}

// standard returns a value in the standard layout, converting it if needed.
func (l *layout) standard(value string) string {
	if l.only[value] {
		l.only[value] = false
		channels := l.Shape(value)[1].Size
		l.nodes = append(l.nodes, blockedNode("ReorderOutput", l.inBlocks[value], value, onnx.IntAttr("channels", channels)))
	}
	return value
}

func blockedNode(op, input, output string, attributes ...*onnx.Attribute) *onnx.Node {
	return &onnx.Node{Op: op, Domain: RuntimeBlocked, Name: output + "/" + op, Inputs: []string{input}, Outputs: []string{output}, Attributes: attributes}
}

// name names a value in blocks.
func (l *layout) name(value string) string {
	name := value + "/blocked"
	l.inBlocks[value] = name
	l.declare(name, l.Shape(value))
	return name
}

// make names a value that a node makes in blocks.
func (l *layout) make(value string) string {
	l.only[value] = true
	return l.name(value)
}

// elementwise are operators that do the same to every element, so that any layout will do.
var elementwise = map[string]bool{
	"Add": true, "Sub": true, "Mul": true, "Div": true, "Sum": true, "Neg": true, "Identity": true, "Relu": true, "Clip": true, "Sigmoid": true,
	"HardSigmoid": true, "HardSwish": true, "LeakyRelu": true, "Tanh": true, "Exp": true, gradient.ClipGradient: true,
}

// placeAsIs keeps a node. It works on blocks if its images are in blocks and any layout will do.
func (l *layout) placeAsIs(n *onnx.Node) {
	blocked := l.mindless(n)
	n = n.Clone()
	for i, input := range n.Inputs {
		switch {
		case input == "":
		case blocked && len(l.Shape(input)) == 4:
			n.Inputs[i] = l.blocks(input)
		default:
			n.Inputs[i] = l.standard(input)
		}
	}
	if blocked {
		n.Outputs[0] = l.make(n.Outputs[0])
	}
	if n.Domain == gradient.BlockedDomain {
		n.SetAttr(onnx.IntAttr("block", l.block))
	}
	l.nodes = append(l.nodes, n)
}

// mindless reports whether a node can work on blocks and reads an image that is only in blocks.
func (l *layout) mindless(n *onnx.Node) bool {
	concat := n.IsOp("Concat") && n.AttrInt("axis", 0) == 1
	if !concat && !elementwise[n.Op] || len(n.Outputs) != 1 {
		return false
	}
	output := l.Shape(n.Outputs[0])
	if !gradient.BlockedImage(output, l.block) {
		return false
	}
	some := false
	for _, input := range n.Inputs {
		switch shape := l.Shape(input); {
		case concat && gradient.BlockedImage(shape, l.block), !concat && shape.Equal(output):
			some = some || l.only[input]
		case !concat && (len(shape) == 0 || shape.Equal(onnx.ShapeOf(1))): // one number, or left out
		default:
			return false
		}
	}
	return some
}

// placeOperator adds one of package blocked's operators. It reads and makes images in blocks, and all other values in the
// standard layout.
func (l *layout) placeOperator(before *onnx.Node) {
	n := before.Clone()
	n.SetAttr(onnx.IntAttr("block", l.block))
	n.SetAttr(onnx.IntAttr("threads", int64(l.threads)))
	images := n.Inputs
	if n.Op == gradient.ConvInputGradient {
		images = images[:1]
	}
	for i, input := range images {
		if len(l.Shape(input)) == 4 {
			n.Inputs[i] = l.blocks(input)
		}
	}
	if n.Op == gradient.ConvInputGradient {
		w, _ := l.Shape(n.Inputs[1]).Sizes()
		groups := n.AttrInt("group", 1)
		turned := []int64{groups * w[1], w[0] / groups, w[2], w[3]}
		n.Inputs[1] = l.lay("LayWeight", n.Inputs[1], n.Inputs[0], n.Outputs[0], turned, groups, before.Inputs[0])
	}
	if n.Op == gradient.ConvWeightGradient {
		dY, x := l.Shape(before.Inputs[0])[1].Size, l.Shape(before.Inputs[1])[1].Size
		if winogradPays(n, append([]int64{dY, x / n.AttrInt("group", 1)}, n.AttrInts("kernel_shape")...)) {
			n.SetAttr(onnx.IntAttr("winograd", 1))
		}
	} else {
		n.Outputs[0] = l.make(n.Outputs[0])
	}
	l.nodes = append(l.nodes, n)
}

// lay adds the node op that lays a weight out for the convolution that makes output or, turned, for its gradient from dY.
func (l *layout) lay(op, weight, x, output string, shape []int64, groups int64, dY string) string {
	after, turned := x, int64(0)
	if dY != "" {
		turned = 1
		for _, reader := range l.Consumers[dY] {
			if isBlocked(reader, gradient.ConvWeightGradient) {
				after = reader.Outputs[0]
			}
		}
	}
	laid := output + "/weight"
	l.declare(laid, onnx.ShapeOf(shape...))
	// The runtime runs nodes without inputs from other nodes first, and nodes that no other reads last. Without this it would lay
	// out all weights before anything else, and sum the weights' gradients at the very end.
	n := onnx.NewNode(op, laid, []string{weight, after}, []string{laid},
		onnx.IntAttr("block", l.block), onnx.IntAttr("group", groups), onnx.IntAttr("turned", turned))
	n.Domain = gradient.BlockedDomain
	l.nodes = append(l.nodes, n)
	return laid
}

// fits reports whether the runtime has a blocked kernel for a convolution.
func (l *layout) fits(n *onnx.Node) bool {
	if !n.IsOp("Conv") || n.AttrStr("auto_pad", "NOTSET") != "NOTSET" {
		return false
	}
	w, ok := l.Shape(n.Inputs[1]).Sizes()
	if !ok || len(w) != 4 {
		return false
	}
	groups := n.AttrInt("group", 1)
	pixels := groups == 1 && w[1] < l.block && w[0]%l.block == 0 && w[2]*w[3] > 1 // read as they are
	return pixels || gradient.BlockedConv(w, groups, l.block)
}

// winogradPays reports whether Winograd's algorithm computes a convolution with a weight [O,C/g,k,l], or such a weight's gradient, in
// less time (ADR 55): its 3×3 kernels take 16 products for four outputs instead of 36. With few channels, spreading the pixels takes
// what that saves.
func winogradPays(n *onnx.Node, weight []int64) bool {
	const few = 32
	plain := func(name string, value int64) bool {
		both := n.AttrInts(name, value, value)
		return both[0] == value && both[1] == value
	}
	return len(weight) == 4 && weight[2] == 3 && weight[3] == 3 && weight[0] >= few && weight[1] >= few &&
		n.AttrInt("group", 1) == 1 && plain("strides", 1) && plain("dilations", 1)
}

// placeConv adds a convolution, with the Relu or Clip that alone reads it.
func (l *layout) placeConv(n *onnx.Node, fused map[*onnx.Node]bool) {
	output := n.Outputs[0]
	w, _ := l.Shape(n.Inputs[1]).Sizes()

	x := n.Inputs[0]
	if w[1]*n.AttrInt("group", 1) >= l.block {
		x = l.blocks(x)
	} else {
		x = l.standard(x)
	}
	weight, dY := n.Inputs[1], ""
	if maker := l.Producer[weight]; isBlocked(maker, gradient.TurnedWeight) {
		weight, dY = maker.Inputs[0], n.Inputs[0]
	}
	var clip *bounds
	if reader := l.onlyReader(output); reader != nil {
		if low, high, ok := clipBounds(l.Inferred, reader); ok {
			clip = &bounds{reader.IsOp("Relu"), low, high}
			fused[reader] = true
			output = reader.Outputs[0]
		}
	}
	var placed *onnx.Node
	if winogradPays(n, w) {
		placed = l.winograd(n, x, l.lay("WinogradWeight", weight, x, n.Outputs[0], []int64{16, w[1], w[0]}, 1, dY), clip)
	} else {
		placed = l.runtimeConv(n, x, l.lay("LayWeight", weight, x, n.Outputs[0], w, n.AttrInt("group", 1), dY), clip)
	}
	placed.Name, placed.Outputs = n.Name, []string{l.make(output)}
	l.nodes = append(l.nodes, placed)
	if l.outputs[output] {
		l.standard(output)
	}
}

// bounds are those that a convolution's output is kept in by the Relu or Clip that alone reads it.
type bounds struct {
	relu      bool
	low, high float64
}

// runtimeConv is a convolution of the runtime's.
func (l *layout) runtimeConv(n *onnx.Node, x, laid string, clip *bounds) *onnx.Node {
	w, _ := l.Shape(n.Inputs[1]).Sizes()
	attributes := []*onnx.Attribute{
		onnx.IntAttr("group", n.AttrInt("group", 1)), onnx.IntsAttr("kernel_shape", w[2:]...),
		onnx.IntsAttr("dilations", n.AttrInts("dilations", 1, 1)...), onnx.IntsAttr("strides", n.AttrInts("strides", 1, 1)...),
		onnx.IntsAttr("pads", n.AttrInts("pads", 0, 0, 0, 0)...),
	}
	switch {
	case clip == nil:
	case clip.relu:
		attributes = append(attributes, onnx.StrAttr("activation", "Relu"))
	default:
		attributes = append(attributes, onnx.StrAttr("activation", "Clip"),
			onnx.FloatsAttr("activation_params", float32(max(clip.low, -math.MaxFloat32)), float32(min(clip.high, math.MaxFloat32))))
	}
	return &onnx.Node{Op: "Conv", Domain: RuntimeBlocked, Inputs: append([]string{x, laid}, n.Inputs[2:]...), Attributes: attributes}
}

// winograd is package blocked's convolution.
func (l *layout) winograd(n *onnx.Node, x, laid string, clip *bounds) *onnx.Node {
	pads := n.AttrInts("pads", 0, 0, 0, 0)
	attributes := []*onnx.Attribute{
		onnx.IntAttr("block", l.block), onnx.IntAttr("threads", int64(l.threads)), onnx.IntsAttr("kernel_shape", 3, 3),
		onnx.IntsAttr("begins", pads[:2]...), onnx.IntsAttr("ends", pads[2:]...),
	}
	if clip != nil {
		attributes = append(attributes, onnx.FloatAttr("low", float32(clip.low)), onnx.FloatAttr("high", float32(clip.high)))
	}
	return &onnx.Node{Op: "WinogradConv", Domain: gradient.BlockedDomain, Inputs: append([]string{x, laid}, n.Inputs[2:]...), Attributes: attributes}
}
