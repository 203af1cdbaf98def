package onnx_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

// smallABN is an ABN of a few nodes, [N,3,8,6] → 5 classes over a 4×3 map, with the mechanism and the ends
// to try: mechanism nodes read "g" and "m" (N,1,4,3) and make "attended".
type smallABN struct {
	batch     onnx.Dim
	mechanism []*onnx.Node
	ends      []*onnx.Node // between the values la, lp, m and the outputs
	outputs   []*onnx.ValueInfo
	constants []*onnx.Tensor
	flatten   []*onnx.Node // from "pooled" to "flat"
}

func (a smallABN) model() *onnx.Model {
	if a.batch == (onnx.Dim{}) {
		a.batch = onnx.Dim{Name: "batch_size"}
	}
	if a.mechanism == nil {
		a.mechanism = []*onnx.Node{node("Mul", "g m", "gm"), node("Add", "gm g", "attended")}
	}
	if a.flatten == nil {
		a.flatten = []*onnx.Node{node("Flatten", "pooled", "flat")}
	}
	if a.outputs == nil {
		a.outputs = []*onnx.ValueInfo{onnx.NewValue("la", onnx.Float, nil), onnx.NewValue("lp", onnx.Float, nil), onnx.NewValue("m", onnx.Float, nil)}
	}
	pads := onnx.IntsAttr("pads", 1, 1, 1, 1)
	nodes := []*onnx.Node{
		node("Conv", "x e.weight", "e", onnx.IntsAttr("strides", 2, 2), pads), node("Relu", "e", "g"),
		node("Conv", "g a.weight", "a1", pads), node("Relu", "a1", "a"),
		node("Conv", "a cls.weight", "c"), node("ReduceMean", "c", "la", onnx.IntsAttr("axes", 2, 3), onnx.IntAttr("keepdims", 0)),
		node("Conv", "a map.weight", "s"), node("Sigmoid", "s", "m"),
	}
	nodes = append(nodes, a.mechanism...)
	nodes = append(nodes, node("Conv", "attended p.weight", "p1", pads), node("Relu", "p1", "p"), node("GlobalAveragePool", "p", "pooled"))
	nodes = append(nodes, a.flatten...)
	nodes = append(nodes, node("Gemm", "flat fc.weight", "lp"))
	nodes = append(nodes, a.ends...)
	for i, n := range nodes {
		n.Name = n.Op + "_" + string(rune('a'+i))
	}
	return &onnx.Model{IRVersion: 7, Opsets: []onnx.Opset{{Version: 13}}, Graph: &onnx.Graph{
		Name: "small", Nodes: nodes, Outputs: a.outputs,
		Initializers: append([]*onnx.Tensor{
			weight("e.weight", 4, 3, 3, 3), weight("a.weight", 6, 4, 3, 3), weight("cls.weight", 5, 6, 1, 1), weight("map.weight", 1, 6, 1, 1),
			weight("p.weight", 7, 4, 3, 3), weight("fc.weight", 7, 5), weight("unused", 9),
		}, a.constants...),
		Inputs: []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, onnx.Shape{a.batch, onnx.Fixed(3), onnx.Fixed(8), onnx.Fixed(6)})},
	}}
}

func outputs(names ...string) []*onnx.ValueInfo {
	var list []*onnx.ValueInfo
	for _, name := range names {
		list = append(list, onnx.NewValue(name, onnx.Float, nil))
	}
	return list
}

func TestFindPartsReadsTheMechanism(t *testing.T) {
	t.Parallel()
	one := onnx.NewFloat32("one", nil, []float32{1})
	tests := []struct {
		name string
		abn  smallABN
		gain onnx.Gain
		cut  string // the value that becomes the map port
	}{
		{"g·M+g", smallABN{}, onnx.GainOnePlusM, "m"},
		{"g+M·g", smallABN{mechanism: []*onnx.Node{node("Mul", "m g", "gm"), node("Add", "g gm", "attended")}}, onnx.GainOnePlusM, "m"},
		{"(1+M)·g", smallABN{mechanism: []*onnx.Node{node("Add", "one m", "m1"), node("Mul", "m1 g", "attended")}, constants: []*onnx.Tensor{one}}, onnx.GainOnePlusM, "m"},
		{"M·g", smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "attended")}}, onnx.GainM, "m"},
		{"expanded", smallABN{mechanism: []*onnx.Node{node("Expand", "m shape", "mm"), node("Mul", "g mm", "attended")}, constants: []*onnx.Tensor{ints("shape", 1, 4, 4, 3)}}, onnx.GainM, "m"},
		{"map out as (N,h,w)", smallABN{ends: []*onnx.Node{node("Squeeze", "m axis", "out")}, outputs: outputs("la", "lp", "out"), constants: []*onnx.Tensor{ints("axis", 1)}}, onnx.GainOnePlusM, "m"},
		{"m[:,0] on its way", smallABN{
			mechanism: []*onnx.Node{node("Gather", "m zero", "m0", onnx.IntAttr("axis", 1)), node("Unsqueeze", "m0 axis", "m4"), node("Mul", "g m4", "attended")},
			outputs:   outputs("la", "lp", "m0"), constants: []*onnx.Tensor{ints("axis", 1), onnx.NewInt64("zero", nil, []int64{0})}}, onnx.GainM, "m"},
		{"features and product both read", smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("Add", "gm g", "r"), node("Add", "r gm", "attended")}}, onnx.GainOther, "m"},
		{"no map handed out", smallABN{outputs: outputs("la", "lp")}, onnx.GainOnePlusM, "m"},
		{"a map made larger", smallABN{ends: []*onnx.Node{node("Resize", "m  twice", "large")}, outputs: outputs("la", "lp", "large"), constants: []*onnx.Tensor{onnx.NewFloat32("twice", []int64{4}, []float32{1, 1, 2, 2})}}, onnx.GainOnePlusM, "m"},
		{"½+M", smallABN{mechanism: []*onnx.Node{node("Add", "half m", "h"), node("Mul", "g h", "attended")}, constants: []*onnx.Tensor{onnx.NewFloat32("half", nil, []float32{0.5})}}, onnx.GainOther, "m"},
		{"exp M", smallABN{mechanism: []*onnx.Node{node("Exp", "m", "em"), node("Mul", "g em", "attended")}}, onnx.GainOther, "m"},
		{"where M", smallABN{mechanism: []*onnx.Node{node("Greater", "m half", "over"), node("Where", "over g half", "attended")}, constants: []*onnx.Tensor{onnx.NewFloat32("half", nil, []float32{0.5})}}, onnx.GainOther, "m"},
		{"a gate beside", smallABN{mechanism: []*onnx.Node{node("GlobalAveragePool", "g", "gate"), node("Mul", "m gate", "mc"), node("Mul", "g mc", "attended")}}, onnx.GainOther, "m"},
		{"a gate behind, and features again", smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("GlobalAveragePool", "g", "gate"), node("Mul", "gm gate", "gmc"), node("Add", "gmc g", "attended")}}, onnx.GainOther, "m"},
		{"tokens", smallABN{
			mechanism: []*onnx.Node{node("Reshape", "g rows", "gt"), node("Transpose", "gt", "t", onnx.IntsAttr("perm", 0, 2, 1)), node("Reshape", "m column", "mt"), node("Mul", "t mt", "tm"),
				node("Transpose", "tm", "back", onnx.IntsAttr("perm", 0, 2, 1)), node("Reshape", "back grid", "attended")},
			constants: []*onnx.Tensor{ints("rows", 0, 4, 12), ints("column", 0, 12, 1), ints("grid", 0, 4, 4, 3)}}, onnx.GainM, "m"},
		{"tokens and what was multiplied of them", smallABN{
			mechanism: []*onnx.Node{node("Reshape", "g rows", "gt"), node("Transpose", "gt", "t", onnx.IntsAttr("perm", 0, 2, 1)), node("Reshape", "m row", "mr"), node("Transpose", "mr", "mt", onnx.IntsAttr("perm", 0, 2, 1)),
				node("Mul", "t mt", "tm"), node("Add", "tm t", "ta"), node("Transpose", "ta", "back", onnx.IntsAttr("perm", 0, 2, 1)), node("Reshape", "back grid", "attended")},
			constants: []*onnx.Tensor{ints("rows", 0, 4, 12), ints("row", 0, 1, 12), ints("grid", 0, 4, 4, 3)}}, onnx.GainOnePlusM, "m"},
		{"tokens of other cells", smallABN{
			mechanism: []*onnx.Node{node("Reshape", "g rows", "gt"), node("Transpose", "gt", "t", onnx.IntsAttr("perm", 0, 2, 1)), node("Transpose", "m", "turned", onnx.IntsAttr("perm", 0, 1, 3, 2)),
				node("Reshape", "turned column", "mt"), node("Mul", "t mt", "tm"), node("Transpose", "tm", "back", onnx.IntsAttr("perm", 0, 2, 1)), node("Reshape", "back grid", "attended")},
			constants: []*onnx.Tensor{ints("rows", 0, 4, 12), ints("column", 0, 12, 1), ints("grid", 0, 4, 4, 3)}}, onnx.GainOther, "m"},
		{"channels last", smallABN{mechanism: []*onnx.Node{node("Transpose", "g", "gl", onnx.IntsAttr("perm", 0, 2, 3, 1)), node("Transpose", "m", "ml", onnx.IntsAttr("perm", 0, 2, 3, 1)),
			node("Add", "one ml", "m1"), node("Mul", "gl m1", "lm"), node("Transpose", "lm", "attended", onnx.IntsAttr("perm", 0, 3, 1, 2))}, constants: []*onnx.Tensor{one}}, onnx.GainOnePlusM, "m"},
		{"what is left of 1 taken away", smallABN{mechanism: []*onnx.Node{node("Sub", "one m", "r"), node("Mul", "g r", "gr"), node("Sub", "g gr", "attended")}, constants: []*onnx.Tensor{one}}, onnx.GainM, "m"},
		{"added twice", smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("Add", "gm gm", "g2"), node("Add", "g2 g", "attended")}}, onnx.GainOther, "m"},
		{"once more, what was multiplied", smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("Add", "gm g", "r"), node("Add", "one m", "m1"), node("Mul", "r m1", "attended")},
			constants: []*onnx.Tensor{one}}, onnx.GainOther, "m"},
		{"map out as a list of cells", smallABN{ends: []*onnx.Node{node("Flatten", "m", "cells")}, outputs: outputs("la", "lp", "cells")}, onnx.GainOnePlusM, "m"},
		{"softmax behind both", smallABN{ends: []*onnx.Node{node("Softmax", "la", "pa", onnx.IntAttr("axis", 1)), node("LogSoftmax", "lp", "pp", onnx.IntAttr("axis", 1))}, outputs: outputs("pp", "pa", "m")}, onnx.GainOnePlusM, "m"},
		{"logits and probabilities", smallABN{ends: []*onnx.Node{node("Softmax", "lp", "pp", onnx.IntAttr("axis", 1))}, outputs: outputs("pp", "m", "la", "lp", "g")}, onnx.GainOnePlusM, "m"},
		{"one batch, flattened by number", smallABN{batch: onnx.Fixed(1), flatten: []*onnx.Node{node("Reshape", "pooled target", "flat")}, constants: []*onnx.Tensor{ints("target", 1, -1)}}, onnx.GainOnePlusM, "m"},
		{"two batches, all by number", smallABN{batch: onnx.Fixed(2), flatten: []*onnx.Node{node("Reshape", "pooled target", "flat")}, constants: []*onnx.Tensor{ints("target", 2, 7)}}, onnx.GainOnePlusM, "m"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := test.abn.model()
			abn := takeApart(t, m)
			if abn.Gain != test.gain {
				t.Errorf("gain %s, want %s", abn.Gain, test.gain)
			}
			want := onnx.PartNames{Image: "x", Features: "g", Map: test.cut, LogitsAtt: "la", LogitsPer: "lp"}
			if abn.Names != want {
				t.Errorf("found %+v, want %+v", abn.Names, want)
			}
			if abn.Channels != 4 || abn.Height != 4 || abn.Width != 3 || abn.Classes != 5 || abn.ImageHeight != 8 || abn.ImageWidth != 6 {
				t.Errorf("sizes %+v", abn.Parts)
			}
			// The file as it stands, at its own batch size, against the pieces; then a batch it was not made for.
			m.Graph.Outputs = outputs("m", "la", "lp")
			batch := max(abn.BatchWasFixed, 2)
			if abn.BatchWasFixed == 1 {
				batch = 1
			}
			image := noise(batch, 3, 8, 6)
			whole := run(t, m, map[string]array{"x": image}, "m", "la", "lp")
			_, attention, att, per := pieces(t, abn, image, nil)
			near(t, "map", attention.data, whole[0].data, 1e-5)
			near(t, "attention logits", att.data, whole[1].data, 1e-5)
			near(t, "perception logits", per.data, whole[2].data, 1e-5)
			image = noise(5, 3, 8, 6)
			_, _, _, per = pieces(t, abn, image, nil)
			out := run(t, abn.Whole, map[string]array{onnx.PortImage: image}, onnx.PortLogitsPer)
			near(t, "perception logits of five", out[0].data, per.data, 1e-5)

			for _, part := range []*onnx.Model{abn.Extractor, abn.Attention, abn.Perception, abn.Branches, abn.Whole} {
				if part.Graph.Initializer("unused") != nil {
					t.Errorf("%s carries an initializer nobody reads", part.Graph.Name)
				}
			}
		})
	}
}

// Values may already bear the names the ports get.
func TestSplitMovesNamesOutOfTheWay(t *testing.T) {
	t.Parallel()
	m := smallABN{}.model()
	swap := map[string]string{"x": "features", "e": "image", "g": "map", "m": "logits_per", "lp": "logits_att", "la": "features_2", "a": "logits_att_2"}
	swapped := m.Clone()
	for _, n := range swapped.Graph.Nodes {
		for _, list := range [][]string{n.Inputs, n.Outputs} {
			for i, name := range list {
				if to, ok := swap[name]; ok {
					list[i] = to
				}
			}
		}
	}
	swapped.Graph.Inputs[0].Name = "features"
	swapped.Graph.Outputs = outputs("features_2", "logits_att", "logits_per")
	image := noise(2, 3, 8, 6)
	want := run(t, m, map[string]array{"x": image}, "lp")
	_, _, _, per := pieces(t, takeApart(t, swapped), image, nil)
	near(t, "perception logits", per.data, want[0].data, 1e-5)

	taken := m.Clone()
	for _, n := range taken.Graph.Nodes {
		for i, in := range n.Inputs {
			if in == "p.weight" {
				n.Inputs[i] = "map"
			}
		}
	}
	for _, w := range taken.Graph.Initializers {
		if w.Name == "p.weight" {
			w.Name = "map"
		}
	}
	parts, err := onnx.FindParts(t.Context(), taken, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Split(t.Context(), taken, parts); !errors.Is(err, onnx.ErrGraph) {
		t.Errorf("an initializer named as a port: %v, want ErrGraph", err)
	}
}

func TestFindPartsSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	open := smallABN{}.model()
	open.Graph.Inputs[0].Shape[2], open.Graph.Inputs[0].Shape[3] = onnx.Dim{Name: "height"}, onnx.Unknown()
	half := smallABN{}.model()
	half.Graph.Inputs[0].Type = onnx.Float16
	tests := []struct {
		name  string
		model *onnx.Model
		names onnx.PartNames
		want  []string
	}{
		{"no map", smallABN{mechanism: []*onnx.Node{node("Relu", "g", "attended")}, outputs: outputs("la", "lp")}.model(), onnx.PartNames{}, []string{"no output of shape (N,1,h,w) that ends in a Sigmoid", "la (N,5)", "--map VALUE"}},
		{"two maps", smallABN{ends: []*onnx.Node{node("Sigmoid", "m", "m2")}, outputs: outputs("la", "lp", "m", "m2")}.model(), onnx.PartNames{}, []string{"2 outputs could be the map (m, m2)", "names.map"}},
		{"a map that multiplies nothing", smallABN{mechanism: []*onnx.Node{node("Concat", "g g", "gg", onnx.IntAttr("axis", 1)), node("Conv", "gg q.weight", "attended")}, constants: []*onnx.Tensor{weight("q.weight", 4, 8, 1, 1)}}.model(), onnx.PartNames{}, []string{`map "m" never multiplies`, "read by nothing"}},
		{"a map that is added", smallABN{mechanism: []*onnx.Node{node("Add", "g m", "attended")}}.model(), onnx.PartNames{}, []string{`map "m" never multiplies`, `Add "Add_`}},
		{"no attention logits", smallABN{outputs: outputs("lp", "m")}.model(), onnx.PartNames{}, []string{"no attention logits"}},
		{"no perception logits", smallABN{outputs: outputs("la", "m")}.model(), onnx.PartNames{}, []string{"no perception logits"}},
		{"perception reads the attention branch", smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("ReduceMax", "a", "am", onnx.IntsAttr("axes", 1)), node("Mul", "gm am", "attended")}}.model(), onnx.PartNames{},
			[]string{`ReduceMax "ReduceMax_`, `reads "a" of the attention branch`}},
		{"perception reads the extractor", smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("Add", "gm e", "attended")}}.model(), onnx.PartNames{},
			[]string{`Add "Add_`, `reads "e" inside the extractor`}},
		{"a name nobody has", smallABN{}.model(), onnx.PartNames{Map: "nope"}, []string{`no value "nope"`, "named as the map"}},
		{"a name of the wrong shape", smallABN{}.model(), onnx.PartNames{Map: "g"}, []string{`"g", which was named as the map, has shape (N,4,4,3)`}},
		{"open height and width", open, onnx.PartNames{}, []string{"(batch_size,3,height,?)", "crop"}},
		{"half precision", half, onnx.PartNames{}, []string{"float16", "float32"}},
		{"a batch the graph insists on", smallABN{batch: onnx.Fixed(2), mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("Add", "gm bias", "attended")}, constants: []*onnx.Tensor{weight("bias", 2, 4, 4, 3)}}.model(), onnx.PartNames{}, []string{"exported for a batch of 2", `Add "Add_`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := onnx.FindParts(t.Context(), test.model, test.names)
			if !errors.Is(err, onnx.ErrNoABN) && !errors.Is(err, onnx.ErrShape) {
				t.Fatalf("got %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
	if parts, err := onnx.FindParts(t.Context(), open, onnx.PartNames{Size: &[2]int{16, 6}}); err != nil || parts.Height != 8 || parts.Width != 3 {
		t.Errorf("with a size given: %v, %v", parts, err)
	}
}

// A map that a person names need not end in a Sigmoid, nor be an output.
func TestNamesSettleWhatCannotBeTold(t *testing.T) {
	t.Parallel()
	m := smallABN{ends: []*onnx.Node{node("Sigmoid", "m", "m2"), node("Relu", "lp", "lp2")}, outputs: outputs("la", "lp", "lp2", "m", "m2")}.model()
	parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{Map: "m", LogitsPer: "lp", Features: "g"})
	if err != nil || parts.Names.Map != "m" || parts.Names.LogitsPer != "lp" {
		t.Errorf("%+v, %v", parts, err)
	}
}

func TestVersionsDifferInTheirInitializersOnly(t *testing.T) {
	t.Parallel()
	for _, path := range fixture.ABNs(t) {
		m := mustRead(t, path)
		abn := takeApart(t, m)
		name := abn.PerceptionInitializers[0]
		old, err := m.Graph.Initializer(name).Float32s()
		if err != nil {
			t.Fatal(err)
		}
		changed := slices.Clone(old)
		changed[0]++
		later, err := onnx.WithInitializers(m, map[string][]float32{name: changed}, []onnx.Metadata{{Key: "abn.round", Value: "1"}})
		if err != nil {
			t.Fatal(err)
		}
		before, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		after, err := later.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		differ := 0
		for i := range before { // metadata comes last in the file, so all else keeps its place
			if before[i] != after[i] {
				differ++
			}
		}
		if differ < 1 || differ > 4 || len(after) <= len(before) {
			t.Errorf("%s: %d bytes differ, want the four of one float at most, and more metadata", path, differ)
		}
		again, err := onnx.Split(t.Context(), later, &abn.Parts)
		if err != nil || again.ExtractorHash() != abn.ExtractorHash() {
			t.Errorf("%s: the extractor's hash changed with the perception branch: %v", path, err)
		}
		other, err := onnx.WithInitializers(m, map[string][]float32{abn.ExtractorInitializers[0]: changedFirst(t, m, abn.ExtractorInitializers[0])}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if again, err = onnx.Split(t.Context(), other, &abn.Parts); err != nil || again.ExtractorHash() == abn.ExtractorHash() {
			t.Errorf("%s: the extractor's hash did not change with the extractor: %v", path, err)
		}
	}
}

func changedFirst(t *testing.T, m *onnx.Model, name string) []float32 {
	t.Helper()
	values, err := m.Graph.Initializer(name).Float32s()
	if err != nil {
		t.Fatal(err)
	}
	values[0]++
	return values
}

func TestWithInitializersRefuses(t *testing.T) {
	t.Parallel()
	m := smallABN{constants: []*onnx.Tensor{ints("numbers", 1)}}.model()
	nan := make([]float32, 9)
	nan[8] /= nan[7]
	for name, values := range map[string]map[string][]float32{
		"unknown name": {"nope": {1}},
		"length":       {"unused": {1}},
		"type":         {"numbers": {1}},
		"not a number": {"unused": nan},
	} {
		if _, err := onnx.WithInitializers(m, values, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestExtractorHashIgnoresNames(t *testing.T) {
	t.Parallel()
	a, b := smallABN{}.model(), smallABN{}.model()
	for _, n := range b.Graph.Nodes {
		n.Name = "another " + n.Name
		for _, list := range [][]string{n.Inputs, n.Outputs} {
			for i, name := range list {
				if name == "e" {
					list[i] = "renamed"
				}
			}
		}
	}
	b.ProducerName = "someone else"
	if x, y := takeApart(t, a).ExtractorHash(), takeApart(t, b).ExtractorHash(); x != y {
		t.Errorf("hashes %s and %s of one extractor", x, y)
	}
	b.Graph.Nodes[0].SetAttr(onnx.IntsAttr("dilations", 1, 1))
	if x, y := takeApart(t, a).ExtractorHash(), takeApart(t, b).ExtractorHash(); x == y {
		t.Error("an attribute more and the hash is the same")
	}
}
