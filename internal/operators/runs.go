package main

import (
	"cmp"
	"strings"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// smallest is a node of an operator that needs more than one input x of float32 [2,3,4,4]. Its inputs are values of the graph that
// runs makes: x, v (float32 [3]), b (bool like x), n (int64 [1]: 1), s (int64 [4]: 1), p (int64 [8]: 0), k (float32 [3,3,1,1]), d (a
// number of float32), i (a number of int64), r (float32 [4]: 1), and so on.
type smallest struct {
	inputs string
	a      []*onnx.Attribute
}

// outputs are those that a node has to have.
var outputs = map[string][]string{"TopK": {"y", "where"}}

func smallestNodes() map[string]smallest {
	kernel := []*onnx.Attribute{onnx.IntsAttr("kernel_shape", 2, 2)}
	list := map[string]smallest{
		"And": {"b b", nil}, "Or": {"b b", nil}, "Not": {"b", nil}, "Where": {"b x x", nil},
		"AveragePool": {"x", kernel}, "MaxPool": {"x", kernel}, "LpPool": {"x", kernel},
		"BatchNormalization": {"x v v v v", nil}, "InstanceNormalization": {"x v v", nil},
		"Einsum":             {"x", []*onnx.Attribute{onnx.StrAttr("equation", "nchw->nc")}},
		"GroupNormalization": {"x v v", []*onnx.Attribute{onnx.IntAttr("num_groups", 1)}},
		"LayerNormalization": {"x d", nil}, "RMSNormalization": {"x d", nil}, "LRN": {"x", []*onnx.Attribute{onnx.IntAttr("size", 3)}},
		"Cast": {"x", []*onnx.Attribute{onnx.IntAttr("to", 1)}}, "CastLike": {"x x", nil},
		"Concat":   {"x x", []*onnx.Attribute{onnx.IntAttr("axis", 1)}},
		"Constant": {"", []*onnx.Attribute{onnx.TensorAttr("value", onnx.NewFloat32("", nil, []float32{1}))}}, "ConstantOfShape": {"s", nil},
		"Conv": {"x k", nil}, "ConvTranspose": {"x k", nil}, "Gemm": {"r2 r2", nil}, "MatMul": {"x x", nil},
		"Expand": {"x s", nil}, "Gather": {"x n", nil}, "GatherND": {"x n", nil}, "GatherElements": {"u u0", nil}, "ScatterND": {"v n1 d1", nil}, "ScatterElements": {"u u0 u", nil}, "CumSum": {"x i", nil}, "Tile": {"x s", nil}, "Reshape": {"x sx", nil}, "Unsqueeze": {"x n", nil}, "Squeeze": {"u n", nil},
		"OneHot": {"n i v2", nil}, "Pad": {"x p", nil}, "Range": {"i i i", nil}, "Resize": {"x  r", nil},
		"Slice": {"x n n", nil}, "Split": {"x", []*onnx.Attribute{onnx.IntAttr("num_outputs", 1)}},
		"Upsample": {"x r", nil}, "GridSample": {"x xy", nil}, "AffineGrid": {"turn s", nil}, "TopK": {"x n", nil}, "Attention": {"x x x", nil},
		"Col2Im": {"t nn nn", nil}, "ReverseSequence": {"x n2", nil}, "Xor": {"b b", nil}, "SoftmaxCrossEntropyLoss": {"r2 n2", nil}, "Mod": {"x x", []*onnx.Attribute{onnx.IntAttr("fmod", 1)}},
	}
	for op, gates := range map[string]string{"RNN": "1", "GRU": "3", "LSTM": "4"} {
		list[op] = smallest{"t g" + gates + " g" + gates, []*onnx.Attribute{onnx.IntAttr("hidden_size", 1)}}
	}
	for _, op := range []string{"DepthToSpace", "SpaceToDepth"} {
		list[op] = smallest{"x", []*onnx.Attribute{onnx.IntAttr("blocksize", 1)}}
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"} {
		list[op] = smallest{"x x", nil}
	}
	return list
}

// newest is the operator set the runtime is asked about: the newest that it knows.
const newest = 26

// last is the last operator set of operators that are no more.
var last = map[string]int64{"Upsample": 9}

// runs reports whether ONNX Runtime opens a graph with a node of the operator; a message says why not.
func runs(op string) (bool, string) {
	node, ok := smallestNodes()[op]
	if !ok {
		node = smallest{"x", nil}
	}
	value, fixed := onnx.NewValue, []*onnx.Tensor{
		onnx.NewInt64("n", []int64{1}, []int64{1}), onnx.NewInt64("s", []int64{4}, []int64{1, 1, 1, 1}), onnx.NewInt64("p", []int64{8}, make([]int64, 8)),
		onnx.NewInt64("i", nil, []int64{1}), onnx.NewInt64("sx", []int64{4}, []int64{2, 3, 4, 4}), onnx.NewInt64("n2", []int64{3}, []int64{0, 1, 2}),
		onnx.NewFloat32("v", []int64{3}, []float32{1, 1, 1}), onnx.NewFloat32("v2", []int64{2}, []float32{0, 1}), onnx.NewFloat32("d", []int64{4}, []float32{1, 1, 1, 1}),
		onnx.NewFloat32("k", []int64{3, 3, 1, 1}, make([]float32, 9)), onnx.NewInt64("u0", []int64{2, 1}, make([]int64, 2)), onnx.NewInt64("n1", []int64{1, 1}, make([]int64, 1)),
		onnx.NewFloat32("d1", []int64{1}, []float32{1}), onnx.NewFloat32("r", []int64{4}, []float32{1, 1, 1, 1}),
		onnx.NewFloat32("xy", []int64{2, 1, 1, 2}, make([]float32, 4)), onnx.NewFloat32("turn", []int64{1, 2, 3}, make([]float32, 6)), onnx.NewFloat32("t", []int64{1, 1, 1}, []float32{1}),
		onnx.NewFloat32("g1", []int64{1, 1, 1}, make([]float32, 1)), onnx.NewFloat32("g3", []int64{1, 3, 1}, make([]float32, 3)), onnx.NewFloat32("g4", []int64{1, 4, 1}, make([]float32, 4)),
		onnx.NewInt64("nn", []int64{2}, []int64{1, 1}),
	}
	var inputs []string
	if node.inputs != "" {
		inputs = strings.Split(node.inputs, " ") // two blanks: an input that is left out
	}
	made := []string{"y"}
	if list, ok := outputs[op]; ok {
		made = list
	}
	m := &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: cmp.Or(last[op], newest)}}, Graph: &onnx.Graph{
		Nodes: []*onnx.Node{
			onnx.NewNode(op, "node", inputs, made, node.a...),
			onnx.NewNode("Cast", "", []string{"y"}, []string{"z"}, onnx.IntAttr("to", 1)), // whatever type y has
		},
		Initializers: fixed,
		Inputs: []*onnx.ValueInfo{value("x", onnx.Float, onnx.ShapeOf(2, 3, 4, 4)), value("b", onnx.Bool, onnx.ShapeOf(2, 3, 4, 4)),
			value("r2", onnx.Float, onnx.ShapeOf(3, 3)), value("u", onnx.Float, onnx.ShapeOf(2, 1))},
		Outputs: []*onnx.ValueInfo{value("z", onnx.Float, nil)},
	}}
	data, err := m.Marshal()
	if err != nil {
		return false, err.Error()
	}
	session, err := ort.Open(data, []string{"x", "b", "r2", "u"}, []string{"z"}, ort.Options{Name: op, IntraOpThreads: 1})
	if err != nil {
		return false, err.Error()
	}
	return session.Close() == nil, ""
}
