package onnx_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// checkAgainstRuntime runs a model with every node's output exposed and compares the shapes that were
// inferred for a symbolic batch with those the runtime makes, for two batch sizes.
func checkAgainstRuntime(t *testing.T, m *onnx.Model, input string, rest ...int64) {
	t.Helper()
	inferred, err := onnx.InferShapes(t.Context(), m, map[string]onnx.Shape{input: onnx.BatchOf(rest...)})
	if err != nil {
		t.Fatal(err)
	}
	exposed := m.Clone()
	g := exposed.Graph
	g.Inputs, g.Outputs, g.ValueInfo = []*onnx.ValueInfo{onnx.NewValue(input, onnx.Float, onnx.BatchOf(rest...))}, nil, nil
	g.Initializers = append(g.Initializers, ints("end of shape", -7)) // so that a scalar's shape is not empty
	var names, ports []string
	for _, n := range m.Graph.Nodes {
		for _, out := range n.Outputs {
			if out == "" {
				continue
			}
			if inferred[out].Type == 0 || inferred[out].Shape == nil {
				t.Errorf("%v: %q has type %v, %v", n, out, inferred[out].Type, inferred[out].Shape)
			}
			port := fmt.Sprintf("port %d", len(ports))
			g.Nodes = append(g.Nodes, onnx.NewNode("Shape", "", []string{out}, []string{port + " shape"}),
				onnx.NewNode("Concat", "", []string{port + " shape", "end of shape"}, []string{port}, onnx.IntAttr("axis", 0)))
			g.Outputs = append(g.Outputs, onnx.NewValue(port, onnx.Int64, onnx.Shape{onnx.Unknown()}))
			names, ports = append(names, out), append(ports, port)
		}
	}
	data, err := exposed.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.Open(data, []string{input}, ports, ort.Options{Name: "the test's graph", IntraOpThreads: 1, NoSpinning: true, Optimization: ort.OptimizeNothing})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, batch := range []int64{1, 3} {
		x := noise(append([]int64{batch}, rest...)...)
		image, err := ort.Float32s(x.data, x.dims...)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]*ort.Tensor, len(ports))
		if err := session.Run(context.Background(), []*ort.Tensor{image}, out); err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			want := out[i].Int64()
			want = want[:len(want)-1]
			got := slices.Clone(inferred[name].Shape)
			for k, d := range got {
				if times, found := strings.CutSuffix(d.Name, "·"+onnx.BatchName); found {
					n, err := strconv.ParseInt(times, 10, 64)
					if err != nil {
						t.Errorf("%q has shape %v", name, got)
					}
					got[k] = onnx.Fixed(n * batch)
				}
				if d.Name == onnx.BatchName {
					got[k] = onnx.Fixed(batch)
				} else if d == onnx.Unknown() && k < len(want) { // twelve times the batch has no name
					got[k] = onnx.Fixed(want[k])
				}
			}
			if !slices.Equal(got, onnx.ShapeOf(want...)) {
				t.Errorf("batch %d: %q inferred as %v, the runtime makes %v", batch, name, inferred[name].Shape, want)
			}
			out[i].Close()
		}
		image.Close()
	}
}

func TestInferAgreesWithTheRuntimeOnFiles(t *testing.T) {
	t.Parallel()
	for _, path := range fixture.ABNs(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			m := mustRead(t, path)
			in := m.Graph.Feeds()[0]
			sizes, _ := in.Shape[1:].Sizes()
			checkAgainstRuntime(t, m, in.Name, sizes...)
		})
	}
}

func ints(name string, values ...int64) *onnx.Tensor {
	return onnx.NewInt64(name, []int64{int64(len(values))}, values)
}

func weight(name string, dims ...int64) *onnx.Tensor {
	return onnx.NewFloat32(name, dims, noise(dims...).data)
}

// chain is a model of nodes given one after the other: each reads what it names, "x" is the input.
func chain(opset int64, initializers []*onnx.Tensor, nodes ...*onnx.Node) *onnx.Model {
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: opset}}, Graph: &onnx.Graph{
		Name: "test", Nodes: nodes, Initializers: initializers,
		Inputs: []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, nil)},
	}}
}

func node(op, inputs, outputs string, attributes ...*onnx.Attribute) *onnx.Node {
	split := func(s string) []string {
		list := strings.Split(s, " ")
		for i := range list {
			if list[i] == "-" {
				list[i] = ""
			}
		}
		return list
	}
	return onnx.NewNode(op, "", split(inputs), split(outputs), attributes...)
}

func TestInferAgreesWithTheRuntimeOnOperators(t *testing.T) {
	t.Parallel()
	in, i, f, s := onnx.IntsAttr, onnx.IntAttr, onnx.FloatAttr, onnx.StrAttr
	type list = []*onnx.Tensor
	tests := []struct {
		name   string
		input  []int64 // behind the batch
		opsets []int64
		init   list
		nodes  []*onnx.Node
	}{
		{"conv strided, padded, dilated, grouped", []int64{4, 17, 12}, []int64{11, 17, 22}, list{weight("w", 6, 2, 3, 3), weight("b", 6)}, []*onnx.Node{
			node("Conv", "x w b", "a", in("strides", 2, 1), in("pads", 1, 0, 2, 1), in("dilations", 2, 3), i("group", 2)),
			node("Conv", "x w", "c", i("group", 2), s("auto_pad", "SAME_UPPER"), in("strides", 2, 2)),
			node("Conv", "x w", "d", i("group", 2), s("auto_pad", "VALID")),
		}},
		{"transposed conv", []int64{4, 7, 5}, []int64{11, 17}, list{weight("w", 4, 3, 3, 3)}, []*onnx.Node{
			node("ConvTranspose", "x w", "a", in("strides", 2, 3), in("pads", 1, 0, 1, 2), in("output_padding", 1, 2), i("group", 2)),
			node("ConvTranspose", "x w", "b"),
		}},
		{"pooling", []int64{4, 13, 14}, []int64{11, 22}, nil, []*onnx.Node{
			node("MaxPool", "x", "a", in("kernel_shape", 3, 3), in("strides", 2, 2), in("pads", 1, 1, 1, 1)),
			node("MaxPool", "x", "b c", in("kernel_shape", 2, 2), in("strides", 2, 2), i("ceil_mode", 1)),
			node("AveragePool", "x", "d", in("kernel_shape", 3, 2), in("strides", 3, 2), i("ceil_mode", 1), in("pads", 1, 0, 1, 0)),
			node("AveragePool", "x", "e", in("kernel_shape", 14, 14), s("auto_pad", "SAME_LOWER"), in("strides", 5, 5)),
			node("GlobalAveragePool", "x", "g"), node("GlobalMaxPool", "x", "h"),
		}},
		{"normalization and activations", []int64{4, 3, 3}, []int64{13, 17, 22}, list{weight("s", 4), weight("v", 4), onnx.NewFloat32("lo", nil, []float32{0})}, []*onnx.Node{
			node("BatchNormalization", "x s s s v", "a"), node("Relu", "a", "b"), node("Clip", "b lo -", "c"), node("Sigmoid", "c", "d"),
			node("HardSigmoid", "d", "e", f("alpha", 1)), node("Softmax", "e", "g", i("axis", 1)), node("LogSoftmax", "g", "h", i("axis", 1)),
			node("Dropout", "h", "k l"), node("Sqrt", "k", "m"), node("Neg", "m", "n"), node("Exp", "n", "o"), node("Identity", "o", "p"),
		}},
		{"broadcasting", []int64{4, 3, 3}, []int64{13, 22}, list{weight("c", 4, 1, 1), weight("one", 1), onnx.NewFloat32("two", nil, []float32{2})}, []*onnx.Node{
			node("Add", "x c", "a"), node("Mul", "a one", "b"), node("Sub", "two b", "d"), node("Div", "d x", "e"), node("Pow", "e two", "f"),
			node("Greater", "f two", "g"), node("Where", "g x two", "h"), node("Max", "h x c", "i"),
		}},
		{"gemm and matmul", []int64{6}, []int64{11, 22}, list{weight("w", 6, 5), weight("v", 5, 6), weight("b", 5), weight("u", 6)}, []*onnx.Node{
			node("Gemm", "x w b", "a"), node("Gemm", "x v", "c", i("transB", 1)), node("MatMul", "x w", "d"), node("MatMul", "x u", "e"),
		}},
		{"matmul over stacks", []int64{2, 5, 6}, []int64{13}, list{weight("w", 6, 3), weight("v", 1, 2, 6, 4)}, []*onnx.Node{
			node("MatMul", "x w", "a"), node("MatMul", "x v", "b"),
		}},
		{"reductions with axes as attribute", []int64{4, 3, 5}, []int64{11, 13, 17}, nil, []*onnx.Node{
			node("ReduceMean", "x", "a", in("axes", 2, 3), i("keepdims", 0)), node("ReduceMax", "x", "b", in("axes", -1)), node("ReduceMean", "x", "c"),
			node("ReduceMin", "x", "d", i("keepdims", 0)), node("ArgMax", "x", "e", i("axis", 1), i("keepdims", 0)),
		}},
		{"reductions with axes as input", []int64{4, 3, 5}, []int64{18, 22}, list{ints("a23", 2, 3), ints("last", -1)}, []*onnx.Node{
			node("ReduceMean", "x a23", "a", i("keepdims", 0)), node("ReduceSum", "x last", "b"), node("ReduceMean", "x", "c"),
			node("ReduceMean", "x", "d", i("noop_with_empty_axes", 1)),
		}},
		{"sum with axes as attribute", []int64{4, 3, 5}, []int64{11}, nil, []*onnx.Node{
			node("ReduceSum", "x", "a", in("axes", 1), i("keepdims", 0)), node("Unsqueeze", "a", "c", in("axes", 0, -1)), node("Squeeze", "c", "d", in("axes", 0, -1)),
		}},
		{"squeeze and unsqueeze with axes as input", []int64{1, 3, 1}, []int64{13, 22}, list{ints("a", 1, -1), ints("b", 0, 3)}, []*onnx.Node{
			node("Squeeze", "x a", "c"), node("Unsqueeze", "x b", "d"),
		}},
		{"reshape, flatten, transpose", []int64{4, 3, 5}, []int64{11, 14, 22}, list{ints("a", 0, -1), ints("b", -1, 4, 15), ints("c", -1), ints("d", 0, 0, 15)}, []*onnx.Node{
			node("Reshape", "x a", "e"), node("Reshape", "x b", "f"), node("Reshape", "x d", "h"),
			node("Flatten", "x", "i"), node("Flatten", "x", "j", i("axis", -1)), node("Transpose", "x", "k", in("perm", 0, 2, 3, 1)),
		}},
		{"flattening by shape arithmetic", []int64{4, 3, 5}, []int64{11, 17, 22}, list{ints("zero", 0), ints("minus", -1), onnx.NewInt64("first", nil, []int64{0})}, []*onnx.Node{
			node("Shape", "x", "shape"), node("Gather", "shape first", "n"), node("Unsqueeze", "n -", "n1"), // axes are set below where they are an attribute
			node("Concat", "n1 minus", "target", i("axis", 0)), node("Reshape", "x target", "flat"),
			node("Slice", "shape zero one", "head"), node("Concat", "head minus", "target2", i("axis", 0)), node("Reshape", "x target2", "flat2"),
		}},
		{"slices", []int64{4, 9, 7}, []int64{11, 22}, list{ints("s", 1, -6), ints("e", 1<<62, -1), ints("ax", 2, 3), ints("st", 3, 2), ints("back", -1), ints("low", -1<<63), ints("a1", 1), ints("neg", -2)}, []*onnx.Node{
			node("Slice", "x s e ax st", "a"), node("Slice", "x s e ax", "b"), node("Slice", "x back low a1 neg", "c"),
		}},
		{"pads", []int64{4, 9, 7}, []int64{11, 17}, list{ints("p", 0, 0, 1, 2, 0, 1, 3, 4), ints("crop", 0, 0, -1, 0, 0, 0, -2, 0)}, []*onnx.Node{
			node("Pad", "x p", "a"), node("Pad", "x crop", "b", s("mode", "constant")),
		}},
		{"pads along axes", []int64{4, 9, 7}, []int64{18, 22}, list{ints("p", 1, 2, 3, 4), ints("ax", -1, 2)}, []*onnx.Node{
			node("Pad", "x p - ax", "a"),
		}},
		{"concat, split, gather, expand, tile", []int64{4, 6, 5}, []int64{13, 17}, list{ints("parts", 1, 3), ints("pick", 0, 2), ints("e", 1, 4, 1, 5), ints("t", 1, 2, 1, 3)}, []*onnx.Node{
			node("Concat", "x x", "a", i("axis", 1)), node("Split", "x parts", "b c", i("axis", 1)), node("Split", "x", "d e2", i("axis", 2)),
			node("Gather", "x pick", "g", i("axis", 3)), node("Expand", "x e", "h"), node("Tile", "x t", "k"),
		}},
		{"constants", []int64{2}, []int64{13}, nil, []*onnx.Node{
			{Op: "Constant", Outputs: []string{"a"}, Attributes: []*onnx.Attribute{in("value_ints", 2, 3)}},
			node("ConstantOfShape", "a", "b", onnx.TensorAttr("value", ints("", 7))), node("Cast", "b", "c", i("to", 1)), node("Transpose", "c", "d"),
			node("Size", "x", "e"),
		}},
		{"tables of indices", []int64{4, 5, 7}, []int64{16, 22}, list{onnx.NewInt64("table", []int64{2, 3, 2}, []int64{0, 1, 0, 2, 0, 3, 0, 0, 0, 4, 0, 1}), onnx.NewInt64("few", []int64{1, 2, 1, 1}, []int64{0, 1}),
			onnx.NewInt64("of each", []int64{1, 1}, []int64{2}), onnx.NewFloat32("v", []int64{1, 2, 1, 1}, []float32{1, 2}), onnx.NewInt64("along", nil, []int64{1})}, []*onnx.Node{
			node("Transpose", "x", "t", in("perm", 1, 2, 0, 3)), node("GatherND", "t table", "a"), {Op: "GatherND", Inputs: []string{"t", "of each"}, Outputs: []string{"b"}},
			node("GatherElements", "x few", "c", i("axis", 1)), node("ScatterElements", "x few v", "d", i("axis", 1)), node("CumSum", "x along", "e"), node("Trilu", "x", "f"),
		}},
		{"places of a grid", []int64{4, 5, 2}, []int64{16, 20, 22}, nil, []*onnx.Node{node("GridSample", "x x", "a", s("mode", "nearest"))}},
		{"a grid of an angle", []int64{2, 3}, []int64{20}, list{ints("image of one", 4, 5, 6)}, []*onnx.Node{
			node("Shape", "x", "n", i("end", 1)), {Op: "Concat", Inputs: []string{"n", "image of one"}, Outputs: []string{"size"}, Attributes: []*onnx.Attribute{i("axis", 0)}},
			node("AffineGrid", "x size", "a"),
		}},
		{"the largest", []int64{4, 5, 7}, []int64{11, 22}, list{ints("k", 3)}, []*onnx.Node{node("TopK", "x k", "a b", i("axis", 2)), node("TopK", "x k", "c d")}},
		{"the largest, of old", []int64{4, 5, 7}, []int64{7}, nil, []*onnx.Node{node("TopK", "x", "a b", i("axis", 2), i("k", 2))}},
		{"attention", []int64{2, 5, 6}, []int64{23, 24}, list{ints("rows", 0, 10, 6)}, []*onnx.Node{
			node("Attention", "x x x", "a"), node("Reshape", "x rows", "q"), node("Attention", "q q q", "b", i("q_num_heads", 3), i("kv_num_heads", 3)),
			node("Split", "q", "k unused", i("axis", 2), i("num_outputs", 2)), node("Attention", "q k k", "c", i("q_num_heads", 6), i("kv_num_heads", 3)),
		}},
		{"sequences", []int64{4, 3}, []int64{14, 22}, list{weight("w", 1, 15, 3), weight("r", 1, 15, 5), weight("w2", 2, 20, 3), weight("r2", 2, 20, 5), weight("w1", 1, 5, 3), weight("r1", 1, 5, 5)}, []*onnx.Node{
			node("Transpose", "x", "t", in("perm", 1, 0, 2)), node("GRU", "t w r", "a b", i("hidden_size", 5)),
			node("LSTM", "t w2 r2", "c d e", i("hidden_size", 5), s("direction", "bidirectional")), node("RNN", "t w1 r1", "f", i("hidden_size", 5), s("direction", "reverse")),
		}},
		{"blocks added up", []int64{12, 4}, []int64{18, 22}, list{ints("image", 4, 5), ints("block", 3, 2)}, []*onnx.Node{
			node("Col2Im", "x image block", "a", in("strides", 1, 1), in("dilations", 1, 3)),
		}},
		{"angles and questions", []int64{4, 5, 7}, []int64{13, 22}, nil, []*onnx.Node{
			node("Tan", "x", "a"), node("Atan", "x", "b"), node("Asinh", "x", "c"), node("Cosh", "x", "d"), node("Shrink", "x", "e"), node("IsNaN", "x", "f"), node("IsInf", "x", "g"), node("Xor", "f g", "h"),
			node("MeanVarianceNormalization", "x", "i"),
		}},
		{"upsample", []int64{4, 5, 7}, []int64{9}, list{onnx.NewFloat32("scales", []int64{4}, []float32{1, 1, 2, 1.5})}, []*onnx.Node{node("Upsample", "x scales", "a", s("mode", "nearest"))}},
		{"upsample of old", []int64{4, 5, 7}, []int64{8}, nil, []*onnx.Node{node("Upsample", "x", "a", onnx.FloatsAttr("scales", 1, 1, 2, 1.5))}},
		{"resize", []int64{4, 5, 7}, []int64{13, 22}, list{onnx.NewFloat32("scales", []int64{4}, []float32{1, 1, 2, 1.5})}, []*onnx.Node{
			node("Resize", "x - scales", "a", s("mode", "nearest")),
		}},
	}
	for _, test := range tests {
		for _, opset := range test.opsets {
			t.Run(fmt.Sprintf("%s, opset %d", test.name, opset), func(t *testing.T) {
				t.Parallel()
				m := chain(opset, append(test.init, ints("one", 1))[:len(test.init):len(test.init)], test.nodes...)
				m = m.Clone()
				if m.Graph.Initializer("one") == nil {
					m.Graph.Initializers = append(m.Graph.Initializers, ints("one", 1))
				}
				for _, n := range m.Graph.Nodes {
					if n.Op == "Unsqueeze" && n.Input(1) == "" && n.Attr("axes") == nil {
						if opset < 13 {
							n.Inputs = n.Inputs[:1]
							n.SetAttr(in("axes", 0))
						} else {
							n.Inputs[1] = "zero"
						}
					}
				}
				checkAgainstRuntime(t, m, "x", test.input...)
			})
		}
	}
}

func TestInferFollowsShapeArithmetic(t *testing.T) {
	t.Parallel()
	m := chain(17, []*onnx.Tensor{ints("tail", 3, 4), ints("axis0", 0), onnx.NewInt64("i1", nil, []int64{1})},
		node("Shape", "x", "shape"), node("Gather", "shape i1", "c"), node("Unsqueeze", "c axis0", "c1"),
		node("Concat", "c1 tail", "all", onnx.IntAttr("axis", 0)), node("ReduceProd", "all", "product"),
	)
	inferred, err := onnx.Infer(t.Context(), m, map[string]onnx.Shape{"x": onnx.BatchOf(5, 6, 7)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := inferred.Constant("product").Int64s()
	if err != nil || len(got) != 1 || got[0] != 60 {
		t.Errorf("5·3·4 gave %v, %v", got, err)
	}
	if inferred.Constant("shape") != nil {
		t.Error("a shape with a symbolic batch was called a constant")
	}
}

func TestInferNamesAnInitializerThatIsThereTwice(t *testing.T) {
	t.Parallel()
	w := weight("w", 6, 3, 3, 3)
	_, err := onnx.Infer(t.Context(), chain(17, []*onnx.Tensor{w, w}, onnx.NewNode("Conv", "stem", []string{"x", "w"}, []string{"y"})), map[string]onnx.Shape{"x": onnx.BatchOf(3, 8, 8)})
	if !errors.Is(err, onnx.ErrGraph) || !strings.Contains(err.Error(), `"w"`) || !strings.Contains(err.Error(), "export the network again") {
		t.Errorf("%v names neither it nor what to do", err)
	}
}

func TestInferNamesTheNodeThatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := weight("w", 6, 3, 3, 3)
	for name, test := range map[string]struct {
		node *onnx.Node
		want error
	}{
		"channels":           {onnx.NewNode("Conv", "stem", []string{"x", "w"}, []string{"y"}), onnx.ErrShape},
		"kernel too large":   {onnx.NewNode("MaxPool", "stem", []string{"x"}, []string{"y"}, onnx.IntsAttr("kernel_shape", 9, 9)), onnx.ErrShape},
		"broadcast":          {onnx.NewNode("Add", "stem", []string{"x", "w"}, []string{"y"}), onnx.ErrShape},
		"nobody makes it":    {onnx.NewNode("Relu", "stem", []string{"z"}, []string{"y"}), onnx.ErrGraph},
		"made twice":         {onnx.NewNode("Relu", "stem", []string{"x"}, []string{"w"}), onnx.ErrGraph},
		"no input":           {onnx.NewNode("Relu", "stem", nil, []string{"y"}), onnx.ErrGraph},
		"no output":          {onnx.NewNode("Relu", "stem", []string{"x"}, nil), onnx.ErrGraph},
		"missing weight":     {onnx.NewNode("Conv", "stem", []string{"x"}, []string{"y"}), onnx.ErrGraph},
		"axis out of range":  {onnx.NewNode("Flatten", "stem", []string{"x"}, []string{"y"}, onnx.IntAttr("axis", 9)), onnx.ErrShape},
		"stride zero":        {onnx.NewNode("MaxPool", "stem", []string{"x"}, []string{"y"}, onnx.IntsAttr("kernel_shape", 1, 1), onnx.IntsAttr("strides", 0, 1)), onnx.ErrShape},
		"reshape mismatched": {onnx.NewNode("Reshape", "stem", []string{"x", "r"}, []string{"y"}), onnx.ErrShape},
	} {
		_, err := onnx.Infer(t.Context(), chain(17, []*onnx.Tensor{w, ints("r", 0, 7)}, test.node), map[string]onnx.Shape{"x": onnx.BatchOf(4, 8, 8)})
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), `"stem"`) {
			t.Errorf("%s: got %v, want %v that names the node", name, err, test.want)
		}
	}
}

// Heads of attention are folded into the batch and out of it again.
func TestTheBatchIsFoundAgain(t *testing.T) {
	t.Parallel()
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Inputs: []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, onnx.BatchOf(16, 8))},
		Nodes: []*onnx.Node{
			node("Transpose", "x", "t", onnx.IntsAttr("perm", 1, 0, 2)), node("Reshape", "t fold", "heads"), node("Transpose", "heads", "h", onnx.IntsAttr("perm", 1, 0, 2)), node("Reshape", "h apart", "four"),
			node("Transpose", "four", "p", onnx.IntsAttr("perm", 2, 0, 1, 3)), node("Reshape", "p rows", "r"), node("Reshape", "r out", "y"),
			node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Mul", "n two", "n2"), node("Concat", "n2 rest", "size", onnx.IntAttr("axis", 0)), node("Reshape", "h size", "sized"),
			node("Div", "n2 two", "half"), node("Concat", "half rest4", "size4", onnx.IntAttr("axis", 0)), node("Reshape", "h size4", "back"),
		},
		Initializers: []*onnx.Tensor{ints("fold", 16, -1, 4), ints("apart", -1, 2, 16, 4), ints("rows", -1, 8), ints("out", 16, -1, 8), ints("zero", 0), ints("two", 2), ints("rest", 16, 4), ints("rest4", 2, 16, 4)},
		Outputs:      outputs("y"),
	}}
	got, err := onnx.InferShapes(t.Context(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"heads": "(16,2·N,4)", "four": "(N,2,16,4)", "r": "(16·N,8)", "y": "(16,N,8)", "sized": "(2·N,16,4)", "back": "(N,2,16,4)"} {
		if shape := got[name].Shape.String(); shape != want {
			t.Errorf("%s is %s, want %s", name, shape, want)
		}
	}
}
