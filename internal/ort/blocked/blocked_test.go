package blocked_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/ort/blocked"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// image is [N,C,H,W] in the standard layout.
type image struct {
	n, c, h, w int64
	data       []float64
}

func newImage(n, c, h, w int64) image { return image{n, c, h, w, make([]float64, n*c*h*w)} }

func randomImage(rng *rand.Rand, n, c, h, w int64) image {
	x := newImage(n, c, h, w)
	for i := range x.data {
		x.data[i] = float64(float32(rng.NormFloat64()))
	}
	return x
}

func (x image) at(n, c, h, w int64) *float64 {
	return &x.data[((n*x.c+c)*x.h+h)*x.w+w]
}

// blocks is x in blocks, and from its inverse.
func (x image) blocks(block int64) value {
	v := value{[]int64{x.n, x.c, x.h, x.w}, make([]float32, len(x.data))}
	x.each(block, func(i, j int64) { v.data[j] = float32(x.data[i]) })
	return v
}

func (x image) from(block int64, data []float32) image {
	y := newImage(x.n, x.c, x.h, x.w)
	x.each(block, func(i, j int64) { y.data[i] = float64(data[j]) })
	return y
}

// each gives an element's place in the standard layout and in blocks.
func (x image) each(block int64, do func(i, j int64)) {
	points := x.h * x.w
	for n := range x.n {
		for c := range x.c {
			for p := range points {
				do((n*x.c+c)*points+p, ((n*x.c/block+c/block)*points+p)*block+c%block)
			}
		}
	}
}

// value is a tensor given to an operator; one without dims is left out.
type value struct {
	dims []int64
	data []float32
}

func vector(x []float64) value {
	v := value{[]int64{int64(len(x))}, make([]float32, len(x))}
	for i := range x {
		v.data[i] = float32(x[i])
	}
	return v
}

// run computes an operator's outputs.
func run(t *testing.T, op string, inputs []value, outputs int, attributes ...*onnx.Attribute) ([][]float32, error) {
	t.Helper()
	n := &onnx.Node{Op: op, Domain: gradient.BlockedDomain, Name: "operator", Attributes: attributes}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}, {Domain: gradient.BlockedDomain, Version: 1}}, Graph: &onnx.Graph{Name: "test", Nodes: []*onnx.Node{n}}}
	var names, results []string
	var tensors []*ort.Tensor
	for i, v := range inputs {
		if v.dims == nil {
			n.Inputs = append(n.Inputs, "")
			continue
		}
		name := fmt.Sprint("in", i)
		n.Inputs, names = append(n.Inputs, name), append(names, name)
		m.Graph.Inputs = append(m.Graph.Inputs, onnx.NewValue(name, onnx.Float, onnx.ShapeOf(v.dims...)))
		tensor, err := ort.Float32s(v.data, v.dims...)
		if err != nil {
			t.Fatal(err)
		}
		defer tensor.Close()
		tensors = append(tensors, tensor)
	}
	for i := range outputs {
		name := fmt.Sprint("out", i)
		n.Outputs, results = append(n.Outputs, name), append(results, name)
		m.Graph.Outputs = append(m.Graph.Outputs, onnx.NewValue(name, onnx.Float, nil))
	}
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(data, names, results, ort.Options{IntraOpThreads: 2, NoArena: true, BlockedDomain: gradient.BlockedDomain})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out := make([]*ort.Tensor, outputs)
	if err := s.Run(context.Background(), tensors, out); err != nil {
		return nil, err
	}
	var values [][]float32
	for _, o := range out {
		values = append(values, append([]float32{}, o.Float32()...))
		_ = o.Close()
	}
	return values, nil
}

func mustRun(t *testing.T, op string, inputs []value, outputs int, attributes ...*onnx.Attribute) [][]float32 {
	t.Helper()
	out, err := run(t, op, inputs, outputs, attributes...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// forBlocks runs a test for every size of block that this processor has.
func forBlocks(t *testing.T, test func(t *testing.T, block int64)) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	some := false
	for _, block := range []int64{8, 16} {
		if !blocked.Supported(block) {
			continue
		}
		some = true
		t.Run(fmt.Sprint("block ", block), func(t *testing.T) {
			t.Parallel()
			test(t, block)
		})
	}
	if !some {
		t.Skip("this processor has none of the operators")
	}
}

func compare(t *testing.T, what string, got, want []float64, scale float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 2e-6*scale*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

func floats(x []float32) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = float64(x[i])
	}
	return y
}

// window is a convolution whose gradients are checked.
type window struct {
	groups, outputs, inputs, height, width int64 // channels of a group, in blocks; 0: depthwise, groups in blocks
	kernel, stride, dilation, begin, end   [2]int64
	threads                                int64
}

var windows = []window{
	{1, 2, 3, 5, 7, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{}, [2]int64{}, 1},
	{1, 1, 1, 1, 1, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{}, [2]int64{}, 1},
	{1, 5, 4, 6, 5, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, 8},
	{1, 3, 2, 9, 8, [2]int64{3, 5}, [2]int64{2, 1}, [2]int64{1, 2}, [2]int64{1, 3}, [2]int64{0, 4}, 2},
	{1, 2, 2, 8, 7, [2]int64{1, 1}, [2]int64{2, 2}, [2]int64{1, 1}, [2]int64{}, [2]int64{}, 1},
	{1, 1, 2, 4, 4, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 0}, [2]int64{1, 2}, 1},
	{1, 1, 1, 2, 3, [2]int64{5, 5}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{2, 2}, [2]int64{2, 2}, 1}, // some elements see padding alone
	{1, 2, 3, 14, 31, [2]int64{3, 3}, [2]int64{2, 2}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, 1},
	{1, 1, 1, 11, 2, [2]int64{2, 3}, [2]int64{3, 4}, [2]int64{1, 1}, [2]int64{0, 2}, [2]int64{0, 3}, 1}, // rows and columns that nothing sees
	{1, 1, 2, 9, 9, [2]int64{3, 3}, [2]int64{2, 2}, [2]int64{2, 3}, [2]int64{2, 4}, [2]int64{1, 0}, 1},
	{3, 2, 1, 5, 5, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, 2},
	{2, 1, 2, 7, 5, [2]int64{3, 3}, [2]int64{2, 2}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, 2},
	{2, 0, 0, 6, 11, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, 1},
	{1, 0, 0, 9, 10, [2]int64{3, 5}, [2]int64{2, 2}, [2]int64{2, 1}, [2]int64{0, 2}, [2]int64{1, 2}, 1},
	{3, 0, 0, 14, 14, [2]int64{3, 3}, [2]int64{2, 2}, [2]int64{1, 1}, [2]int64{0, 0}, [2]int64{1, 1}, 1},
}

func (c window) channels(block int64) (groups, outputs, inputs int64) {
	if c.outputs == 0 {
		return c.groups * block, 1, 1
	}
	return c.groups, c.outputs * block, c.inputs * block
}

// data is a random x, dY and w for c.
func (c window) data(block int64) (x, dY, w image) {
	rng := rand.New(rand.NewPCG(1, uint64(block)))
	groups, outputs, inputs := c.channels(block)
	size := func(axis int, in int64) int64 {
		return (in+c.begin[axis]+c.end[axis]-(c.kernel[axis]-1)*c.dilation[axis]-1)/c.stride[axis] + 1
	}
	return randomImage(rng, 3, groups*inputs, c.height, c.width), randomImage(rng, 3, groups*outputs, size(0, c.height), size(1, c.width)),
		randomImage(rng, groups*outputs, inputs, c.kernel[0], c.kernel[1])
}

// each calls do for every product of the convolution: output (n, o, h, w), the weight's input channel i and element (k, l), and where
// that reads x: channel from, row y, column z.
func (c window) each(block int64, x, dY image, do func(n, o, h, w, i, k, l, from, y, z int64)) {
	_, outputs, inputs := c.channels(block)
	for n := range x.n {
		for o := range dY.c {
			for h := range dY.h {
				for w := range dY.w {
					for i := range inputs {
						for k := range c.kernel[0] {
							for l := range c.kernel[1] {
								y, z := h*c.stride[0]+k*c.dilation[0]-c.begin[0], w*c.stride[1]+l*c.dilation[1]-c.begin[1]
								if y >= 0 && y < x.h && z >= 0 && z < x.w {
									do(n, o, h, w, i, k, l, o/outputs*inputs+i, y, z)
								}
							}
						}
					}
				}
			}
		}
	}
}

func (c window) attributes(block, threads int64) []*onnx.Attribute {
	groups, _, _ := c.channels(block)
	return []*onnx.Attribute{
		onnx.IntAttr("block", block), onnx.IntAttr("threads", threads), onnx.IntAttr("group", groups), onnx.IntsAttr("kernel_shape", c.kernel[:]...),
		onnx.IntsAttr("strides", c.stride[:]...), onnx.IntsAttr("dilations", c.dilation[:]...), onnx.IntsAttr("begins", c.begin[:]...),
		onnx.IntsAttr("size", c.height, c.width),
	}
}

func TestConvWeightGradient(t *testing.T) {
	forBlocks(t, func(t *testing.T, block int64) {
		for _, c := range windows {
			x, dY, w := c.data(block)
			dW, dB := newImage(w.n, w.c, w.h, w.w), make([]float64, dY.c)
			c.each(block, x, dY, func(n, o, h, w, i, k, l, from, y, z int64) {
				*dW.at(o, i, k, l) += *dY.at(n, o, h, w) * *x.at(n, from, y, z)
			})
			for i, d := range dY.data {
				dB[int64(i)/(dY.h*dY.w)%dY.c] += d
			}
			got := mustRun(t, gradient.ConvWeightGradient, []value{dY.blocks(block), x.blocks(block)}, 2, c.attributes(block, c.threads)...)
			compare(t, fmt.Sprintf("%+v: dW", c), floats(got[0]), dW.data, 20)
			compare(t, fmt.Sprintf("%+v: dB", c), floats(got[1]), dB, 20)
			alone := mustRun(t, gradient.ConvWeightGradient, []value{dY.blocks(block), x.blocks(block)}, 1, c.attributes(block, 64)...)
			for i := range alone[0] {
				if alone[0][i] != got[0][i] {
					t.Fatalf("%+v: cut for more threads, value %d is %g instead of %g", c, i, alone[0][i], got[0][i])
				}
			}
		}
	})
}

func TestConvInputGradient(t *testing.T) {
	forBlocks(t, func(t *testing.T, block int64) {
		for _, c := range windows {
			x, dY, weight := c.data(block)
			dX := newImage(x.n, x.c, x.h, x.w)
			c.each(block, x, dY, func(n, o, h, w, i, k, l, from, y, z int64) {
				*dX.at(n, from, y, z) += *dY.at(n, o, h, w) * *weight.at(o, i, k, l)
			})
			groups, outputs, inputs := c.channels(block)
			given := vector(weight.data)
			given.dims = []int64{weight.n, weight.c, weight.h, weight.w}
			laid := mustRun(t, "LayWeight", []value{given}, 1, onnx.IntAttr("block", block), onnx.IntAttr("group", groups), onnx.IntAttr("turned", 1))
			turned := value{[]int64{groups * inputs, outputs, weight.h, weight.w}, laid[0]}
			got := mustRun(t, gradient.ConvInputGradient, []value{dY.blocks(block), turned}, 1, c.attributes(block, c.threads)...)
			compare(t, fmt.Sprintf("%+v: dX", c), x.from(block, got[0]).data, dX.data, 20)
		}
	})
}

// three are convolutions that Winograd's algorithm computes: odd and even sizes, one tile and many, odd numbers of blocks, padding of all
// kinds, more tiles than a task and than a chunk has, more outputs than a panel.
var three = []window{
	{1, 2, 3, 6, 8, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, 1},
	{1, 1, 1, 1, 1, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, 1},
	{1, 5, 4, 7, 5, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, 2},
	{1, 3, 2, 9, 4, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{}, [2]int64{}, 16},
	{1, 1, 3, 3, 4, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{2, 0}, [2]int64{0, 2}, 1},
	{1, 2, 1, 3, 3, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{3, 1}, [2]int64{4, 5}, 1}, // tiles that see padding alone
	{1, 4, 4, 29, 31, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, 3},
	{1, 47, 48, 2, 1, [2]int64{3, 3}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}, 2}, // more outputs than a panel has
}

func TestWinograd(t *testing.T) {
	forBlocks(t, func(t *testing.T, block int64) {
		for _, c := range three {
			x, dY, weight := c.data(block)
			_, outputs, inputs := c.channels(block)
			attributes := func(threads int64, more ...*onnx.Attribute) []*onnx.Attribute {
				return append(append(c.attributes(block, threads), onnx.IntsAttr("ends", c.end[:]...)), more...)
			}
			same := func(what string, a, b []float32) {
				t.Helper()
				for i := range a {
					if a[i] != b[i] {
						t.Fatalf("%+v: %s, cut for more threads: value %d is %g instead of %g", c, what, i, b[i], a[i])
					}
				}
			}
			given := vector(weight.data)
			given.dims = []int64{outputs, inputs, 3, 3}
			lay := func(turned int64, dims ...int64) value {
				return value{dims, mustRun(t, "WinogradWeight", []value{given}, 1, onnx.IntAttr("block", block), onnx.IntAttr("turned", turned))[0]}
			}
			bias := make([]float64, outputs)
			for i := range bias {
				bias[i] = float64(i%5) - 2
			}

			y, dX, dW, dB := newImage(dY.n, dY.c, dY.h, dY.w), newImage(x.n, x.c, x.h, x.w), newImage(outputs, inputs, 3, 3), make([]float64, outputs)
			c.each(block, x, dY, func(n, o, h, w, i, k, l, from, r, z int64) {
				*y.at(n, o, h, w) += *x.at(n, from, r, z) * *weight.at(o, i, k, l)
				*dX.at(n, from, r, z) += *dY.at(n, o, h, w) * *weight.at(o, i, k, l)
				*dW.at(o, i, k, l) += *dY.at(n, o, h, w) * *x.at(n, from, r, z)
			})
			for i, d := range dY.data {
				dB[int64(i)/(dY.h*dY.w)%outputs] += d
			}
			ofSum := func(products int64) float64 { return 4 * math.Sqrt(float64(products)) } // errors of a sum of so many
			laid := lay(0, 16, inputs, outputs)
			got := mustRun(t, "WinogradConv", []value{x.blocks(block), laid}, 1, attributes(c.threads)...)
			compare(t, fmt.Sprintf("%+v: y", c), y.from(block, got[0]).data, y.data, ofSum(9*inputs))
			same("y", got[0], mustRun(t, "WinogradConv", []value{x.blocks(block), laid}, 1, attributes(64)...)[0])

			clipped := newImage(y.n, y.c, y.h, y.w)
			for i := range y.data {
				clipped.data[i] = min(max(y.data[i]+bias[int64(i)/(y.h*y.w)%outputs], -1), 3)
			}
			got = mustRun(t, "WinogradConv", []value{x.blocks(block), laid, vector(bias)}, 1, attributes(c.threads, onnx.FloatAttr("low", -1), onnx.FloatAttr("high", 3))...)
			compare(t, fmt.Sprintf("%+v: clipped y", c), y.from(block, got[0]).data, clipped.data, ofSum(9*inputs))

			if c.begin[0] <= 2 && c.begin[1] <= 2 && c.end[0] <= 2 && c.end[1] <= 2 {
				back := c
				for axis := range 2 {
					back.begin[axis], back.end[axis] = 2-c.begin[axis], 2-c.end[axis]
				}
				got = mustRun(t, "WinogradConv", []value{dY.blocks(block), lay(1, 16, outputs, inputs)}, 1,
					append(back.attributes(block, c.threads), onnx.IntsAttr("ends", back.end[:]...))...)
				compare(t, fmt.Sprintf("%+v: dX", c), x.from(block, got[0]).data, dX.data, ofSum(9*outputs))
			}

			got = mustRun(t, gradient.ConvWeightGradient, []value{dY.blocks(block), x.blocks(block)}, 2, attributes(c.threads, onnx.IntAttr("winograd", 1))...)
			compare(t, fmt.Sprintf("%+v: dW", c), floats(got[0]), dW.data, ofSum(dY.n*dY.h*dY.w))
			compare(t, fmt.Sprintf("%+v: dB", c), floats(got[1]), dB, 20)
			same("dW", got[0], mustRun(t, gradient.ConvWeightGradient, []value{dY.blocks(block), x.blocks(block)}, 1, attributes(64, onnx.IntAttr("winograd", 1))...)[0])
		}
	})
}

// normalization is a BatchNormalization by its definition, in double precision.
type normalization struct {
	x, residual, y              image
	scale, shift, mean, inverse []float64
	low, high                   float64
	training                    int64
}

func (b *normalization) forward(epsilon float64, variance []float64) []float64 {
	count := float64(b.x.n * b.x.h * b.x.w)
	each := func(c int64, do func(n, h, w int64)) {
		for n := range b.x.n {
			for h := range b.x.h {
				for w := range b.x.w {
					do(n, h, w)
				}
			}
		}
	}
	b.y = newImage(b.x.n, b.x.c, b.x.h, b.x.w)
	b.inverse = make([]float64, b.x.c)
	for c := range b.x.c {
		if b.training != 0 {
			b.mean[c], variance[c] = 0, 0
			each(c, func(n, h, w int64) { b.mean[c] += *b.x.at(n, c, h, w) / count })
			each(c, func(n, h, w int64) { variance[c] += math.Pow(*b.x.at(n, c, h, w)-b.mean[c], 2) / count })
		}
		b.inverse[c] = 1 / math.Sqrt(variance[c]+epsilon)
		each(c, func(n, h, w int64) {
			y := (*b.x.at(n, c, h, w)-b.mean[c])*b.inverse[c]*b.scale[c] + b.shift[c]
			if b.residual.data != nil {
				y += *b.residual.at(n, c, h, w)
			}
			*b.y.at(n, c, h, w) = min(max(y, b.low), b.high)
		})
	}
	return variance
}

func TestBatchNormalization(t *testing.T) {
	forBlocks(t, func(t *testing.T, block int64) {
		for _, c := range []struct {
			blocks, height, width int64
			training              int64
			low, high             float64
			residual              bool
		}{
			{2, 3, 5, 1, math.Inf(-1), math.Inf(1), false},
			{1, 1, 1, 1, 0, math.Inf(1), false},
			{3, 4, 4, 1, 0, math.Inf(1), false},
			{2, 3, 3, 1, 0, 1.5, false},
			{2, 5, 3, 1, 0, math.Inf(1), true},
			{2, 5, 3, 0, 0, math.Inf(1), true},
			{1, 7, 3, 0, 0, 6, false},
			{2, 2, 3, 0, math.Inf(-1), math.Inf(1), false},
		} {
			t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
				t.Parallel()
				const epsilon = 1e-3
				rng := rand.New(rand.NewPCG(2, uint64(block)))
				channels := c.blocks * block
				b := normalization{x: randomImage(rng, 4, channels, c.height, c.width), training: c.training, low: c.low, high: c.high}
				variance := make([]float64, channels)
				for range channels {
					b.scale, b.shift, b.mean = append(b.scale, rng.NormFloat64()), append(b.shift, rng.NormFloat64()), append(b.mean, rng.NormFloat64())
				}
				for i := range variance {
					variance[i] = 0.5 + rng.Float64()
				}
				for i := range b.x.data {
					b.x.data[i] += 3 // a mean far from 0
				}
				inputs := []value{b.x.blocks(block), vector(b.scale), vector(b.shift), {}, {}, {}}
				outputs := 3
				if c.training == 0 {
					inputs[3], inputs[4], outputs = vector(b.mean), vector(variance), 1
				}
				if c.residual {
					b.residual = randomImage(rng, 4, channels, c.height, c.width)
					inputs[5] = b.residual.blocks(block)
				}
				variance = b.forward(epsilon, variance)
				attributes := []*onnx.Attribute{
					onnx.IntAttr("block", block), onnx.IntAttr("training", c.training), onnx.FloatAttr("epsilon", epsilon),
					onnx.FloatAttr("low", float32(c.low)), onnx.FloatAttr("high", float32(c.high)),
				}
				got := mustRun(t, "BatchNormalization", inputs, outputs, attributes...)
				compare(t, "y", b.x.from(block, got[0]).data, b.y.data, 8)
				if c.training != 0 {
					compare(t, "mean", floats(got[1]), b.mean, 1)
					compare(t, "variance", floats(got[2]), variance, 1)
				}
				if !c.residual {
					b.checkGradient(t, rng, block, epsilon, variance, attributes)
				}
			})
		}
	})
}

// checkGradient compares with central differences of Σ dY·y.
func (b *normalization) checkGradient(t *testing.T, rng *rand.Rand, block int64, epsilon float64, variance []float64, attributes []*onnx.Attribute) {
	dY := randomImage(rng, b.x.n, b.x.c, b.x.h, b.x.w)
	got := mustRun(t, gradient.BatchNormalizationGradient, []value{dY.blocks(block), b.x.blocks(block), vector(b.scale), vector(b.shift), vector(b.mean), vector(variance)}, 3, attributes...)
	loss := func() float64 {
		b.forward(epsilon, append([]float64{}, variance...))
		sum := 0.0
		for i, d := range dY.data {
			sum += d * b.y.data[i]
		}
		return sum
	}
	check := func(what string, values []float64, got float64, i int) {
		t.Helper()
		const step = 1e-6
		before := values[i]
		values[i] = before + step
		up := loss()
		values[i] = before - step
		down := loss()
		values[i] = before
		if want := (up - down) / (2 * step); math.Abs(got-want) > 2e-4*(1+math.Abs(want)) {
			t.Errorf("%s: %d is %g, by differences %g", what, i, got, want)
		}
	}
	dX := b.x.from(block, got[0])
	for range 40 {
		i := rng.IntN(len(b.x.data))
		check("dX", b.x.data, dX.data[i], i)
	}
	for i := range b.scale {
		check("dScale", b.scale, float64(got[1][i]), i)
		check("dShift", b.shift, float64(got[2][i]), i)
	}
}

func TestClipGradient(t *testing.T) {
	forBlocks(t, func(t *testing.T, block int64) {
		inf := float32(math.Inf(1))
		y := value{[]int64{1, 2, 9, 1137}, make([]float32, 2*9*1137)} // more than a task, and no whole number of vectors
		d, more := y, y
		d.data, more.data = make([]float32, len(y.data)), make([]float32, len(y.data))
		rng := rand.New(rand.NewPCG(3, 1))
		for i := range y.data {
			y.data[i], d.data[i], more.data[i] = min(max(float32(rng.NormFloat64()), 0), 1), float32(rng.NormFloat64()), float32(rng.NormFloat64())
		}
		for _, c := range []struct {
			low, high float32
			more      bool
		}{{0, inf, false}, {0, 1, false}, {0, inf, true}, {-inf, 1, true}} {
			inputs := []value{y, d}
			if c.more {
				inputs = append(inputs, more)
			}
			got := mustRun(t, gradient.ClipGradient, inputs, 1, onnx.IntAttr("block", block), onnx.FloatAttr("low", c.low), onnx.FloatAttr("high", c.high))
			for i := range y.data {
				want := d.data[i]
				if c.more {
					want += more.data[i]
				}
				if !(y.data[i] > c.low && y.data[i] < c.high) {
					want = 0
				}
				if got[0][i] != want {
					t.Fatalf("%+v: value %d is %g where y is %g, want %g", c, i, got[0][i], y.data[i], want)
				}
			}
		}
	})
}

func TestLayWeight(t *testing.T) {
	forBlocks(t, func(t *testing.T, block int64) {
		for _, c := range []struct{ groups, outputs, inputs, height, width int64 }{ // of a group
			{1, 2 * block, 3 * block, 3, 5}, {2, block, 2 * block, 1, 2}, {1, 3 * block, 3, 3, 3}, {2 * block, 1, 1, 3, 2},
		} {
			w := randomImage(rand.New(rand.NewPCG(4, 1)), c.groups*c.outputs, c.inputs, c.height, c.width)
			v := vector(w.data)
			v.dims = []int64{w.n, w.c, w.h, w.w}
			for _, turned := range []int64{0, 1} {
				if turned == 1 && c.inputs == 3 {
					continue // nobody asks for the gradient of pixels
				}
				got := mustRun(t, "LayWeight", []value{v}, 1, onnx.IntAttr("block", block), onnx.IntAttr("group", c.groups), onnx.IntAttr("turned", turned))[0]
				outputs, inputs := c.outputs, c.inputs
				if turned == 1 {
					outputs, inputs = inputs, outputs
				}
				inner := min(inputs, block) // inputs in a block
				if inputs < block {
					inner = 1
				}
				for o := range c.groups * outputs {
					for i := range inputs {
						for k := range c.height {
							for l := range c.width {
								from := [4]int64{o, i, k, l}
								if turned == 1 {
									from = [4]int64{o/outputs*c.outputs + i, o % outputs, c.height - 1 - k, c.width - 1 - l}
								}
								at := ((((o/block*(inputs/inner)+i/inner)*c.height+k)*c.width+l)*inner+i%inner)*block + o%block
								if want := float32(*w.at(from[0], from[1], from[2], from[3])); got[at] != want {
									t.Fatalf("%+v, turned %d: output %d, input %d at (%d, %d) is %g, want %g", c, turned, o, i, k, l, got[at], want)
								}
							}
						}
					}
				}
			}
		}
	})
}

// What does not fit is an error of the run, not a crash.
func TestWrongShapes(t *testing.T) {
	forBlocks(t, func(t *testing.T, block int64) {
		x, odd, narrow := newImage(1, block, 2, 2).blocks(1), newImage(1, block, 2, 3).blocks(1), newImage(1, 3, 2, 2).blocks(1)
		channel := vector(make([]float64, block))
		short := vector(make([]float64, 3))
		for _, c := range []struct {
			op     string
			inputs []value
			says   string
		}{
			{"BatchNormalization", []value{narrow, short, short, short, short}, "whole blocks"},
			{"BatchNormalization", []value{x, channel, short, channel, channel}, "shift"},
			{"BatchNormalization", []value{x, channel, channel, channel, channel, odd}, "residual"},
			{"BatchNormalization", []value{x, channel, channel}, "mean"},
			{gradient.BatchNormalizationGradient, []value{odd, x, channel, channel, channel, channel}, "another shape"},
			{gradient.BatchNormalizationGradient, []value{x, x, channel, channel, channel, short}, "variance"},
			{gradient.ClipGradient, []value{x, odd}, "shapes differ"},
			{gradient.ConvWeightGradient, []value{x, narrow}, "whole blocks"},
			{gradient.ConvInputGradient, []value{x, narrow}, "whole blocks"},
			{"LayWeight", []value{narrow}, "whole blocks"},
		} {
			if _, err := run(t, c.op, c.inputs, 1, onnx.IntAttr("block", block)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: error is %v, want one with %q", c.op, err, c.says)
			}
		}
		if _, err := run(t, gradient.ClipGradient, []value{x, x}, 1, onnx.IntAttr("block", 7)); err == nil || !strings.Contains(err.Error(), "kernels") {
			t.Errorf("a block of 7: error is %v", err)
		}
	})
}
