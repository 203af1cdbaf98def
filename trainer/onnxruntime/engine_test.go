package onnxruntime

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// openEngine opens an engine on a network.
func openEngine(t *testing.T, m *onnx.Model, s recipe.Settings) *Engine {
	t.Helper()
	return openEngineWith(t, m, s, Options{Threads: 1})
}

func openEngineWith(t *testing.T, m *onnx.Model, s recipe.Settings, o Options) *Engine {
	t.Helper()
	e, err := New(t.Context(), enginetest.Split(t, m), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// fixtureRun is an engine on a small network, with its training images.
func fixtureRun(t *testing.T, s recipe.Settings) (*Engine, enginetest.Archive) {
	t.Helper()
	dir := fixture.Reference(t)
	name := fixture.ReferenceModels(t)[0]
	b := enginetest.ReadArchive(t, enginetest.OpenArchive(t, filepath.Join(dir, name+".npz")))
	return openEngine(t, enginetest.ReadModel(t, filepath.Join(dir, name+".onnx")), s), b
}

var both = recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2}

func takeStep(t *testing.T, e *Engine, b engine.Batch, rate float64) engine.StepResult {
	t.Helper()
	r, err := e.Step(context.Background(), b, engine.Update{LearningRate: rate, Momentum: 0.9})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOverfitsOneBatch(t *testing.T) {
	t.Parallel()
	e, data := fixtureRun(t, both)
	b := data.Batch(0)
	first := takeStep(t, e, b, 0.02)
	var last engine.StepResult
	for range 80 {
		last = takeStep(t, e, b, 0.02)
	}
	if last.HitsPer != b.Size || last.LossPer > 0.1*first.LossPer {
		t.Errorf("after 80 steps on %d images: %d right, L_per %.3f from %.3f", b.Size, last.HitsPer, last.LossPer, first.LossPer)
	}
	if last.LossAtt > 0.5*first.LossAtt {
		t.Errorf("L_att %.3f from %.3f", last.LossAtt, first.LossAtt)
	}
}

// TestMapsFollowEdits trains each form of L_map, and once with γ = 0, on the same batch.
func TestMapsFollowEdits(t *testing.T) {
	t.Parallel()
	distance := func(form recipe.MapLoss, gamma float64) float64 {
		s := both
		s.Strategy, s.MapLoss, s.Gamma = recipe.StrategyAttention, form, gamma
		e, data := fixtureRun(t, s)
		b := data.Batch(0)
		first, last := takeStep(t, e, b, 0.05), engine.StepResult{}
		for range 40 {
			last = takeStep(t, e, b, 0.05)
		}
		return last.MapDistance / first.MapDistance
	}
	for form, gamma := range map[recipe.MapLoss]float64{recipe.MapLossL2: 2, recipe.MapLossMSE: 20, recipe.MapLossL1: 20} {
		with, without := distance(form, gamma), distance(form, 0)
		if with > 0.7 || with > 0.8*without {
			t.Errorf("%s: distance fell to %.2f of the first with γ %g, to %.2f without", form, with, gamma, without)
		}
	}
}

// TestMapLossForms compares the three forms, and their mean over edited rows only, with their definitions.
func TestMapLossForms(t *testing.T) {
	t.Parallel()
	for _, form := range []recipe.MapLoss{recipe.MapLossL2, recipe.MapLossMSE, recipe.MapLossL1} {
		s := both
		s.MapLoss, s.Gamma, s.BatchNorm = form, 3, recipe.BatchNormFrozen
		e, data := fixtureRun(t, s)
		b := data.Batch(0)
		b.HasEdit, b.Edited = slices.Clone(b.HasEdit), slices.Clone(b.Edited)
		clear(b.HasEdit)
		b.HasEdit[0], b.HasEdit[2] = 1, 1
		cells := len(b.Edited) / b.Size
		b.Edited[cells] = float32(math.NaN()) // row 1 has no edit: what stands there is not looked at
		out, err := e.Forward(context.Background(), b.Size, b.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		for _, row := range []int{0, 2} {
			squares, absolutes := 0.0, 0.0
			for i := row * cells; i < (row+1)*cells; i++ {
				d := float64(out.Maps[i]) - float64(b.Edited[i])
				squares, absolutes = squares+d*d, absolutes+math.Abs(d)
			}
			want += map[recipe.MapLoss]float64{recipe.MapLossL2: math.Sqrt(squares), recipe.MapLossMSE: squares / float64(cells), recipe.MapLossL1: absolutes / float64(cells)}[form] / 2
		}
		r := takeStep(t, e, b, 0)
		if math.Abs(r.MapDistance-want) > 1e-5*want || math.Abs(r.LossMap-3*want) > 3e-5*want {
			t.Errorf("%s: distance %g, L_map %g; want %g and 3 times it", form, r.MapDistance, r.LossMap, want)
		}
		clear(b.HasEdit)
		if r := takeStep(t, e, b, 0); r.LossMap != 0 || math.IsNaN(r.Total()) {
			t.Errorf("%s: without an edit L_map is %g, L %g", form, r.LossMap, r.Total())
		}
	}
}

func TestCancelledStepChangesNothing(t *testing.T) {
	t.Parallel()
	e, data := fixtureRun(t, both)
	before := enginetest.Clone(e.Parameters())
	reason := errors.New("the round was cancelled")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	if _, err := e.Step(ctx, data.Batch(0), engine.Update{LearningRate: 0.1}); !errors.Is(err, reason) {
		t.Errorf("got %v, want the context's cause", err)
	}
	// And when it ends while the runtime is at work: the step is abandoned, or was whole already.
	for range 20 {
		ctx, cancel := context.WithCancelCause(context.Background())
		go cancel(reason)
		_, err := e.Step(ctx, data.Batch(0), engine.Update{LearningRate: 0.1, Momentum: 0.9})
		cancel(nil)
		if err == nil {
			before = enginetest.Clone(e.Parameters())
			continue
		}
		if !errors.Is(err, reason) {
			t.Fatalf("got %v, want the context's cause", err)
		}
		for i, p := range e.Parameters() {
			if !slices.Equal(p.Value, before[i].Value) || !slices.Equal(p.Momentum, before[i].Momentum) {
				t.Fatalf("%s changed in a cancelled step", p.Name)
			}
		}
	}
	// The engine is as good as new.
	if err := e.Load(before); err != nil {
		t.Fatal(err)
	}
	takeStep(t, e, data.Batch(0), 0.01)
}

// TestResumesToTheBit loads a state into a second engine, and takes batches of other sizes.
func TestResumesToTheBit(t *testing.T) {
	t.Parallel()
	first, data := fixtureRun(t, both)
	second, _ := fixtureRun(t, both)
	takeStep(t, first, data.Batch(0), 0.01)
	if err := second.Load(enginetest.Clone(first.Parameters())); err != nil {
		t.Fatal(err)
	}
	b := data.Batch(1)
	short := engine.Batch{Size: 3, Inputs: b.Inputs[:3*len(b.Inputs)/b.Size], Labels: b.Labels[:3], Edited: b.Edited[:3*len(b.Edited)/b.Size], HasEdit: b.HasEdit[:3]}
	for _, b := range []engine.Batch{b, short, data.Batch(2)} {
		if x, y := takeStep(t, first, b, 0.01), takeStep(t, second, b, 0.01); x != y {
			t.Errorf("batch of %d: %+v and %+v", b.Size, x, y)
		}
	}
	for i, p := range first.Parameters() {
		if q := second.Parameters()[i]; !slices.Equal(p.Value, q.Value) {
			t.Errorf("%s differs", p.Name)
		}
	}
}

func TestEngineRefuses(t *testing.T) {
	t.Parallel()
	e, data := fixtureRun(t, both)
	for name, spoil := range map[string]func(*engine.Batch){
		"label":  func(b *engine.Batch) { b.Labels = slices.Repeat([]int64{99}, b.Size) },
		"inputs": func(b *engine.Batch) { b.Inputs = b.Inputs[1:] },
		"maps":   func(b *engine.Batch) { b.Edited = nil },
		"empty":  func(b *engine.Batch) { *b = engine.Batch{} },
	} {
		b := data.Batch(0)
		spoil(&b)
		if _, err := e.Step(context.Background(), b, engine.Update{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := e.Load([]engine.Parameter{{Name: "extractor.0.weight", Value: []float32{1}}}); err == nil {
		t.Error("loading a parameter that is not trained: no error")
	}
	if _, err := e.Forward(context.Background(), 2, data.Features[:7]); err == nil {
		t.Error("forward pass of too few values: no error")
	}
}

// TestScratchTrainsEverything trains a whole network from pixels.
func TestScratchTrainsEverything(t *testing.T) {
	t.Parallel()
	s := both
	s.Strategy = recipe.StrategyScratch
	for _, norm := range []recipe.BatchNorm{recipe.BatchNormFrozen, recipe.BatchNormBatch} {
		s.BatchNorm = norm
		e, data := fixtureRun(t, s)
		parent := enginetest.ReadModel(t, filepath.Join(fixture.Reference(t), fixture.ReferenceModels(t)[0]+".onnx"))
		if norm == recipe.BatchNormBatch && len(e.Parameters()) != len(parent.Graph.Initializers) {
			t.Errorf("%d of %d initializers are trained", len(e.Parameters()), len(parent.Graph.Initializers))
		}
		b := data.Batch(0)
		b.Inputs = data.Image[:len(data.Image)/data.N*b.Size]
		first, last := takeStep(t, e, b, 0.01), engine.StepResult{}
		for range 30 {
			last = takeStep(t, e, b, 0.01)
		}
		if fall := map[recipe.BatchNorm]float64{recipe.BatchNormFrozen: 0.95, recipe.BatchNormBatch: 0.7}[norm]; last.LossPer > fall*first.LossPer {
			t.Errorf("%s: L_per %.3f from %.3f after 30 steps", norm, last.LossPer, first.LossPer)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	m, err := onnx.ReadFile(b.Context(), filepath.Join(fixture.Reference(b), fixture.ReferenceModels(b)[0]+".onnx"))
	if err != nil {
		b.Fatal(err)
	}
	parts, err := onnx.FindParts(b.Context(), m, onnx.PartNames{})
	if err != nil {
		b.Fatal(err)
	}
	abn, err := onnx.Split(b.Context(), m, parts)
	if err != nil {
		b.Fatal(err)
	}
	e, err := New(b.Context(), abn, both, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	const n = 32
	batch := engine.Batch{
		Size: n, Inputs: make([]float32, n*abn.Channels*abn.Height*abn.Width), Labels: make([]int64, n),
		Edited: make([]float32, n*abn.Height*abn.Width), HasEdit: make([]float32, n),
	}
	for b.Loop() {
		if _, err := e.Step(context.Background(), batch, engine.Update{LearningRate: 1e-3}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestWeightsBehindIdentities trains the same network as exporters write it that name equal tensors once.
func TestWeightsBehindIdentities(t *testing.T) {
	t.Parallel()
	plain, data := fixtureRun(t, both)
	m := enginetest.ReadModel(t, filepath.Join(fixture.Reference(t), fixture.ReferenceModels(t)[0]+".onnx"))
	var nodes []*onnx.Node
	for _, initializer := range m.Graph.Initializers {
		name := initializer.Name + "/same"
		nodes = append(nodes, onnx.NewNode("Identity", name, []string{initializer.Name}, []string{name}))
	}
	for _, n := range m.Graph.Nodes {
		for i, input := range n.Inputs {
			if m.Graph.Initializer(input) != nil {
				n.Inputs[i] = input + "/same"
			}
		}
	}
	m.Graph.Nodes = append(nodes, m.Graph.Nodes...)
	hidden := openEngine(t, m, both)
	for k := range 3 {
		x, y := takeStep(t, plain, data.Batch(k), 0.01), takeStep(t, hidden, data.Batch(k), 0.01)
		if math.Abs(x.Total()-y.Total()) > 1e-5 {
			t.Errorf("step %d: %+v, want %+v", k, y, x)
		}
	}
	names := func(e *Engine) (list []string) {
		for _, p := range e.Parameters() {
			list = append(list, p.Name)
		}
		return list
	}
	if got, want := names(hidden), names(plain); !slices.Equal(got, want) {
		t.Errorf("trains %v, want %v", got, want)
	}
}
