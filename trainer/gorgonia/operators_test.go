package gorgonia

import (
	"cmp"
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
	"github.com/abn-studio/studio/trainer/engine/enginetest"
	"github.com/abn-studio/studio/trainer/step"
)

// TestOperators compares every operator's output and its gradient by random weights of the outputs with ONNX
// Runtime's and onnx/gradient's, and the gradient with central differences along random directions.
func TestOperators(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{"Constant": true} // has no input
	for _, c := range operatorCases {
		tested[c.op] = true
		t.Run(c.op+" "+c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
	for _, op := range Operators() {
		if !tested[op] {
			t.Errorf("%s has no case", op)
		}
	}
}

// operatorRun is a case with its numbers.
type operatorRun struct {
	source  step.Source
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
	r.source = step.Source{Model: &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: cmp.Or(c.opset, gradient.Level)}}, Graph: graph}}
	info, err := onnx.InferShapes(t.Context(), r.source.Model, nil)
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
		enginetest.Near(t, fmt.Sprint("output ", i), y, wantOutputs[i], 2e-5)
	}
	for i, g := range gradients {
		if len(wantGradients) > 0 {
			enginetest.Near(t, fmt.Sprint("gradient by input ", i), g, wantGradients[i], 2e-4)
		}
	}
	if slices.Contains([]string{"MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin"}, c.op) {
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
	inferred, err := onnx.Infer(t.Context(), r.source.Model, nil)
	if err != nil {
		t.Fatal(err)
	}
	trained := map[string][]float32{}
	for i, name := range r.names {
		trained[name] = r.values[i]
	}
	b := &builder{
		ctx:   t.Context(),
		graph: G.NewGraph(), inferred: inferred, index: r.source.Model.Graph.Index(), trained: trained,
		batch: map[*onnx.Node]bool{r.node: training}, values: map[string]*G.Node{}, norms: map[*onnx.Node]batchNormNodes{}, maker: map[int64]*onnx.Node{},
	}
	var nodes, seeds, inputs G.Nodes
	for i, y := range r.outputs {
		n, err := b.node(y)
		if err != nil {
			t.Fatal(err, b.reasons())
		}
		nodes = append(nodes, n)
		seeds = append(seeds, b.input(fmt.Sprint("seed", i), n.Shape(), r.weights[i]))
	}
	if len(b.lacks) > 0 {
		t.Fatal(b.reasons())
	}
	for _, name := range r.names {
		inputs = append(inputs, b.values[name])
	}
	derivatives, err := G.Backpropagate(nodes, seeds, inputs)
	if err != nil {
		t.Fatal(err)
	}
	out, err := newProgram(b.graph, slices.Concat(nodes, derivatives), b.maker).run(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return out[:len(nodes)], out[len(nodes):]
}

// onRuntime is onGorgonia by onnx/gradient on ONNX Runtime.
func (r *operatorRun) onRuntime(t *testing.T, training bool) (outputs, gradients [][]float32) {
	t.Helper()
	m := r.source.Model.Clone()
	g := m.Graph
	var statistics []string
	if training {
		// Statistics that no output of the graph shows, ONNX Runtime writes over its copy of the running ones, which it
		// may share with other constants of the same numbers; a training step shows them.
		n := g.Nodes[0]
		n.SetAttr(onnx.IntAttr("training_mode", 1))
		n.SetAttr(onnx.FloatAttr("momentum", 0))
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
	names, err := gradient.Append(t.Context(), differentiated, "loss", r.names)
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
	for _, x := range g.Initializers[:len(r.names)] {
		g.Inputs = append(g.Inputs, onnx.NewValue(x.Name, x.Type, onnx.ShapeOf(x.Dims...)))
	}
	g.Initializers = g.Initializers[len(r.names):]
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
	for i, t := range r.source.Model.Graph.Initializers[:len(r.names)] {
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
