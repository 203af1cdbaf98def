package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// operatorCase is one node on inputs that are all differentiated by, but for the constants.
type operatorCase struct {
	name       string
	op         string
	shapes     [][]int64 // of the inputs, which come first
	constants  []*onnx.Tensor
	attributes []*onnx.Attribute
	outputs    int       // 0: one
	positive   bool      // inputs are above 0
	kinks      []float32 // inputs keep away from these
	training   bool      // a BatchNormalization on the batch's statistics
}

func sliding(kernel, stride, pad, dilation int64, more ...*onnx.Attribute) []*onnx.Attribute {
	return append([]*onnx.Attribute{
		onnx.IntsAttr("kernel_shape", kernel, kernel), onnx.IntsAttr("strides", stride, stride),
		onnx.IntsAttr("pads", pad, pad, pad, pad), onnx.IntsAttr("dilations", dilation, dilation)}, more...)
}

func ints(list ...int64) *onnx.Tensor { return onnx.NewInt64("", []int64{int64(len(list))}, list) }

func scalar(v float32) *onnx.Tensor { return onnx.NewFloat32("", nil, []float32{v}) }

var operatorCases = []operatorCase{
	{name: "3x3", op: "Conv", shapes: [][]int64{{2, 3, 5, 7}, {4, 3, 3, 3}, {4}}, attributes: sliding(3, 1, 1, 1)},
	{name: "stride 2, leftover rows", op: "Conv", shapes: [][]int64{{2, 3, 6, 7}, {4, 3, 3, 3}}, attributes: sliding(3, 2, 0, 1)},
	{name: "stride 3, more than the kernel", op: "Conv", shapes: [][]int64{{1, 2, 8, 9}, {3, 2, 2, 2}}, attributes: sliding(2, 3, 1, 1)},
	{name: "dilation", op: "Conv", shapes: [][]int64{{2, 2, 9, 8}, {3, 2, 3, 3}}, attributes: sliding(3, 2, 2, 2)},
	{name: "1x1 to one channel", op: "Conv", shapes: [][]int64{{2, 3, 4, 4}, {1, 3, 1, 1}, {1}}, attributes: sliding(1, 1, 0, 1)},
	{name: "1x1 stride 2", op: "Conv", shapes: [][]int64{{2, 3, 5, 5}, {4, 3, 1, 1}}, attributes: sliding(1, 2, 0, 1)},
	{name: "uneven pads and sides", op: "Conv", shapes: [][]int64{{2, 2, 6, 5}, {3, 2, 3, 2}}, attributes: []*onnx.Attribute{
		onnx.IntsAttr("kernel_shape", 3, 2), onnx.IntsAttr("strides", 2, 1), onnx.IntsAttr("pads", 2, 0, 1, 1)}},
	{name: "pad larger than the kernel", op: "Conv", shapes: [][]int64{{1, 1, 3, 3}, {2, 1, 2, 2}}, attributes: sliding(2, 2, 3, 1)},
	{name: "SAME_UPPER", op: "Conv", shapes: [][]int64{{2, 2, 6, 7}, {3, 2, 4, 4}}, attributes: []*onnx.Attribute{
		onnx.StrAttr("auto_pad", "SAME_UPPER"), onnx.IntsAttr("kernel_shape", 4, 4), onnx.IntsAttr("strides", 2, 2)}},
	{name: "SAME_LOWER", op: "Conv", shapes: [][]int64{{2, 2, 6, 7}, {3, 2, 4, 4}}, attributes: []*onnx.Attribute{
		onnx.StrAttr("auto_pad", "SAME_LOWER"), onnx.IntsAttr("kernel_shape", 4, 4), onnx.IntsAttr("strides", 2, 2)}},
	{name: "two groups", op: "Conv", shapes: [][]int64{{2, 4, 5, 5}, {6, 2, 3, 3}, {6}}, attributes: sliding(3, 2, 1, 1, onnx.IntAttr("group", 2))},
	{name: "depthwise", op: "Conv", shapes: [][]int64{{2, 5, 6, 6}, {5, 1, 3, 3}}, attributes: sliding(3, 2, 1, 1, onnx.IntAttr("group", 5))},
	{name: "depthwise, two each", op: "Conv", shapes: [][]int64{{1, 3, 5, 4}, {6, 1, 3, 3}}, attributes: sliding(3, 1, 1, 1, onnx.IntAttr("group", 3))},
	{name: "one image", op: "Conv", shapes: [][]int64{{1, 1, 1, 1}, {1, 1, 1, 1}, {1}}, attributes: sliding(1, 1, 0, 1)},

	{name: "plain", op: "Gemm", shapes: [][]int64{{3, 4}, {4, 5}, {5}}},
	{name: "transposed", op: "Gemm", shapes: [][]int64{{4, 3}, {5, 4}, {3, 5}}, attributes: []*onnx.Attribute{
		onnx.IntAttr("transA", 1), onnx.IntAttr("transB", 1), onnx.FloatAttr("alpha", 0.5), onnx.FloatAttr("beta", 2)}},
	{name: "one row", op: "Gemm", shapes: [][]int64{{1, 4}, {1, 4}, {1}}, attributes: []*onnx.Attribute{onnx.IntAttr("transB", 1)}},
	{name: "matrices", op: "MatMul", shapes: [][]int64{{3, 4}, {4, 2}}},
	{name: "a stack", op: "MatMul", shapes: [][]int64{{2, 3, 4}, {4, 5}}},

	{name: "frozen", op: "BatchNormalization", shapes: [][]int64{{3, 2, 2, 3}, {2}, {2}, {2}, {2}}, positive: true},
	{name: "batch", op: "BatchNormalization", shapes: [][]int64{{3, 2, 4, 3}, {2}, {2}}, training: true},
	{name: "batch, one channel", op: "BatchNormalization", shapes: [][]int64{{3, 1, 2, 3}, {1}, {1}}, training: true},
	{name: "batch, vectors", op: "BatchNormalization", shapes: [][]int64{{5, 4}, {4}, {4}}, training: true},

	{name: "same", op: "Add", shapes: [][]int64{{2, 3, 2}, {2, 3, 2}}},
	{name: "broadcast both", op: "Add", shapes: [][]int64{{2, 1, 4}, {3, 1}}},
	{name: "per channel", op: "Sub", shapes: [][]int64{{3, 1, 1}, {2, 3, 2, 2}}},
	{name: "a gate", op: "Mul", shapes: [][]int64{{2, 3, 4, 4}, {2, 3, 1, 1}}},
	{name: "a map", op: "Mul", shapes: [][]int64{{2, 3, 4, 4}, {2, 1, 4, 4}}},
	{name: "broadcast both", op: "Mul", shapes: [][]int64{{2, 1, 4}, {3, 1}}},
	{name: "the smaller first", op: "Mul", shapes: [][]int64{{4}, {2, 3, 4}}},
	{name: "same", op: "Mul", shapes: [][]int64{{2, 3}, {2, 3}}},
	{name: "by a row", op: "Div", shapes: [][]int64{{2, 3, 4}, {4}}, positive: true},
	{name: "of one element", op: "Div", shapes: [][]int64{{1}, {1}}, positive: true},
	{name: "three", op: "Sum", shapes: [][]int64{{2, 3}, {2, 3}, {3}}},

	{op: "Relu", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{0}},
	{op: "LeakyRelu", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{0}, attributes: []*onnx.Attribute{onnx.FloatAttr("alpha", 0.2)}},
	{name: "both ends", op: "Clip", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{-0.5, 0.75}, constants: []*onnx.Tensor{scalar(-0.5), scalar(0.75)}},
	{op: "HardSigmoid", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{-1, 1}, attributes: []*onnx.Attribute{onnx.FloatAttr("alpha", 0.5)}},
	{op: "HardSwish", shapes: [][]int64{{2, 3, 4}}},
	{op: "Abs", shapes: [][]int64{{2, 3, 4}}, kinks: []float32{0}},
	{op: "Sigmoid", shapes: [][]int64{{2, 3, 4}}},
	{op: "Tanh", shapes: [][]int64{{2, 3, 4}}},
	{op: "Exp", shapes: [][]int64{{2, 3, 4}}},
	{op: "Log", shapes: [][]int64{{2, 3, 4}}, positive: true},
	{op: "Sqrt", shapes: [][]int64{{2, 3, 4}}, positive: true},
	{op: "Neg", shapes: [][]int64{{2, 3, 4}}},
	{op: "Softplus", shapes: [][]int64{{2, 3, 4}}},
	{op: "Reciprocal", shapes: [][]int64{{2, 3, 4}}, positive: true},
	{name: "last axis", op: "Softmax", shapes: [][]int64{{3, 5}}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", -1)}},
	{name: "channels", op: "Softmax", shapes: [][]int64{{2, 3, 2, 2}}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", 1)}},
	{name: "one row", op: "LogSoftmax", shapes: [][]int64{{1, 5}}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", 1)}},

	{op: "GlobalAveragePool", shapes: [][]int64{{2, 3, 4, 5}}},
	{name: "spatial", op: "ReduceMean", shapes: [][]int64{{2, 3, 4, 5}}, attributes: []*onnx.Attribute{onnx.IntsAttr("axes", 2, 3), onnx.IntAttr("keepdims", 0)}},
	{name: "channels", op: "ReduceMean", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.IntsAttr("axes", 1)}},
	{name: "all", op: "ReduceMean", shapes: [][]int64{{2, 3, 4}}},
	{name: "negative axis", op: "ReduceSum", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{ints(-1, 0)}},
	{name: "overlapping", op: "AveragePool", shapes: [][]int64{{2, 3, 7, 6}}, attributes: sliding(3, 2, 1, 1)[:3]},
	{name: "padding counted", op: "AveragePool", shapes: [][]int64{{2, 3, 7, 6}}, attributes: append(sliding(3, 2, 1, 1)[:3], onnx.IntAttr("count_include_pad", 1))},
	{name: "rounded up", op: "AveragePool", shapes: [][]int64{{1, 2, 6, 6}}, attributes: append(sliding(3, 2, 0, 1)[:3], onnx.IntAttr("ceil_mode", 1))},
	{name: "overlapping", op: "MaxPool", shapes: [][]int64{{2, 3, 7, 6}}, attributes: sliding(3, 2, 1, 1)},
	{name: "rounded up", op: "MaxPool", shapes: [][]int64{{1, 2, 6, 6}}, attributes: sliding(3, 2, 0, 1, onnx.IntAttr("ceil_mode", 1))},
	{op: "GlobalMaxPool", shapes: [][]int64{{2, 3, 4, 5}}},

	{op: "Flatten", shapes: [][]int64{{2, 3, 4, 5}}},
	{name: "copied and inferred", op: "Reshape", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{ints(0, -1)}},
	{op: "Squeeze", shapes: [][]int64{{2, 1, 3, 1}}, constants: []*onnx.Tensor{ints(1, 3)}},
	{op: "Unsqueeze", shapes: [][]int64{{2, 3}}, constants: []*onnx.Tensor{ints(0, 3)}},
	{op: "Identity", shapes: [][]int64{{2, 3}}},
	{op: "Dropout", shapes: [][]int64{{2, 3}}},
	{op: "Expand", shapes: [][]int64{{3, 1}}, constants: []*onnx.Tensor{ints(2, 3, 4)}},
	{op: "Transpose", shapes: [][]int64{{2, 3, 4}}, attributes: []*onnx.Attribute{onnx.IntsAttr("perm", 1, 2, 0)}},
	{name: "reversed", op: "Transpose", shapes: [][]int64{{2, 3, 4}}},
	{name: "steps", op: "Slice", shapes: [][]int64{{5, 7}}, constants: []*onnx.Tensor{ints(1, -1), ints(9, -8), ints(0, 1), ints(2, -3)}},
	{name: "first axis", op: "Slice", shapes: [][]int64{{5, 2}}, constants: []*onnx.Tensor{ints(-3), ints(-1)}},
	{name: "uneven", op: "Split", shapes: [][]int64{{2, 5, 2}}, constants: []*onnx.Tensor{ints(1, 3, 1)}, outputs: 3, attributes: []*onnx.Attribute{onnx.IntAttr("axis", 1)}},
	{name: "a value", op: "Pad", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{ints(0, 1, 2, 0, 0, 1), scalar(2)}},
	{name: "cutting", op: "Pad", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{ints(0, -1, 2, 0, 0, -1)}},
	{name: "one", op: "Gather", shapes: [][]int64{{2, 3, 4}}, constants: []*onnx.Tensor{onnx.NewInt64("", nil, []int64{-1})}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", 1)}},
	{name: "some twice", op: "Gather", shapes: [][]int64{{4, 3}}, constants: []*onnx.Tensor{onnx.NewInt64("", []int64{2, 2}, []int64{3, 0, 3, 1})}},
	{op: "Cast", shapes: [][]int64{{2, 3}}, attributes: []*onnx.Attribute{onnx.IntAttr("to", int64(onnx.Float))}},
	{op: "CastLike", shapes: [][]int64{{2, 3}}, constants: []*onnx.Tensor{scalar(1)}},
	{op: "Concat", shapes: [][]int64{{2, 1, 3}, {2, 2, 3}, {2, 3, 3}}, attributes: []*onnx.Attribute{onnx.IntAttr("axis", -2)}},
}

// TestGorgoniaOperators compares every operator's output and its gradient by random weights of the outputs with ONNX
// Runtime's and onnx/gradient's, and the gradient with central differences along random directions.
func TestGorgoniaOperators(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{"Constant": true} // has no input
	for _, c := range operatorCases {
		tested[c.op] = true
		t.Run(c.op+" "+c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
	for _, op := range GorgoniaOperators() {
		if !tested[op] {
			t.Errorf("%s has no case", op)
		}
	}
}

// operatorRun is a case with its numbers.
type operatorRun struct {
	source  stepSource
	node    *onnx.Node
	names   []string
	values  [][]float32
	outputs []string
	weights [][]float32 // of the outputs in the loss
}

func (c operatorCase) build(t *testing.T) *operatorRun {
	rng := rand.New(rand.NewPCG(5, uint64(len(c.op)+len(c.name))))
	r := &operatorRun{node: onnx.NewNode(c.op, "tested", nil, nil, c.attributes...)}
	graph := &onnx.Graph{Name: "operator", Nodes: []*onnx.Node{r.node}}
	for i, shape := range c.shapes {
		size := int64(1)
		for _, d := range shape {
			size *= d
		}
		data := make([]float32, size)
		for k := range data {
			data[k] = c.draw(rng)
		}
		name := fmt.Sprint("x", i)
		r.names, r.values = append(r.names, name), append(r.values, data)
		r.node.Inputs = append(r.node.Inputs, name)
		graph.Initializers = append(graph.Initializers, onnx.NewFloat32(name, shape, data))
	}
	constants := c.constants
	if c.training { // the running ones are not read
		zeros := onnx.NewFloat32("", c.shapes[1], make([]float32, c.shapes[1][0]))
		ones := onnx.NewFloat32("", c.shapes[1], slices.Repeat([]float32{1}, int(c.shapes[1][0])))
		constants = []*onnx.Tensor{zeros, ones}
	}
	for i, constant := range constants {
		constant := constant.Clone()
		constant.Name = fmt.Sprint("constant", i)
		graph.Initializers = append(graph.Initializers, constant)
		r.node.Inputs = append(r.node.Inputs, constant.Name)
	}
	for i := range max(c.outputs, 1) {
		r.outputs = append(r.outputs, fmt.Sprint("y", i))
	}
	r.node.Outputs = r.outputs
	r.source = stepSource{model: &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: gradient.Level}}, Graph: graph}}
	info, err := onnx.InferShapes(r.source.model, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, y := range r.outputs {
		sizes, ok := info[y].Shape.Sizes()
		if !ok {
			t.Fatalf("%s has shape %s", y, info[y].Shape)
		}
		weights := make([]float32, product64(sizes))
		for i := range weights {
			weights[i] = float32(rng.NormFloat64())
		}
		r.weights = append(r.weights, weights)
	}
	return r
}

func product64(dims []int64) int64 {
	p := int64(1)
	for _, d := range dims {
		p *= d
	}
	return p
}

// draw is a number of the case's range, not near a kink.
func (c operatorCase) draw(rng *rand.Rand) float32 {
	for {
		v := float32(rng.NormFloat64())
		if c.positive {
			v = 0.5 + float32(rng.Float64())
		}
		near := slices.ContainsFunc(c.kinks, func(k float32) bool { return math.Abs(float64(v-k)) < 0.1 })
		if !near {
			return v
		}
	}
}

func (c operatorCase) check(t *testing.T) {
	r := c.build(t)
	outputs, gradients := r.onGorgonia(t, c.training)
	wantOutputs, wantGradients := r.onRuntime(t, c.training)
	for i, y := range outputs {
		closeTo(t, fmt.Sprint("output ", i), y, wantOutputs[i], 2e-5)
	}
	for i, g := range gradients {
		if len(wantGradients) > 0 {
			closeTo(t, fmt.Sprint("gradient by input ", i), g, wantGradients[i], 2e-4)
		}
	}
	if c.op == "MaxPool" || c.op == "GlobalMaxPool" {
		return // a step may change which element is the largest
	}
	// Along a random direction v: (L(x+hv) − L(x−hv))/2h = ⟨dL/dx, v⟩ up to h².
	const h = 1e-2
	rng := rand.New(rand.NewPCG(9, 9))
	var analytic, scale float64
	direction := make([][]float32, len(r.values))
	for i, g := range gradients {
		direction[i] = make([]float32, len(g))
		for k, d := range g {
			v := float32(rng.NormFloat64())
			if len(c.kinks) > 0 {
				v = max(min(v, 5), -5)
			}
			direction[i][k] = v
			analytic += float64(d) * float64(v)
			scale += math.Abs(float64(d))
		}
	}
	loss := func(by float32) (sum float64) {
		moved := *r
		moved.values = make([][]float32, len(r.values))
		for i, x := range r.values {
			moved.values[i] = slices.Clone(x)
			for k := range x {
				moved.values[i][k] += by * direction[i][k]
			}
		}
		y, _ := moved.onGorgonia(t, c.training)
		for i := range y {
			for k, v := range y[i] {
				sum += float64(v) * float64(r.weights[i][k])
			}
		}
		return sum
	}
	numeric := (loss(h) - loss(-h)) / (2 * h)
	if math.Abs(numeric-analytic) > 2e-3*(scale+1) {
		t.Errorf("along a random direction the loss changes by %g, the gradient says %g", numeric, analytic)
	}
}

// onGorgonia gives outputs and the gradients by the inputs.
func (r *operatorRun) onGorgonia(t *testing.T, training bool) (outputs, gradients [][]float32) {
	t.Helper()
	inferred, err := onnx.Infer(r.source.model, nil)
	if err != nil {
		t.Fatal(err)
	}
	trained := map[string][]float32{}
	for i, name := range r.names {
		trained[name] = r.values[i]
	}
	b := &gorgoniaBuilder{
		graph: G.NewGraph(), inferred: inferred, index: r.source.model.Graph.Index(), trained: trained,
		batch: map[*onnx.Node]bool{r.node: training}, values: map[string]*G.Node{}, norms: map[*onnx.Node]batchNormNodes{}, maker: map[int64]*onnx.Node{},
	}
	var nodes, seeds, inputs G.Nodes
	for i, y := range r.outputs {
		n, err := b.node(y)
		if err != nil {
			t.Fatal(err, b.reasons)
		}
		nodes = append(nodes, n)
		seeds = append(seeds, b.input(fmt.Sprint("seed", i), n.Shape(), r.weights[i]))
	}
	if len(b.reasons) > 0 {
		t.Fatal(b.reasons)
	}
	for _, name := range r.names {
		inputs = append(inputs, b.values[name])
	}
	derivatives, err := G.Backpropagate(nodes, seeds, inputs)
	if err != nil {
		t.Fatal(err)
	}
	out, err := newGorgoniaProgram(b.graph, slices.Concat(nodes, derivatives), b.maker).run(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return out[:len(nodes)], out[len(nodes):]
}

// onRuntime is onGorgonia by onnx/gradient on ONNX Runtime.
func (r *operatorRun) onRuntime(t *testing.T, training bool) (outputs, gradients [][]float32) {
	t.Helper()
	m := r.source.model.Clone()
	g := m.Graph
	var statistics []string
	if training {
		// Statistics that no output of the graph shows, ONNX Runtime writes over its copy of the running ones, which it
		// may share with other constants of the same numbers; a training step shows them.
		n := g.Nodes[0]
		setTraining(n, true)
		statistics = []string{"mean", "variance"}
		n.Outputs = append(n.Outputs, statistics...)
	}
	for i, y := range r.outputs { // the loss: Σ w·y
		flat, weights, product := fmt.Sprint("flat", i), fmt.Sprint("weights", i), fmt.Sprint("product", i)
		g.Initializers = append(g.Initializers, onnx.NewInt64(flat, []int64{1}, []int64{-1}),
			onnx.NewFloat32(weights, []int64{int64(len(r.weights[i]))}, r.weights[i]))
		g.Nodes = append(g.Nodes,
			onnx.NewNode("Reshape", "", []string{y, flat}, []string{flat + "/y"}),
			onnx.NewNode("Mul", "", []string{flat + "/y", weights}, []string{product}))
	}
	var sums []string
	for i := range r.outputs {
		sum := fmt.Sprint("sum", i)
		g.Nodes = append(g.Nodes, onnx.NewNode("ReduceSum", "", []string{fmt.Sprint("product", i)}, []string{sum}, onnx.IntAttr("keepdims", 1)))
		sums = append(sums, sum)
	}
	g.Nodes = append(g.Nodes, onnx.NewNode("Sum", "", sums, []string{"loss"}))
	if len(sums) == 1 {
		g.Nodes[len(g.Nodes)-1].Op = "Identity"
	}
	wanted := slices.Clone(r.outputs)
	differentiated := m.Clone()
	names, err := gradient.Append(differentiated, "loss", r.names)
	switch {
	case errors.Is(err, gradient.ErrUnsupported): // the outputs alone, then
	case err != nil:
		t.Fatal(err)
	default:
		m, g = differentiated, differentiated.Graph
		for _, name := range r.names {
			wanted = append(wanted, names[name])
		}
	}
	wanted = append(wanted, statistics...)
	for _, name := range wanted {
		g.Outputs = append(g.Outputs, onnx.NewValue(name, onnx.Float, nil))
	}
	feedInitializers(g, r.names)
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.Open(data, r.names, wanted, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var inputs []*ort.Tensor
	for i, t := range r.source.model.Graph.Initializers[:len(r.names)] {
		in, problem := ort.Float32s(r.values[i], t.Dims...)
		err = errors.Join(err, problem)
		inputs = append(inputs, in)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*ort.Tensor, len(wanted))
	if err := session.Run(context.Background(), inputs, out); err != nil {
		t.Fatal(err)
	}
	var all [][]float32
	for _, o := range out {
		all = append(all, slices.Clone(o.Float32()))
	}
	return all[:len(r.outputs)], all[len(r.outputs) : len(all)-len(statistics)]
}
