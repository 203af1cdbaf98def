package step_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
	"github.com/abn-studio/studio/trainer/onnxruntime"
	"github.com/abn-studio/studio/trainer/step"
)

// convolution is one case of TestBlockedConvolutions, over images of height×width.
type convolution struct {
	inputs, outputs, groups, kernel, stride, dilation, pad, height, width int64
	bias, relu, clip                                                      bool
	blocked                                                               bool // with blocks of 16
	winograd                                                              bool
}

func (c convolution) model() *onnx.Model {
	w := []int64{c.outputs, c.inputs / c.groups, c.kernel, c.kernel}
	g := &onnx.Graph{
		Name: "convolution",
		Inputs: []*onnx.ValueInfo{
			onnx.NewValue("x", onnx.Float, onnx.BatchOf(c.inputs, c.height, c.width)), onnx.NewValue("w", onnx.Float, onnx.ShapeOf(w...)),
			onnx.NewValue("b", onnx.Float, onnx.ShapeOf(c.outputs)),
		},
		Outputs: []*onnx.ValueInfo{onnx.NewValue("y", onnx.Float, nil)},
	}
	inputs, y := []string{"x", "w"}, "y"
	if c.bias {
		inputs = append(inputs, "b")
	}
	if c.relu {
		y = "before"
		g.Nodes = append(g.Nodes, onnx.NewNode("Relu", "relu", []string{"before"}, []string{"y"}))
	}
	if c.clip {
		y = "before"
		g.Nodes = append(g.Nodes, onnx.NewNode("Clip", "clip", []string{"before", "low", "high"}, []string{"y"}))
		g.Initializers = []*onnx.Tensor{onnx.NewFloat32("low", nil, []float32{-0.5}), onnx.NewFloat32("high", nil, []float32{6})}
	}
	conv := onnx.NewNode("Conv", "conv", inputs, []string{y}, onnx.IntAttr("group", c.groups),
		onnx.IntsAttr("kernel_shape", c.kernel, c.kernel), onnx.IntsAttr("strides", c.stride, c.stride),
		onnx.IntsAttr("dilations", c.dilation, c.dilation), onnx.IntsAttr("pads", c.pad, c.pad, c.pad, c.pad))
	g.Nodes = append([]*onnx.Node{conv}, g.Nodes...)
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}

// run computes y from data that depends on the case alone.
func (c convolution) run(t *testing.T, m *onnx.Model) []float32 {
	t.Helper()
	return runRandom(t, m, ort.Options{IntraOpThreads: 1, BlockedDomain: gradient.BlockedDomain},
		[]int64{2, c.inputs, c.height, c.width}, []int64{c.outputs, c.inputs / c.groups, c.kernel, c.kernel}, []int64{c.outputs})
}

// runRandom computes the first output of a graph from random inputs, of these shapes in the order of its own, the same each time.
func runRandom(t *testing.T, m *onnx.Model, o ort.Options, shapes ...[]int64) []float32 {
	t.Helper()
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var names []string
	var inputs []*ort.Tensor
	for i, dims := range shapes {
		names = append(names, m.Graph.Inputs[i].Name)
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(rng.NormFloat64())
		}
		tensor, err := ort.Float32s(values, dims...)
		if err != nil {
			t.Fatal(err)
		}
		defer tensor.Close()
		inputs = append(inputs, tensor)
	}
	s, err := ort.Open(data, names, []string{m.Graph.Outputs[0].Name}, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := []*ort.Tensor{nil}
	if err := s.Run(context.Background(), inputs, out); err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	return slices.Clone(out[0].Float32())
}

// TestBlockedConvolutions compares the runtime's blocked convolutions, and ours, with its ordinary ones. (That those are right,
// the gradient checks and the PyTorch fixtures say.)
func TestBlockedConvolutions(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	block := onnxruntime.BlockSize()
	if block < 2 {
		t.Skipf("this runtime has no blocked convolutions on this machine (block %d)", block)
	}
	for _, c := range []convolution{
		{inputs: 32, outputs: 48, groups: 1, kernel: 3, stride: 1, dilation: 1, pad: 1, height: 5, width: 7, blocked: true, winograd: true},
		{inputs: 64, outputs: 32, groups: 1, kernel: 3, stride: 1, dilation: 1, pad: 0, height: 6, width: 9, bias: true, relu: true, blocked: true, winograd: true},
		{inputs: 32, outputs: 32, groups: 1, kernel: 3, stride: 1, dilation: 1, pad: 2, height: 3, width: 3, bias: true, clip: true, blocked: true, winograd: true},
		{inputs: 32, outputs: 32, groups: 1, kernel: 3, stride: 1, dilation: 2, pad: 2, height: 8, width: 7, blocked: true},
		{inputs: 16, outputs: 16, groups: 1, kernel: 3, stride: 1, dilation: 1, pad: 1, height: 4, width: 4, bias: true, relu: true, blocked: true},
		{inputs: 16, outputs: 32, groups: 1, kernel: 1, stride: 1, dilation: 1, pad: 0, height: 5, width: 4, bias: true, clip: true, blocked: true},
		{inputs: 32, outputs: 32, groups: 1, kernel: 3, stride: 2, dilation: 1, pad: 1, height: 7, width: 6, blocked: true},
		{inputs: 16, outputs: 32, groups: 1, kernel: 5, stride: 1, dilation: 2, pad: 3, height: 9, width: 11, blocked: true},
		{inputs: 3, outputs: 32, groups: 1, kernel: 7, stride: 2, dilation: 1, pad: 3, height: 17, width: 16, bias: true, blocked: true},
		{inputs: 64, outputs: 64, groups: 64, kernel: 3, stride: 1, dilation: 1, pad: 1, height: 7, width: 5, relu: true, blocked: true},
		{inputs: 32, outputs: 32, groups: 32, kernel: 3, stride: 2, dilation: 1, pad: 0, height: 9, width: 9, bias: true, blocked: true},
		{inputs: 64, outputs: 32, groups: 2, kernel: 3, stride: 1, dilation: 1, pad: 1, height: 6, width: 6, blocked: true},
		{inputs: 64, outputs: 64, groups: 16, kernel: 3, stride: 1, dilation: 1, pad: 1, height: 6, width: 6},
		{inputs: 24, outputs: 16, groups: 1, kernel: 3, stride: 1, dilation: 1, pad: 1, height: 6, width: 6},
		{inputs: 16, outputs: 10, groups: 1, kernel: 3, stride: 1, dilation: 1, pad: 1, height: 6, width: 6},
		{inputs: 32, outputs: 32, groups: 1, kernel: 1, stride: 1, dilation: 1, pad: 0, height: 6, width: 6, blocked: true},
		{inputs: 512, outputs: 1024, groups: 1, kernel: 1, stride: 1, dilation: 1, pad: 0, height: 10, width: 9, bias: true, blocked: true},
		{inputs: 1024, outputs: 2048, groups: 1, kernel: 1, stride: 2, dilation: 1, pad: 0, height: 14, width: 13, blocked: true},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			want := c.run(t, c.model())
			m, err := step.InBlocks(t.Context(), c.model(), step.Target{Block: block, Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			if c.clip && slices.ContainsFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return n.IsOp("Clip") }) {
				t.Error("the Clip is still a node of its own")
			}
			if got := !slices.ContainsFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return n.IsOp("Conv") }); block == 16 && got != c.blocked {
				t.Fatalf("blocked: %v, want %v", got, c.blocked)
			}
			if got := slices.ContainsFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return n.Op == "WinogradConv" }); block == 16 && got != c.winograd {
				t.Fatalf("by Winograd's algorithm: %v, want %v", got, c.winograd)
			}
			got := c.run(t, m)
			if len(got) != len(want) {
				t.Fatalf("%d values, want %d", len(got), len(want))
			}
			for i := range want {
				if math.Abs(float64(got[i]-want[i])) > 2e-5*math.Sqrt(float64(c.inputs/c.groups*c.kernel*c.kernel)) {
					t.Fatalf("value %d is %g, want %g", i, got[i], want[i])
				}
			}
		})
	}
}
