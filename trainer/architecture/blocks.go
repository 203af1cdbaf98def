package architecture

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/abn-studio/studio/onnx"
)

// builder collects the nodes and parameters of a network under construction. Layers return the
// name of the value they make.
type builder struct {
	seed         int64
	nodes        []*onnx.Node
	initializers []*onnx.Tensor
	dry          bool  // parameters are counted, not made
	count        int64 // of their values
}

func (b *builder) node(op, name, output string, inputs ...string) string {
	b.nodes = append(b.nodes, onnx.NewNode(op, "/"+name, inputs, []string{output}))
	return output
}

func (b *builder) last() *onnx.Node { return b.nodes[len(b.nodes)-1] }

// parameter adds an initializer. fill draws its elements from a generator that no other parameter uses.
func (b *builder) parameter(name string, fill func(*rand.Rand) float32, dims ...int) string {
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(uint64(b.seed), h.Sum64()))
	sizes, n := make([]int64, len(dims)), 1
	for i, d := range dims {
		sizes[i], n = int64(d), n*d
	}
	b.count += int64(n)
	if b.dry {
		return name
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = fill(rng)
	}
	b.initializers = append(b.initializers, onnx.NewFloat32(name, sizes, data))
	return name
}

func always(v float32) func(*rand.Rand) float32 { return func(*rand.Rand) float32 { return v } }

// conv is a k×k convolution without bias, padded so that stride 1 keeps the size.
func (b *builder) conv(name, x string, in, out, k, stride int) string {
	deviation := math.Sqrt(2 / float64(k*k*out))
	weight := b.parameter(name+".weight", func(r *rand.Rand) float32 { return float32(r.NormFloat64() * deviation) }, out, in, k, k)
	y := b.node("Conv", name, "/"+name, x, weight)
	side, pad, step := int64(k), int64(k/2), int64(stride)
	b.last().Attributes = []*onnx.Attribute{
		onnx.IntsAttr("dilations", 1, 1), onnx.IntAttr("group", 1), onnx.IntsAttr("kernel_shape", side, side),
		onnx.IntsAttr("pads", pad, pad, pad, pad), onnx.IntsAttr("strides", step, step),
	}
	return y
}

func (b *builder) batchNorm(name, x string, channels int) string {
	y := b.node("BatchNormalization", name, "/"+name, x,
		b.parameter(name+".weight", always(1), channels), b.parameter(name+".bias", always(0), channels),
		b.parameter(name+".running_mean", always(0), channels), b.parameter(name+".running_var", always(1), channels))
	// ONNX's momentum is the share of the old statistic, PyTorch's (0.1) that of the new one.
	b.last().Attributes = []*onnx.Attribute{onnx.FloatAttr("epsilon", 1e-5), onnx.FloatAttr("momentum", 0.9)}
	return y
}

func (b *builder) relu(name, x string) string {
	return b.node("Relu", name+"/relu", "/"+name+"/relu", x)
}

// linear is y = x·Wᵀ + bias with PyTorch's initial values, uniform within ±1/√inputs.
func (b *builder) linear(name, x, y string, in, out int) {
	bound := 1 / math.Sqrt(float64(in))
	uniform := func(r *rand.Rand) float32 { return float32((2*r.Float64() - 1) * bound) }
	b.node("Gemm", name, y, x, b.parameter(name+".weight", uniform, out, in), b.parameter(name+".bias", uniform, out))
	b.last().Attributes = []*onnx.Attribute{onnx.FloatAttr("alpha", 1), onnx.FloatAttr("beta", 1), onnx.IntAttr("transB", 1)}
}

// basicBlock is two 3×3 convolutions with a shortcut around them; it returns its output's channels.
func (b *builder) basicBlock(name, x string, in, planes, stride int) (string, int) {
	y := b.relu(name+".bn1", b.batchNorm(name+".bn1", b.conv(name+".conv1", x, in, planes, 3, stride), planes))
	y = b.batchNorm(name+".bn2", b.conv(name+".conv2", y, planes, planes, 3, 1), planes)
	return b.join(name, x, y, in, planes, stride), planes
}

// bottleneck is 1×1, 3×3 (which takes the stride), 1×1 to four times the planes.
func (b *builder) bottleneck(name, x string, in, planes, stride int) (string, int) {
	out := 4 * planes
	y := b.relu(name+".bn1", b.batchNorm(name+".bn1", b.conv(name+".conv1", x, in, planes, 1, 1), planes))
	y = b.relu(name+".bn2", b.batchNorm(name+".bn2", b.conv(name+".conv2", y, planes, planes, 3, stride), planes))
	y = b.batchNorm(name+".bn3", b.conv(name+".conv3", y, planes, out, 1, 1), out)
	return b.join(name, x, y, in, out, stride), out
}

// join adds the block's input to its output, through a 1×1 convolution where their shapes differ.
func (b *builder) join(name, x, y string, in, out, stride int) string {
	if stride != 1 || in != out {
		x = b.batchNorm(name+".downsample.1", b.conv(name+".downsample.0", x, in, out, 1, stride), out)
	}
	return b.relu(name, b.node("Add", name+"/add", "/"+name+"/add", y, x))
}
