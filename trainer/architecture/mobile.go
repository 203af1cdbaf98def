package architecture

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/abn-studio/studio/onnx"
)

// mobileBlocks is a row of MobileNetV2's table: a number of blocks with their widening factor and output channels, and the stride
// of the first.
type mobileBlocks struct{ widen, channels, blocks, stride int }

// mobileStages is the table of Sandler et al., for a first convolution of mobileStem channels: the grid is 56, 28, 14 and 7
// cells a side behind the stages for an image of 224.
var mobileStages = [4][]mobileBlocks{
	{{1, 16, 1, 1}, {6, 24, 2, 2}},
	{{6, 32, 3, 2}},
	{{6, 64, 4, 2}, {6, 96, 3, 1}},
	{{6, 160, 3, 2}, {6, 320, 1, 1}},
}

const (
	mobileStem = 32
	mobileLast = 1280 // channels of the 1×1 convolution in front of the classifier
)

// scaled is a number of channels of the table, in proportion to the network's width.
func (a Architecture) scaled(channels int) int { return max(1, channels*a.Width/mobileStem) }

// mobileStage appends the rows of stage number index. With stride 1 the stage has no strides, as the attention branch's copy of
// the last stage; else it has those of the table.
func (a Architecture) mobileStage(b *builder, name, x string, in, index, stride int) (string, int) {
	block := 0
	for _, row := range mobileStages[index] {
		step := row.stride
		if index == 3 {
			step = min(step, stride)
		}
		for range row.blocks {
			out := a.scaled(row.channels)
			x = b.inverted(fmt.Sprintf("%s.%d", name, block), x, in, out, row.widen, step)
			in, step = out, 1
			block++
		}
	}
	return x, in
}

// inverted is an inverted residual: 1×1 to widen·in channels, 3×3 over each channel by itself (which takes the stride), 1×1 to
// out without an activation; the input is added where the shapes are the same.
func (b *builder) inverted(name, x string, in, out, widen, stride int) string {
	y, hidden := x, in
	if widen != 1 {
		hidden = widen * in
		y = b.widen(name+".expand", y, in, hidden)
	}
	y = b.relu6(name+".bn2", b.batchNorm(name+".bn2", b.depthwise(name+".conv2", y, hidden, 3, stride), hidden))
	y = b.batchNorm(name+".bn3", b.conv(name+".conv3", y, hidden, out, 1, 1), out)
	if stride != 1 || in != out {
		return y
	}
	return b.node("Add", name+"/add", "/"+name+"/add", x, y)
}

// widen is a 1×1 convolution with norm and activation.
func (b *builder) widen(name, x string, in, out int) string {
	return b.relu6(name+".bn", b.batchNorm(name+".bn", b.conv(name+".conv", x, in, out, 1, 1), out))
}

// depthwise is a k×k convolution of each channel by itself; its outputs for He's variance are one.
func (b *builder) depthwise(name, x string, channels, k, stride int) string {
	deviation := math.Sqrt(2 / float64(k*k))
	weight := b.parameter(name+".weight", func(r *rand.Rand) float32 { return float32(r.NormFloat64() * deviation) }, channels, 1, k, k)
	y := b.node("Conv", name, "/"+name, x, weight)
	side, pad, step := int64(k), int64(k/2), int64(stride)
	b.last().Attributes = []*onnx.Attribute{
		onnx.IntsAttr("dilations", 1, 1), onnx.IntAttr("group", int64(channels)), onnx.IntsAttr("kernel_shape", side, side),
		onnx.IntsAttr("pads", pad, pad, pad, pad), onnx.IntsAttr("strides", step, step),
	}
	return y
}

// relu6 is min(max(x, 0), 6), as PyTorch exports it.
func (b *builder) relu6(name, x string) string {
	low, high := "/"+name+"/relu6/min", "/"+name+"/relu6/max"
	for _, bound := range []struct {
		value string
		at    float32
	}{{low, 0}, {high, 6}} {
		b.node("Constant", bound.value[1:], bound.value)
		b.last().Attributes = []*onnx.Attribute{onnx.TensorAttr("value", onnx.NewFloat32("", nil, []float32{bound.at}))}
	}
	return b.node("Clip", name+"/relu6", "/"+name+"/relu6", x, low, high)
}
