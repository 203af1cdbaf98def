package gradient_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// example is a small graph whose gradients are compared with central differences on ONNX Runtime.
type example struct {
	name    string
	opset   int64 // 0: 17
	nodes   []*onnx.Node
	feeds   []feed         // what is differentiated by
	fixed   []*onnx.Tensor // constants
	labels  []int64        // fed as "labels" where there are any
	output  string         // "" means "y"
	step    float64        // 0: 1e-2; large where the function is linear in each feed
	without []string       // feeds that are not differentiated by
	shape   onnx.Shape     // the output's, where inference does not know its operator
}

// feed is a value given to the graph. Its first axis is symbolic where batch is set.
type feed struct {
	name  string
	dims  []int64
	batch bool
	fill  func(i int, r *rand.Rand) float64 // nil: normal
}

func x(dims ...int64) feed { return feed{name: "x", dims: dims, batch: true} }
func w(dims ...int64) feed { return feed{name: "w", dims: dims} }
func bias(n int64) feed    { return feed{name: "b", dims: []int64{n}} }

// apart fills with distinct values at least 0.05 from each other and from 0 and ±1, in random order, so
// that a small step crosses no kink.
func (f feed) apart() feed {
	count := 1
	for _, d := range f.dims {
		count *= int(d)
	}
	order := rand.New(rand.NewPCG(5, 6)).Perm(count)
	f.fill = func(i int, _ *rand.Rand) float64 {
		return 0.1*(float64(order[i])-float64(count)/2) + 0.05 + 1e-3
	}
	return f
}

// positive fills with values in [0.5, 2].
func (f feed) positive() feed {
	f.fill = func(_ int, r *rand.Rand) float64 { return 0.5 + 1.5*r.Float64() }
	return f
}

func (f feed) named(name string) feed { f.name = name; return f }

func (f feed) shape() onnx.Shape {
	s := onnx.ShapeOf(f.dims...)
	if f.batch {
		s[0] = onnx.Batch()
	}
	return s
}

func node(op string, inputs []string, attributes ...*onnx.Attribute) *onnx.Node {
	return onnx.NewNode(op, "the "+op, inputs, []string{"y"}, attributes...)
}

func in(names ...string) []string { return names }

// model builds the example's graph: its nodes, and loss = Σ weight·y with weight fed.
func (e example) model() *onnx.Model {
	output := e.output
	if output == "" {
		output = "y"
	}
	opset := e.opset
	if opset == 0 {
		opset = 17
	}
	g := &onnx.Graph{Name: e.name, Initializers: slices.Clone(e.fixed)}
	for _, n := range e.nodes {
		g.Nodes = append(g.Nodes, n.Clone())
	}
	for _, f := range e.feeds {
		g.Inputs = append(g.Inputs, onnx.NewValue(f.name, onnx.Float, f.shape()))
	}
	if e.labels != nil {
		g.Inputs = append(g.Inputs, onnx.NewValue("labels", onnx.Int64, onnx.Shape{onnx.Batch()}))
	}
	g.Outputs = append(g.Outputs, onnx.NewValue(output, onnx.Float, e.shape))
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: opset}}, Graph: g}
}

func (e example) check(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	forward := e.model()
	output := forward.Graph.Outputs[0].Name
	values := map[string][]float32{}
	for _, f := range e.feeds {
		n := int64(1)
		for _, d := range f.dims {
			n *= d
		}
		data := make([]float32, n)
		for i := range data {
			if f.fill != nil {
				data[i] = float32(f.fill(i, r))
			} else {
				data[i] = float32(r.NormFloat64())
			}
		}
		values[f.name] = data
	}
	run := e.open(t, forward, []string{output})
	y := run(values)[0]
	weight := make([]float32, len(y.Float32()))
	for i := range weight {
		weight[i] = float32(r.NormFloat64())
	}
	loss := func() float64 {
		sum := 0.0
		for i, v := range run(values)[0].Float32() {
			sum += float64(v) * float64(weight[i])
		}
		return sum
	}

	model := e.model()
	info, err := onnx.InferShapes(t.Context(), model, nil)
	if err != nil {
		t.Fatal(err)
	}
	model.Graph.Inputs = append(model.Graph.Inputs, onnx.NewValue("loss weight", onnx.Float, info[output].Shape))
	e.feeds = append(slices.Clone(e.feeds), feed{name: "loss weight", dims: y.Dims()})
	e.without = append(slices.Clone(e.without), "loss weight")
	values["loss weight"] = weight
	model.Graph.Nodes = append(model.Graph.Nodes,
		onnx.NewNode("Mul", "", []string{output, "loss weight"}, []string{"weighted"}),
		onnx.NewNode("ReduceSum", "", []string{"weighted"}, []string{"loss"}, onnx.IntAttr("keepdims", 0)))
	var wrt []string
	for _, f := range e.feeds {
		if !slices.Contains(e.without, f.name) {
			wrt = append(wrt, f.name)
		}
	}
	if reasons, err := gradient.Unsupported(t.Context(), model, []string{"loss"}, wrt); err != nil || len(reasons) > 0 {
		t.Fatalf("Unsupported: %v %v", reasons, err)
	}
	derivatives, err := gradient.Append(t.Context(), model, "loss", wrt)
	if err != nil {
		t.Fatal(err)
	}
	outputs := make([]string, len(wrt))
	model.Graph.Outputs = nil
	for i, name := range wrt {
		outputs[i] = derivatives[name]
		model.Graph.Outputs = append(model.Graph.Outputs, onnx.NewValue(outputs[i], onnx.Float, nil))
	}
	got := e.open(t, model, outputs)(values)
	for i, name := range wrt {
		if declared, ok := info[name].Shape.Sizes(); ok && !slices.Equal(got[i].Dims(), declared) {
			t.Errorf("by %s: shape %v, want %v", name, got[i].Dims(), declared)
		}
		e.compare(t, name, values[name], got[i], loss)
	}
}

// compare differentiates loss by every element of data and compares with got. The loss's own rounding
// is about 1e-6 of its terms, over a step of 2·10⁻² some 1e-4; the bound leaves room for the third
// derivative.
func (e example) compare(t *testing.T, name string, data []float32, got *ort.Tensor, loss func() float64) {
	t.Helper()
	derivative := got.Float32()
	if len(derivative) != len(data) {
		t.Fatalf("by %s: shape %v, want %d elements", name, got.Dims(), len(data))
	}
	step := e.step
	if step == 0 {
		step = 1e-2
	}
	scale := 0.0
	for _, d := range derivative {
		scale = max(scale, math.Abs(float64(d)))
	}
	if len(data) > 600 {
		e.compareAlong(t, name, data, derivative, loss)
		return
	}
	worst, at, want := 0.0, 0, 0.0
	for i, v := range data {
		data[i] = v + float32(step)
		up, high := loss(), float64(data[i])
		data[i] = v - float32(step)
		down, low := loss(), float64(data[i])
		data[i] = v
		d := (up - down) / (high - low)
		if off := math.Abs(d - float64(derivative[i])); !(off <= worst) {
			worst, at, want = off, i, d
		}
	}
	if !(worst <= 2e-3*(1+scale)) {
		t.Errorf("by %s[%d]: %g, central difference %g (largest gradient %g)", name, at, derivative[at], want, scale)
	}
	if scale == 0 {
		t.Errorf("by %s: all zero, which checks nothing", name)
	}
}

// compareAlong differentiates loss along random directions: each element goes one step up or down, or stays. Two central
// differences are combined so that the third derivative cancels: (8·d(h) − d(2h))/6 with d(h) = f(h) − f(−h), over 2h.
func (e example) compareAlong(t *testing.T, name string, data, derivative []float32, loss func() float64) {
	t.Helper()
	step := e.step
	if step == 0 {
		step = 5e-3
	}
	start, r := slices.Clone(data), rand.New(rand.NewPCG(3, 4))
	length := 0.0
	for _, d := range derivative {
		length += float64(d) * float64(d)
	}
	for k := range 6 {
		direction, want := make([]float64, len(data)), 0.0
		for i := range direction {
			direction[i] = float64(r.IntN(3) - 1)
			want += direction[i] * float64(derivative[i])
		}
		at := func(step float64) float64 {
			for i := range data {
				data[i] = start[i] + float32(step*direction[i])
			}
			return loss()
		}
		got := (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step)
		copy(data, start)
		if off := math.Abs(got - want); !(off <= 2e-3*math.Sqrt(length)) || length == 0 {
			t.Errorf("by %s along direction %d: %g, finite difference %g (gradient's length %g)", name, k, want, got, math.Sqrt(length))
		}
	}
}

// open returns a function that runs the model on named values.
func (e example) open(t *testing.T, m *onnx.Model, outputs []string) func(map[string][]float32) []*ort.Tensor {
	t.Helper()
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var inputs []string
	for _, v := range m.Graph.Inputs {
		inputs = append(inputs, v.Name)
	}
	session, err := ort.Open(data, inputs, outputs, ort.Options{IntraOpThreads: 1, Name: e.name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return func(values map[string][]float32) []*ort.Tensor {
		tensors := make([]*ort.Tensor, 0, len(inputs))
		for _, name := range inputs {
			var v *ort.Tensor
			var err error
			if name == "labels" {
				v, err = ort.Int64s(e.labels, int64(len(e.labels)))
			} else {
				f := e.feeds[slices.IndexFunc(e.feeds, func(f feed) bool { return f.name == name })]
				v, err = ort.Float32s(values[name], f.dims...)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			tensors = append(tensors, v)
		}
		out := make([]*ort.Tensor, len(outputs))
		if err := session.Run(context.Background(), tensors, out); err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func i64(name string, list ...int64) *onnx.Tensor {
	return onnx.NewInt64(name, []int64{int64(len(list))}, list)
}

func f32(name string, v ...float32) *onnx.Tensor {
	if len(v) == 1 {
		return onnx.NewFloat32(name, nil, v)
	}
	return onnx.NewFloat32(name, []int64{int64(len(v))}, v)
}

func allExamples() []example {
	return slices.Concat(pointwise(), arithmetic(), convolutions(), norms(), pools(), reductions(), shapes(), gathers(), matrices(), losses(), activations(), extremes(), linear(), odd())
}

// TestEveryRuleHasAnExample keeps a rule from being added without a comparison.
func TestEveryRuleHasAnExample(t *testing.T) {
	t.Parallel()
	compared := map[string]int{}
	for _, e := range allExamples() {
		for _, n := range e.nodes {
			compared[n.Op]++
		}
	}
	for _, op := range gradient.Operators() {
		if compared[op] == 0 {
			t.Errorf("%s has a rule, but no example compares its gradient with finite differences", op)
		}
	}
}

// TestGradients compares every rule with central differences.
func TestGradients(t *testing.T) {
	t.Parallel()
	for _, e := range allExamples() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.check(t)
		})
	}
}
