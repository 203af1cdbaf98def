package gorgonia

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

var both = recipe.Settings{Engine: recipe.EngineGorgonia, Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 0.5}

// open opens an engine on a network.
func open(t *testing.T, m *onnx.Model) engine.Engine {
	t.Helper()
	e, err := New(t.Context(), enginetest.Split(t, m), both)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// TestEndsWithContext ends a step before it begins and while it runs: the cause comes back and no parameter
// has changed.
func TestEndsWithContext(t *testing.T) {
	t.Parallel()
	m := enginetest.Micro(t)
	e := open(t, m)
	b := enginetest.Noise(t, m, both, 4)[0]
	before := enginetest.Clone(e.Parameters())
	cause := errors.New("enough")
	for _, nodes := range []int{0, 1, 100} {
		ctx := endsAfter(t, nodes, cause)
		if _, err := e.Step(ctx, b, engine.Update{LearningRate: 1}); !errors.Is(err, cause) {
			t.Errorf("ended after %d nodes: %v, want the cause", nodes, err)
		}
		if _, err := e.Forward(endsAfter(t, nodes, cause), b.Size, b.Inputs); !errors.Is(err, cause) {
			t.Errorf("forward pass ended after %d nodes: %v, want the cause", nodes, err)
		}
	}
	for i, p := range e.Parameters() {
		if !slices.Equal(p.Value, before[i].Value) || !slices.Equal(p.Momentum, before[i].Momentum) {
			t.Errorf("%s changed", p.Name)
		}
	}
}

// countedContext ends once it has been asked that often.
type countedContext struct {
	context.Context
	cancel context.CancelCauseFunc
	cause  error
	left   int
}

func endsAfter(t *testing.T, questions int, cause error) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	return &countedContext{ctx, cancel, cause, questions}
}

func (c *countedContext) Err() error {
	if c.left--; c.left < 0 {
		c.cancel(c.cause)
	}
	return c.Context.Err()
}

// TestRefuses gives errors, not panics, for what cannot be.
func TestRefuses(t *testing.T) {
	t.Parallel()
	m := enginetest.Micro(t)
	e := open(t, m)
	for name, spoil := range map[string]func(*engine.Batch){
		"label":  func(b *engine.Batch) { b.Labels = slices.Repeat([]int64{99}, b.Size) },
		"inputs": func(b *engine.Batch) { b.Inputs = b.Inputs[1:] },
		"maps":   func(b *engine.Batch) { b.Edited = nil },
		"empty":  func(b *engine.Batch) { *b = engine.Batch{} },
	} {
		b := enginetest.Noise(t, m, both, 4)[0]
		spoil(&b)
		if _, err := e.Step(context.Background(), b, engine.Update{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := e.Load([]engine.Parameter{{Name: "conv1.weight", Value: []float32{1}}}); err == nil {
		t.Error("loading a parameter that is not trained: no error")
	}
	if _, err := e.Forward(context.Background(), 2, make([]float32, 7)); err == nil {
		t.Error("forward pass of too few values: no error")
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := e.Step(context.Background(), enginetest.Noise(t, m, both, 4)[0], engine.Update{}); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a step after Close: %v", err)
	}
}

// TestLacks names every node that the engine does not have, before it is opened and when it is.
func TestLacks(t *testing.T) {
	t.Parallel()
	m := enginetest.Micro(t)
	if reasons, err := Lacks(t.Context(), enginetest.Split(t, m), both); err != nil || len(reasons) > 0 {
		t.Errorf("residual network: %v, %v", reasons, err)
	}
	var want []string
	for _, n := range m.Graph.Nodes {
		if strings.HasPrefix(n.Name, "/layer4.") && n.Op == "Relu" { // Gorgonia's tanh would do, but there is no such rule
			n.Op, want = "Softsign", append(want, n.Name)
		}
	}
	abn := enginetest.Split(t, m)
	reasons, err := Lacks(t.Context(), abn, both)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range reasons {
		got = append(got, r.Node)
		if r.Op != "Softsign" || r.Why == "" {
			t.Errorf("%+v, want Softsign and why", r)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("lacks %v, want %v", got, want)
	}
	if _, err := New(t.Context(), abn, both); !errors.Is(err, gradient.ErrUnsupported) {
		t.Errorf("opening it: %v", err)
	}
}

// TestLacksForms names forms of operators that it has in others.
func TestLacksForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		operatorCase
		want string
	}{
		{operatorCase{op: "Dropout", shapes: [][]int64{{2, 3}}, constants: []*onnx.Tensor{scalar(0.5), {Type: onnx.Bool, Raw: []byte{1}}}}, "training mode"},
		{operatorCase{op: "Conv", shapes: [][]int64{{1, 2, 7}, {3, 2, 3}}}, "two axes"},
		{operatorCase{op: "Pad", shapes: [][]int64{{2, 3}}, constants: []*onnx.Tensor{ints(0, 1, 0, 1)}, attributes: []*onnx.Attribute{onnx.StrAttr("mode", "reflect")}}, "reflect"},
		{operatorCase{op: "MatMul", shapes: [][]int64{{2, 3, 4}, {1, 4, 5}}}, "not broadcast"},
	} {
		r := c.build(t)
		inferred, err := onnx.Infer(t.Context(), r.source.Model, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := &builder{ctx: t.Context(), graph: gorgonia.NewGraph(), inferred: inferred, index: r.source.Model.Graph.Index(), values: map[string]*gorgonia.Node{}, maker: map[int64]*onnx.Node{}}
		if _, err := b.node("y0"); err != nil {
			t.Errorf("%s: %v", c.op, err)
		}
		if reasons := b.reasons(); len(reasons) != 1 || !strings.Contains(reasons[0].Why, c.want) {
			t.Errorf("%s: reasons %v, want one about %q", c.op, reasons, c.want)
		}
	}
}

// TestResumes loads an engine's state into another after two steps: both go on alike, to the bit.
func TestResumes(t *testing.T) {
	t.Parallel()
	m := enginetest.Micro(t)
	first, second := open(t, m), open(t, m)
	batches := enginetest.Noise(t, m, both, 4, 4, 3)
	u := engine.Update{LearningRate: 0.05, Momentum: 0.9}
	for _, b := range batches[:2] {
		if _, err := first.Step(context.Background(), b, u); err != nil {
			t.Fatal(err)
		}
	}
	if err := second.Load(enginetest.Clone(first.Parameters())); err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		x, err := first.Step(context.Background(), b, u)
		if err != nil {
			t.Fatal(err)
		}
		y, err := second.Step(context.Background(), b, u)
		if err != nil || x != y {
			t.Errorf("%+v and %+v, %v", x, y, err)
		}
	}
	for i, p := range first.Parameters() {
		if q := second.Parameters()[i]; !slices.Equal(p.Value, q.Value) || !slices.Equal(p.Momentum, q.Momentum) {
			t.Errorf("%s differs", p.Name)
		}
	}
}

// TestKeepsNoSteps takes steps of many sizes: what stays in memory does not grow with their number. Not
// parallel, since it looks at the whole program's memory.
func TestKeepsNoSteps(t *testing.T) {
	m := enginetest.Micro(t)
	e := open(t, m)
	batches := enginetest.Noise(t, m, both, 8, 2, 3, 4, 5, 6, 7, 8, 9)
	held := func() uint64 {
		for _, b := range batches {
			if _, err := e.Step(context.Background(), b, engine.Update{LearningRate: 1e-3}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.Forward(context.Background(), b.Size, b.Inputs); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		runtime.GC() // the first only marks what finalizers hold
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	held()
	before := held()
	for range 8 {
		held()
	}
	if after := held(); after > before+before/10+1<<20 {
		t.Errorf("%d bytes stay in use, %d before 64 steps", after, before)
	}
}
