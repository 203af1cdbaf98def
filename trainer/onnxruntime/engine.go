package onnxruntime

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/step"
)

// Options tune an engine on ONNX Runtime. The zero value is right for training.
type Options struct {
	Threads       int    // of one operator; 0: one per core
	ProfilePrefix string // if not "", Close writes PREFIX_<time>.json with the time of every node
	// Portable uses standard operators only, as on processors and providers without the runtime's blocked convolutions (see
	// BlockSize).
	Portable bool

	plainStatistics bool // as on providers other than the CPU
}

// Engine is an engine.Engine on ONNX Runtime: one graph computes losses and gradients, a loop in Go updates
// the parameters in the very buffers that the graph reads them from.
type Engine struct {
	graph      *step.Graph
	settings   recipe.Settings
	session    *ort.Session
	evaluation *evaluation

	parameters []engine.Parameter // weights and running statistics, in the file's order
	weights    []engine.Parameter // the trained ones, in the step graph's order
	gradients  [][]float32
	statistics []engine.Statistics

	fixedInputs []*ort.Tensor // the weights
	outputs     []*ort.Tensor // losses, logits, gradients, statistics; logits are nil between steps
	edited      []float32     // [N, h·w], zeros where a row has no edit
}

// New compiles the training step of an ABN on ONNX Runtime: of its branches on features, or under StrategyScratch of the whole
// network on pixels. Parameters start at the file's values. If the network cannot be trained, the error is a
// *gradient.UnsupportedError; step.Untrainable says so without a runtime.
func New(ctx context.Context, abn *onnx.ABN, s recipe.Settings, o Options) (_ *Engine, err error) {
	source, t := step.SourceOf(abn, s.Strategy), o.target()
	graph, err := step.Build(ctx, source, s, t)
	if err != nil {
		return nil, fmt.Errorf("compiling the training step: %w", err)
	}
	e := &Engine{graph: graph, settings: s}
	defer func() {
		if err != nil {
			_ = e.Close()
		}
	}()
	if err = e.takeParameters(source, s); err != nil {
		return nil, err
	}
	if err = e.openStep(o, t); err != nil {
		return nil, fmt.Errorf("opening the training step: %w", err)
	}
	e.evaluation = newEvaluation(source, e.parameters, graph.Sizes.Input, t)
	return e, nil
}

// takeParameters copies what is trained out of the file into buffers of its own.
func (e *Engine) takeParameters(source step.Source, s recipe.Settings) error {
	list, byName, err := source.Parameters(e.graph.Weights, e.graph.Statistics, s)
	if err != nil {
		return err
	}
	e.parameters = list
	for _, name := range e.graph.Weights {
		e.weights = append(e.weights, byName[name])
	}
	for _, s := range e.graph.Statistics {
		channels := len(byName[s.Mean].Value)
		e.statistics = append(e.statistics, engine.Statistics{
			RunningMean: byName[s.Mean].Value, RunningVariance: byName[s.Variance].Value,
			Mean: make([]float32, channels), Variance: make([]float32, channels), Spatial: int(s.Spatial),
		})
	}
	return nil
}

// target is what the step is written for: the operators that this machine's runtime has.
func (o Options) target() step.Target {
	provider, err := ort.Active()
	t := step.Target{Threads: o.Threads, PlainStatistics: o.plainStatistics || err == nil && !provider.IsCPU()}
	if !o.Portable && !o.plainStatistics {
		t.Block = BlockSize()
	}
	return t
}

// openStep opens the session and makes the tensors that stay from step to step.
func (e *Engine) openStep(o Options, t step.Target) error {
	data, err := e.graph.Model.Marshal()
	if err != nil {
		return err
	}
	var inputs []string
	for _, v := range e.graph.Model.Graph.Inputs {
		inputs = append(inputs, v.Name)
	}
	e.session, err = ort.Open(data, inputs, e.graph.Outputs(), ort.Options{
		Name: "training step", IntraOpThreads: o.Threads, ProfilePrefix: o.ProfilePrefix,
		// The runtime would plan a memory pattern in the first run and then allocate it in one piece, beside the memory of that
		// run: nearly twice the memory, and no faster.
		NoMemoryPattern: true,
		BlockedDomain:   t.Domain(),
		// Threads get work in pieces of decreasing size. With equal pieces all would wait for a thread that was interrupted.
		Config: map[string]string{"session.dynamic_block_base": "4"},
	})
	if err != nil {
		return err
	}
	for _, p := range e.weights {
		t, err := parameterTensor(p)
		if err != nil {
			return err
		}
		e.fixedInputs = append(e.fixedInputs, t)
	}
	e.outputs = make([]*ort.Tensor, step.OutputGradients, len(e.graph.Outputs()))
	for _, i := range []int{step.OutputLossAtt, step.OutputLossPer, step.OutputMapDistance, step.OutputAvoidance} {
		if e.outputs[i], err = ort.Float32s(make([]float32, 1), 1); err != nil {
			return err
		}
	}
	keep := func(data []float32, dims ...int64) error {
		t, err := ort.Float32s(data, dims...)
		e.outputs = append(e.outputs, t)
		return err
	}
	for i, p := range e.weights {
		gradient := make([]float32, len(p.Value))
		e.gradients = append(e.gradients, gradient)
		if err := keep(gradient, e.graph.GradientDims[i]...); err != nil {
			return err
		}
	}
	for _, s := range e.statistics {
		if err := errors.Join(keep(s.Mean, int64(len(s.Mean))), keep(s.Variance, int64(len(s.Variance)))); err != nil {
			return err
		}
	}
	if e.graph.Anchored {
		return keep(make([]float32, 1), 1)
	}
	return nil
}

// parameterTensor is a parameter's value as the runtime sees it.
func parameterTensor(p engine.Parameter) (*ort.Tensor, error) {
	t, err := ort.Float32s(p.Value, p.Dims...)
	if err != nil {
		return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
	}
	return t, nil
}

// Step implements engine.Engine.
func (e *Engine) Step(ctx context.Context, b engine.Batch, u engine.Update) (engine.StepResult, error) {
	if e.session == nil {
		return engine.StepResult{}, errors.New("training step: the engine is closed")
	}
	if err := b.Check(e.graph.Sizes.Input, e.graph.Sizes.Map, e.graph.Sizes.Classes); err != nil {
		return engine.StepResult{}, fmt.Errorf("training step: %w", err)
	}
	inputs, release, err := e.batchTensors(b)
	defer release()
	if err != nil {
		return engine.StepResult{}, fmt.Errorf("training step: %w", err)
	}
	defer func() { // their shape depends on the batch
		for _, i := range []int{step.OutputLogitsAtt, step.OutputLogitsPer} {
			_ = e.outputs[i].Close()
			e.outputs[i] = nil
		}
	}()
	if err := e.session.Run(ctx, append(inputs, e.fixedInputs...), e.outputs); err != nil {
		if ctx.Err() != nil {
			return engine.StepResult{}, context.Cause(ctx)
		}
		return engine.StepResult{}, err
	}
	if ctx.Err() != nil {
		return engine.StepResult{}, context.Cause(ctx)
	}
	result := e.result(b)
	if result.GradNorm, err = engine.Apply(e.weights, e.gradients, u); err != nil {
		return engine.StepResult{}, fmt.Errorf("training step: %w", err)
	}
	if !engine.Finite(result.GradNorm) { // no weight has changed, and the caller ends the run
		return result, nil
	}
	for _, s := range e.statistics {
		engine.Follow(s.RunningMean, s.RunningVariance, s.Mean, s.Variance, b.Size*s.Spatial)
	}
	return result, nil
}

// batchTensors makes the batch's tensors, in the order of the graph's inputs. release is never nil.
func (e *Engine) batchTensors(b engine.Batch) (tensors []*ort.Tensor, release func(), err error) {
	release = func() {
		for _, t := range tensors {
			_ = t.Close()
		}
	}
	n, cells := int64(b.Size), int(e.graph.Sizes.Cells())
	e.edited = append(e.edited[:0], b.Edited...)
	for i, has := range b.HasEdit {
		if has == 0 && !(e.graph.Anchored && b.Anchored != nil && b.Anchored[i] != 0) { // the map is not read, and may hold NaN
			clear(e.edited[i*cells : (i+1)*cells])
		}
	}
	add := func(t *ort.Tensor, problem error) {
		if problem != nil {
			err = errors.Join(err, problem)
			return
		}
		tensors = append(tensors, t)
	}
	add(ort.Float32s(b.Inputs, append([]int64{n}, e.graph.Sizes.Input...)...))
	add(ort.Int64s(b.Labels, n))
	add(ort.Float32s(e.edited, n, int64(cells)))
	known, avoided := b.Marks()
	add(ort.Float32s(known, n, int64(cells)))
	add(ort.Float32s(avoided, n, int64(cells)))
	add(ort.Float32s(b.HasEdit, n))
	if e.graph.Weighted {
		add(ort.Float32s(b.RowWeights(), n))
	}
	if e.graph.Anchored {
		anchored := b.Anchored
		if anchored == nil {
			anchored = make([]float32, n)
		}
		add(ort.Float32s(anchored, n))
	}
	return tensors, release, err
}

func (e *Engine) result(b engine.Batch) engine.StepResult {
	first := func(i int) float64 { return float64(e.outputs[i].Float32()[0]) }
	r := engine.StepResult{
		LossAtt: first(step.OutputLossAtt), LossPer: first(step.OutputLossPer), MapDistance: first(step.OutputMapDistance),
		Avoidance: first(step.OutputAvoidance),
		HitsAtt:   engine.Hits(e.outputs[step.OutputLogitsAtt].Float32(), b.Labels),
		HitsPer:   engine.Hits(e.outputs[step.OutputLogitsPer].Float32(), b.Labels),
	}
	r.LossMap = e.settings.Gamma*r.MapDistance + e.settings.GammaAvoid*r.Avoidance
	if e.graph.Anchored {
		r.LossAnchor = e.settings.Anchor * first(len(e.outputs)-1)
	}
	return r
}

// Forward implements engine.Engine.
func (e *Engine) Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	if e.session == nil {
		return engine.Outputs{}, errors.New("forward pass: the engine is closed")
	}
	return e.evaluation.run(ctx, n, inputs)
}

// Parameters implements engine.Engine.
func (e *Engine) Parameters() []engine.Parameter { return slices.Clone(e.parameters) }

// Load implements engine.Engine.
func (e *Engine) Load(parameters []engine.Parameter) error {
	return engine.Load(e.parameters, parameters)
}

// Close implements engine.Engine. Closing twice does nothing.
func (e *Engine) Close() error {
	for _, t := range slices.Concat(e.fixedInputs, e.outputs) {
		_ = t.Close()
	}
	e.fixedInputs, e.outputs = nil, nil
	err := errors.Join(e.session.Close(), e.evaluation.close())
	e.session = nil
	return err
}
