package step_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/step"
)

// padded is y = Clip(Relu(Conv(Pad(x)))), as exports of MobileNetV2 have it; each test changes what it is about.
func padded() *onnx.Model {
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name: "padded",
		Nodes: []*onnx.Node{
			onnx.NewNode("Pad", "pad", []string{"x", "pads", "nothing"}, []string{"wider"}),
			onnx.NewNode("Conv", "conv", []string{"wider", "w"}, []string{"sum"}, onnx.IntsAttr("strides", 2, 2)),
			onnx.NewNode("Relu", "relu", []string{"sum"}, []string{"positive"}),
			onnx.NewNode("Clip", "clip", []string{"positive", "low", "high"}, []string{"y"}),
		},
		Inputs:  []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, onnx.BatchOf(2, 6, 5)), onnx.NewValue("w", onnx.Float, onnx.ShapeOf(3, 2, 3, 3))},
		Outputs: []*onnx.ValueInfo{onnx.NewValue("y", onnx.Float, nil)},
		Initializers: []*onnx.Tensor{
			onnx.NewInt64("pads", []int64{8}, []int64{0, 0, 0, 1, 0, 0, 1, 2}), onnx.NewFloat32("nothing", nil, []float32{0}),
			onnx.NewFloat32("low", nil, []float32{0}), onnx.NewFloat32("high", nil, []float32{1.5}),
		},
	}}
}

func operators(m *onnx.Model) (ops []string) {
	for _, n := range m.Graph.Nodes {
		ops = append(ops, n.Op)
	}
	return ops
}

func runPadded(t *testing.T, m *onnx.Model) []float32 {
	t.Helper()
	return runRandom(t, m, ort.Options{IntraOpThreads: 1, Optimization: ort.OptimizeNothing}, []int64{2, 2, 6, 5}, []int64{3, 2, 3, 3})
}

func TestSimplifyKeepsValues(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	constant := func(name string, v float32) *onnx.Tensor { return onnx.NewFloat32(name, nil, []float32{v}) }
	replace := func(m *onnx.Model, with *onnx.Tensor) {
		i := slices.IndexFunc(m.Graph.Initializers, func(t *onnx.Tensor) bool { return t.Name == with.Name })
		m.Graph.Initializers[i] = with
	}
	all := []string{"Pad", "Conv", "Relu", "Clip"}
	for name, c := range map[string]struct {
		change func(m *onnx.Model)
		want   []string
	}{
		"as exported":              {func(*onnx.Model) {}, []string{"Conv", "Clip"}},
		"a Conv with padding":      {func(m *onnx.Model) { m.Graph.Nodes[1].SetAttr(onnx.IntsAttr("pads", 1, 0, 0, 1)) }, []string{"Conv", "Clip"}},
		"a Clip without lower end": {func(m *onnx.Model) { m.Graph.Nodes[3].Inputs[1] = "" }, []string{"Conv", "Clip"}},
		"a Clip without upper end": {func(m *onnx.Model) { m.Graph.Nodes[3].Inputs = m.Graph.Nodes[3].Inputs[:2] }, []string{"Conv", "Clip"}},
		"a Clip from below 0":      {func(m *onnx.Model) { replace(m, constant("low", -1)) }, []string{"Conv", "Clip"}},
		"a Clip from above 0":      {func(m *onnx.Model) { replace(m, constant("low", 0.5)) }, []string{"Conv", "Relu", "Clip"}},
		"padding that is not 0":    {func(m *onnx.Model) { replace(m, constant("nothing", 0.25)) }, []string{"Pad", "Conv", "Clip"}},
		"padding by the edge":      {func(m *onnx.Model) { m.Graph.Nodes[0].SetAttr(onnx.StrAttr("mode", "edge")) }, []string{"Pad", "Conv", "Clip"}},
		"a Pad that cuts":          {func(m *onnx.Model) { replace(m, onnx.NewInt64("pads", []int64{8}, []int64{0, 0, -1, 1, 0, 0, 1, 2})) }, []string{"Pad", "Conv", "Clip"}},
		"auto_pad":                 {func(m *onnx.Model) { m.Graph.Nodes[1].SetAttr(onnx.StrAttr("auto_pad", "SAME_UPPER")) }, []string{"Pad", "Conv", "Clip"}},
		"a second reader of both": {func(m *onnx.Model) {
			m.Graph.Outputs = append(m.Graph.Outputs, onnx.NewValue("other", onnx.Float, nil), onnx.NewValue("another", onnx.Float, nil))
			m.Graph.Nodes = append(m.Graph.Nodes, onnx.NewNode("Neg", "neg", []string{"wider"}, []string{"other"}), onnx.NewNode("Neg", "neg2", []string{"positive"}, []string{"another"}))
		}, append(slices.Clone(all), "Neg", "Neg")},
		"both are the graph's own": {func(m *onnx.Model) {
			m.Graph.Outputs = append(m.Graph.Outputs, onnx.NewValue("wider", onnx.Float, nil), onnx.NewValue("positive", onnx.Float, nil))
		}, all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := padded()
			c.change(m)
			want := runPadded(t, m)
			if err := step.Simplify(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if got := operators(m); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("operators are %v, want %v", got, c.want)
			}
			if got := runPadded(t, m); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("values are %v, were %v", got, want)
			}
		})
	}
}
