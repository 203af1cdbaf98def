package onnx_test

import (
	"bytes"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

// smallClassifier is [N,3,16,12] → 5 classes: a stem to 8×6, a residual block with a gate on that grid, and a last stage
// down to 4×3 through Pad, convolution and shortcut.
func smallClassifier() *onnx.Model {
	pads, two := onnx.IntsAttr("pads", 1, 1, 1, 1), onnx.IntsAttr("strides", 2, 2)
	return &onnx.Model{IRVersion: 7, Opsets: []onnx.Opset{{Version: 13}}, Graph: &onnx.Graph{
		Name: "classifier",
		Nodes: []*onnx.Node{
			node("Conv", "x stem.weight", "s", two, pads), node("Relu", "s", "stem"),
			node("Conv", "stem b.weight b.bias", "b", pads),
			node("GlobalAveragePool", "b", "squeezed"), node("Conv", "squeezed gate.weight", "excited"), node("Sigmoid", "excited", "gate"),
			node("Mul", "b gate", "gated"), node("Add", "gated stem", "sum"), node("Relu", "sum", "g"),
			node("Conv", "g wide.weight", "w"), node("Relu", "w", "wide"),
			node("Pad", "wide around", "padded"), node("Conv", "padded down.weight b.bias", "d", two), node("AveragePool", "g", "short", onnx.IntsAttr("kernel_shape", 2, 2), two),
			node("Concat", "d short", "attention", onnx.IntAttr("axis", 1)), node("Relu", "attention", "last"),
			node("GlobalAveragePool", "last", "pooled"), node("Flatten", "pooled", "flat"),
			node("MatMul", "flat fc.weight", "product"), node("Add", "product fc.bias", "scores"), node("Softmax", "scores", "probabilities", onnx.IntAttr("axis", 1)),
		},
		Initializers: []*onnx.Tensor{
			weight("stem.weight", 4, 3, 3, 3), weight("b.weight", 4, 4, 3, 3), weight("b.bias", 4), weight("gate.weight", 4, 4, 1, 1),
			weight("wide.weight", 8, 4, 1, 1), ints("around", 0, 0, 0, 0, 0, 0, 1, 1), weight("down.weight", 4, 8, 3, 3),
			weight("fc.weight", 8, 5), weight("fc.bias", 5),
		},
		Inputs:  []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, onnx.Shape{onnx.Fixed(1), onnx.Fixed(3), onnx.Fixed(16), onnx.Fixed(12)})},
		Outputs: outputs("probabilities"),
	}}
}

func attach(t testing.TB, m *onnx.Model, s onnx.AttachSettings) (*onnx.Attached, *onnx.ABN) {
	t.Helper()
	out, err := onnx.Attach(t.Context(), m, s)
	if err != nil {
		t.Fatal(err)
	}
	return out, takeApart(t, out.Model)
}

func TestAttachKeepsTheClassifier(t *testing.T) {
	t.Parallel()
	m := smallClassifier()
	before, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, gain := range []onnx.Gain{onnx.GainOnePlusM, onnx.GainM} {
		out, abn := attach(t, m, onnx.AttachSettings{Gain: gain})
		if out.Cut.Value != "g" || !out.HeadKept || out.Classes != 5 || abn.Gain != gain || abn.Channels != 4 || abn.Height != 8 || abn.Width != 6 {
			t.Errorf("%+v, %+v", out, abn.Parts)
		}
		m.Graph.Outputs = outputs("scores")
		image := noise(1, 3, 16, 12)
		want := run(t, m, map[string]array{"x": image}, "scores")[0]
		m.Graph.Outputs = outputs("probabilities")
		neutral := make([]float32, 8*6)
		if gain == onnx.GainM {
			for i := range neutral {
				neutral[i] = 1
			}
		}
		_, attention, _, per := pieces(t, abn, image, &array{neutral, []int64{1, 1, 8, 6}})
		if !slices.Equal(per.data, want.data) {
			t.Errorf("gain %s: with a map that changes nothing the logits are %v, want the classifier's %v", gain, per.data, want.data)
		}
		if slices.Min(attention.data) <= 0 || slices.Max(attention.data) >= 1 || slices.Min(attention.data) == slices.Max(attention.data) {
			t.Errorf("map from %v to %v", slices.Min(attention.data), slices.Max(attention.data))
		}
	}
	after, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("Attach changed the classifier it was given")
	}
}

func TestAttachedBranchIsTheLastStageWithoutStride(t *testing.T) {
	t.Parallel()
	_, abn := attach(t, smallClassifier(), onnx.AttachSettings{Classes: 7, Seed: 3})
	var ops []string
	for _, n := range abn.Attention.Graph.Nodes {
		ops = append(ops, n.Op)
		if strides := n.AttrInts("strides", 1, 1); !slices.Equal(strides, []int64{1, 1}) {
			t.Errorf("%v has strides %v", n, strides)
		}
	}
	want := "Conv Relu Conv AveragePool Concat Relu BatchNormalization Conv BatchNormalization Relu Conv GlobalAveragePool Flatten Conv BatchNormalization Sigmoid"
	if got := strings.Join(ops, " "); got != want {
		t.Errorf("attention branch %s, want %s", got, want)
	}
	// The copy starts at the stage's values, in tensors of its own; b.bias, which extractor and stage share, comes apart.
	of := abn.Whole.Graph
	for _, name := range []string{"wide.weight", "down.weight"} {
		if !bytes.Equal(of.Initializer(name).Raw, of.Initializer("attention."+name).Raw) {
			t.Errorf("attention.%s does not start at the values of %s", name, name)
		}
	}
	for part, names := range map[string][]string{
		"stem.weight b.weight b.bias gate.weight": abn.ExtractorInitializers,
		"attention.att_conv.weight attention.att_conv2.weight attention.att_conv3.weight attention.b.bias attention.down.weight attention.wide.weight " + norms("bn_att bn_att2 bn_att3"): abn.AttentionInitializers,
		"around down.weight perception.b.bias perception.head.bias perception.head.weight wide.weight":                                                                                    abn.PerceptionInitializers,
	} {
		want := strings.Fields(part)
		slices.Sort(want)
		got := slices.Sorted(slices.Values(names))
		if !slices.Equal(got, want) {
			t.Errorf("a part has %v, want %v", got, want)
		}
	}
	// A 2×2 average without its stride looks one cell on, and does not count what lies outside.
	g := array{[]float32{1, 2, 3, 4}, []int64{1, 1, 2, 2}}
	pool := &onnx.Model{IRVersion: 7, Opsets: []onnx.Opset{{Version: 13}}, Graph: &onnx.Graph{Name: "pool", Inputs: []*onnx.ValueInfo{onnx.NewValue("g", onnx.Float, nil)}, Outputs: outputs("y")}}
	for _, n := range abn.Attention.Graph.Nodes {
		if n.Op == "AveragePool" {
			c := n.Clone()
			c.Inputs, c.Outputs = []string{"g"}, []string{"y"}
			pool.Graph.Nodes = []*onnx.Node{c}
		}
	}
	near(t, "the copied pool", run(t, pool, map[string]array{"g": g}, "y")[0].data, []float32{2.5, 3, 3.5, 4}, 1e-6)
}

func norms(names string) string {
	var list []string
	for name := range strings.FieldsSeq(names) {
		for _, part := range []string{"weight", "bias", "running_mean", "running_var"} {
			list = append(list, "attention."+name+"."+part)
		}
	}
	return strings.Join(list, " ")
}

func TestAttachedValuesFollowTheSeed(t *testing.T) {
	t.Parallel()
	_, first := attach(t, smallClassifier(), onnx.AttachSettings{Classes: 40, Seed: 3})
	_, again := attach(t, smallClassifier(), onnx.AttachSettings{Classes: 40, Seed: 3})
	_, other := attach(t, smallClassifier(), onnx.AttachSettings{Classes: 40, Seed: 4})
	for _, name := range []string{"attention.att_conv.weight", "attention.att_conv3.weight", "perception.head.weight"} {
		a, b, c := first.Whole.Graph.Initializer(name), again.Whole.Graph.Initializer(name), other.Whole.Graph.Initializer(name)
		if !bytes.Equal(a.Raw, b.Raw) || bytes.Equal(a.Raw, c.Raw) {
			t.Errorf("%s does not follow the seed", name)
		}
	}
	values := func(name string) []float32 {
		v, err := first.Whole.Graph.Initializer(name).Float32s()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	squares, all := 0.0, values("attention.att_conv.weight")
	for _, v := range all {
		squares += float64(v) * float64(v)
	}
	if got, want := squares/float64(len(all)), 2.0/float64(len(all)/40); math.Abs(got-want) > 0.2*want {
		t.Errorf("the variance of %d values is %.4f, want %.4f", len(all), got, want)
	}
	for i, v := range values("attention.att_conv2.weight") { // so that every class can be answered from the start
		if i%41 == 0 && v != 1 || i%41 != 0 && v != 0 {
			t.Fatalf("value %d of the logits' convolution is %v", i, v)
		}
	}
}

func TestAttachAtANode(t *testing.T) {
	t.Parallel()
	m := smallClassifier()
	for i, n := range m.Graph.Nodes {
		n.Name = n.Op + "_" + string(rune('a'+i))
	}
	for _, at := range []struct {
		name, value     string
		channels, h, w  int
		copied, classes int
	}{
		{"stem", "stem", 4, 8, 6, 6, 5}, // half of what stands behind it
		{"Relu_k", "", 0, 0, 0, 0, 0},   // the pool reads past it
		{"last", "last", 8, 4, 3, 0, 5},
		{"attention", "attention/classifier", 8, 4, 3, 1, 5}, // the file's own value of that name makes room
	} {
		out, err := onnx.Attach(t.Context(), m, onnx.AttachSettings{At: at.name})
		if at.value == "" {
			if !errors.Is(err, onnx.ErrAttach) || !strings.Contains(err.Error(), "Relu_i (Relu, 4×8×6)") {
				t.Errorf("%s: %v", at.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", at.name, err)
			continue
		}
		abn := takeApart(t, out.Model)
		if out.Cut.Value != at.value || abn.Channels != at.channels || abn.Height != at.h || abn.Width != at.w || out.Copied != at.copied {
			t.Errorf("%s: %v, %d copied", at.name, out.Cut, out.Copied)
		}
		run(t, out.Model, map[string]array{"x": noise(3, 3, 16, 12)}, "logits_att", "logits_per", "attention")
	}
}

// The copy ends at a sum or concatenation in the middle of the stage, where there is one.
func TestAttachCopiesHalfAStage(t *testing.T) {
	t.Parallel()
	list, err := families.List(filepath.Join("testdata", "classifiers"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"resnet18": "/layer4/layer4.0/Add (Add, 512×7×7)", "resnext50_32x4d": "/layer4/layer4.0/Add (Add, 2048×7×7)",
		"mobilenet_v2": "/features/features.15/Add (Add, 160×7×7)", "mobilenet_v3_small": "/features/features.10/Add (Add, 96×7×7)",
		"efficientnet_b0": "/features/features.6/features.6.2/Add (Add, 192×7×7)", "mnasnet0_5": "/layers/layers.12/layers.12.2/Add (Add, 96×7×7)",
		"regnet_y_400mf": "/trunk_output/block4/block4-2/Add (Add, 440×7×7)", "shufflenet_v2_x0_5": "/stage4/stage4.1/Concat (Concat, 192×7×7)",
		"googlenet": "/inception5a/Concat (Concat, 832×7×7)", "squeezenet1_1": "/features/features.10/Concat (Concat, 384×13×13)",
		// No block ends within the stage: all of it.
		"densenet121": "/Relu (Relu, 1024×7×7)", "vgg11_bn": "/features/features.27/Relu (Relu, 512×14×14)", "alexnet": "/features/features.11/Relu (Relu, 256×13×13)",
	}
	if len(list) != len(want) {
		t.Errorf("%d classifiers, want %d", len(list), len(want))
	}
	for _, f := range list {
		m, err := f.Structure()
		if err != nil {
			t.Fatal(err)
		}
		out, err := onnx.Attach(t.Context(), m, onnx.AttachSettings{Classes: 10})
		if err != nil {
			t.Fatal(err)
		}
		if got := out.CopyEnd.String(); got != want[f.Name] {
			t.Errorf("%s: the copy ends at %s, want %s", f.Name, got, want[f.Name])
		}
	}
}

// Heads people write: each is kept, and each is made anew.
func TestAttachAdaptsTheHead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		head []*onnx.Node // from "last" to "scores"
		more []*onnx.Tensor
	}{
		{"Gemm", []*onnx.Node{node("GlobalAveragePool", "last", "p"), node("Flatten", "p", "f"), node("Gemm", "f fc fc.b", "scores", onnx.IntAttr("transB", 1))}, []*onnx.Tensor{weight("fc", 5, 8), weight("fc.b", 5)}},
		{"Gemm without bias", []*onnx.Node{node("ReduceMean", "last", "f", onnx.IntsAttr("axes", 2, 3), onnx.IntAttr("keepdims", 0)), node("Gemm", "f fc", "scores")}, []*onnx.Tensor{weight("fc", 8, 5)}},
		{"1×1 convolution behind the pool", []*onnx.Node{node("GlobalAveragePool", "last", "p"), node("Conv", "p fc fc.b", "scores")}, []*onnx.Tensor{weight("fc", 5, 8, 1, 1), weight("fc.b", 5)}},
		{"1×1 convolution before it", []*onnx.Node{node("Dropout", "last", "dropped"), node("Conv", "dropped fc fc.b", "c"), node("Relu", "c", "r"), node("GlobalAveragePool", "r", "p"), node("Reshape", "p sizes", "scores")},
			[]*onnx.Tensor{weight("fc", 5, 8, 1, 1), weight("fc.b", 5), ints("sizes", 1, 5)}},
		{"two layers, a pool in front", []*onnx.Node{node("MaxPool", "last", "m", onnx.IntsAttr("kernel_shape", 2, 2), onnx.IntsAttr("strides", 2, 2)), node("Flatten", "m", "f"),
			node("Gemm", "f hidden", "h"), node("Relu", "h", "hr"), node("MatMul", "hr fc", "scores")}, []*onnx.Tensor{weight("hidden", 16, 6), weight("fc", 6, 5)}},
		{"a temperature", []*onnx.Node{node("GlobalAveragePool", "last", "p"), node("Flatten", "p", "f"), node("MatMul", "f fc", "y"), node("Add", "fc.b y", "z"), node("Mul", "z two", "scores")},
			[]*onnx.Tensor{weight("fc", 8, 5), weight("fc.b", 5), onnx.NewFloat32("two", nil, []float32{2})}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := smallClassifier()
			g := m.Graph
			g.Nodes = append(g.Nodes[:16:16], test.head...)
			g.Initializers = append(g.Initializers[:7:7], test.more...)
			g.Outputs = outputs("scores")
			image := noise(1, 3, 16, 12)
			want := run(t, m, map[string]array{"x": image}, "scores")[0]
			kept, abn := attach(t, m, onnx.AttachSettings{})
			zero := array{make([]float32, 8*6), []int64{1, 1, 8, 6}}
			_, _, _, per := pieces(t, abn, image, &zero)
			if !kept.HeadKept || !slices.Equal(per.data, want.data) {
				t.Errorf("kept: %v, want %v", per.data, want.data)
			}
			renewed, abn := attach(t, m, onnx.AttachSettings{Classes: 11})
			_, _, att, per := pieces(t, abn, noise(2, 3, 16, 12), nil)
			if renewed.HeadKept || abn.Classes != 11 || len(att.data) != 22 || len(per.data) != 22 {
				t.Errorf("for 11 classes: %+v, %v and %v", renewed, att.dims, per.dims)
			}
			anew, abn := attach(t, m, onnx.AttachSettings{NewHead: true})
			if _, _, _, per := pieces(t, abn, image, &zero); anew.HeadKept || slices.Equal(per.data, want.data) {
				t.Error("the head was to be made anew and was not")
			}
		})
	}
}

func TestAttachRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(m *onnx.Model)
		s      onnx.AttachSettings
		want   string
	}{
		{"two inputs", func(m *onnx.Model) {
			m.Graph.Inputs = append(m.Graph.Inputs, onnx.NewValue("age", onnx.Float, onnx.ShapeOf(1, 1)))
		}, onnx.AttachSettings{}, "inputs are x (1,3,16,12), age (1,1)"},
		{"no logits", func(m *onnx.Model) { m.Graph.Outputs = outputs("g") }, onnx.AttachSettings{}, "no output of shape (N,K); outputs are g (N,4,8,6)"},
		{"two answers", func(m *onnx.Model) { m.Graph.Outputs = outputs("probabilities", "flat") }, onnx.AttachSettings{}, "2 outputs could be the logits (scores, flat)"},
		{"no layer", func(m *onnx.Model) { m.Graph.Outputs = outputs("flat") }, onnx.AttachSettings{}, `it is no classifier: Concat that makes "attention/classifier" stands`},
		{"no convolution", func(m *onnx.Model) {
			m.Graph.Nodes = []*onnx.Node{node("Flatten", "x", "flat"), node("Gemm", "flat fc.weight", "probabilities")}
			m.Graph.Initializers = []*onnx.Tensor{weight("fc.weight", 576, 5)}
		}, onnx.AttachSettings{}, "it has no convolution"},
		{"no cut", func(m *onnx.Model) { // the classes read the stem as well
			m.Graph.Nodes = append(m.Graph.Nodes[:18:18], node("GlobalAveragePool", "s", "q"), node("Flatten", "q", "qf"), node("Concat", "flat qf", "both", onnx.IntAttr("axis", 1)),
				node("Gemm", "both wide.fc", "probabilities"))
			m.Graph.Initializers = append(m.Graph.Initializers, weight("wide.fc", 12, 5))
			m.Graph.Nodes[1].Inputs[0], m.Graph.Nodes[2].Inputs[0] = "s", "stem"
		}, onnx.AttachSettings{At: "g"}, `"g" is no value that all later ones are computed from; these are: s (Conv, 4×8×6)`},
		{"a name nobody has", func(*onnx.Model) {}, onnx.AttachSettings{At: "layer9"}, `"layer9" is no value`},
		{"half precision", func(m *onnx.Model) { m.Graph.Inputs[0].Type = onnx.Float16 }, onnx.AttachSettings{}, "float32"},
		{"one class", func(*onnx.Model) {}, onnx.AttachSettings{Classes: 1}, "1 classes, want at least 2"},
		{"a gain nobody knows", func(*onnx.Model) {}, onnx.AttachSettings{Gain: "2M"}, `gain "2M"`},
		{"nothing behind", func(m *onnx.Model) {
			m.Graph.Nodes = append(m.Graph.Nodes[:2:2], node("GlobalAveragePool", "stem", "p"), node("Flatten", "p", "f"), node("Gemm", "f w", "probabilities"))
			m.Graph.Initializers = []*onnx.Tensor{m.Graph.Initializers[0], weight("w", 4, 5)}
		}, onnx.AttachSettings{}, "a copy of the last ones; name one to split there all the same: s (Conv, 4×8×6)"},
		{"tokens", func(m *onnx.Model) { // the patches' grid is the only one
			m.Graph.Nodes = append(m.Graph.Nodes[:2:2], node("Reshape", "stem sizes", "row"), node("Transpose", "row", "tokens", onnx.IntsAttr("perm", 0, 2, 1)), node("LayerNormalization", "tokens ln.weight", "normal"),
				node("ReduceMean", "normal", "f", onnx.IntsAttr("axes", 1), onnx.IntAttr("keepdims", 0)), node("Gemm", "f w", "probabilities"))
			m.Graph.Initializers = []*onnx.Tensor{m.Graph.Initializers[0], onnx.NewInt64("sizes", []int64{3}, []int64{0, 4, -1}), weight("ln.weight", 4), weight("w", 4, 5)}
		}, onnx.AttachSettings{}, "it works on tokens (N,48,4), as vision transformers do, and these have no grid (N,C,h,w) that a map could lie on: put them back on their grid in PyTorch"},
		{"channels last inside", func(m *onnx.Model) {
			m.Graph.Nodes = append(m.Graph.Nodes[:2:2], node("Transpose", "stem", "last", onnx.IntsAttr("perm", 0, 2, 3, 1)), node("LayerNormalization", "last ln.weight", "normal"),
				node("ReduceMean", "normal", "f", onnx.IntsAttr("axes", 1, 2), onnx.IntAttr("keepdims", 0)), node("Gemm", "f w", "probabilities"))
			m.Graph.Initializers = []*onnx.Tensor{m.Graph.Initializers[0], weight("ln.weight", 4), weight("w", 4, 5)}
		}, onnx.AttachSettings{}, "it keeps its features channels last inside, (N,8,6,4), as Swin transformers do"},
		{"a stage of fixed size", func(m *onnx.Model) {
			m.Graph.Nodes[15] = node("Mul", "attention plane", "last")
			m.Graph.Initializers = append(m.Graph.Initializers, weight("plane", 4, 3))
		}, onnx.AttachSettings{}, `Mul "/attention/last": shapes do not fit`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := smallClassifier()
			test.change(m)
			_, err := onnx.Attach(t.Context(), m, test.s)
			if !errors.Is(err, onnx.ErrAttach) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	abn := mustRead(t, filepath.Join(fixture.Reference(t), fixture.ReferenceModels(t)[0]+".onnx"))
	if _, err := onnx.Attach(t.Context(), abn, onnx.AttachSettings{}); !errors.Is(err, onnx.ErrAttach) || !strings.Contains(err.Error(), "has one already: its map is ") {
		t.Errorf("an ABN: %v", err)
	}
}

// Attach is advised where it makes an ABN of the model, and nowhere else.
func TestAttachIsAdvisedWhereItHelps(t *testing.T) {
	t.Parallel()
	newer, loop, half := smallClassifier(), smallClassifier(), smallClassifier()
	newer.IRVersion = 99
	loop.Graph.Nodes[0].Inputs[0], loop.Graph.Nodes[0].Outputs[0] = loop.Graph.Nodes[0].Output(0), loop.Graph.Nodes[0].Output(0)
	half.Graph.Inputs[0].Type = onnx.Float16
	for name, test := range map[string]struct {
		model *onnx.Model
		names onnx.PartNames
		helps bool
	}{
		"a classifier":             {smallClassifier(), onnx.PartNames{}, true},
		"of a newer format":        {newer, onnx.PartNames{}, false},
		"a loop":                   {loop, onnx.PartNames{}, false},
		"in float16":               {half, onnx.PartNames{}, false},
		"an ABN with a wrong name": {smallABN{}.model(), onnx.PartNames{Map: "nowhere"}, false},
	} {
		_, err := onnx.FindParts(t.Context(), test.model, test.names)
		if err == nil {
			t.Errorf("%s: it is an ABN", name)
			continue
		}
		advised := onnx.AttachAdvice(t.Context(), test.model, test.names, err)
		if !strings.Contains(advised.Error(), err.Error()) || strings.Contains(advised.Error(), "studio model attach") != test.helps {
			t.Errorf("%s: %v", name, advised)
		}
		if test.helps && !strings.Contains(advised.Error(), "If its 5 answers are the scores of as many classes") { // the graph of a regression is the same
			t.Errorf("%s: %v", name, advised)
		}
	}
}
