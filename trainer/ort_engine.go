package trainer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
)

// ORTOptions tune an engine on ONNX Runtime. The zero value is right for training.
type ORTOptions struct {
	Threads       int    // of one operator; 0: one per core
	ProfilePrefix string // if not "", Close writes PREFIX_<time>.json with the time of every node
	// Portable keeps the step to standard operators, as it is on processors and providers without the runtime's blocked
	// convolutions (see layOut).
	Portable bool

	plainStatistics bool // as on providers other than the CPU
}

// ortEngine is Engine on ONNX Runtime: one graph computes losses and gradients, a loop in Go updates
// the parameters in the very buffers that the graph reads them from.
type ortEngine struct {
	step       *stepGraph
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

// NewORTEngine compiles the training step of an ABN on ONNX Runtime: of its branches on features, or
// under StrategyScratch of the whole network on pixels. Parameters start at the file's values. A
// network that cannot be trained gives a *gradient.UnsupportedError; Untrainable finds that out sooner.
func NewORTEngine(ctx context.Context, abn *onnx.ABN, s recipe.Settings, o ORTOptions) (engine.Engine, error) {
	return openORTEngine(ctx, sourceOf(abn, s.Strategy), s, o)
}

// openORTEngine compiles the step of a network and opens it. parameters that are trained start at the
// file's values.
func openORTEngine(ctx context.Context, source stepSource, s recipe.Settings, o ORTOptions) (_ *ortEngine, err error) {
	t := o.target()
	step, err := buildStep(ctx, source, s, t)
	if err != nil {
		return nil, fmt.Errorf("compiling the training step: %w", err)
	}
	e := &ortEngine{step: step, settings: s}
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
	e.evaluation = newEvaluation(source, e.parameters, step.sizes.Input, t)
	return e, nil
}

// takeParameters copies what is trained out of the file into buffers of its own.
func (e *ortEngine) takeParameters(source stepSource, s recipe.Settings) error {
	list, byName, err := source.readParameters(e.step.weights, e.step.statistics, s)
	if err != nil {
		return err
	}
	e.parameters = list
	for _, name := range e.step.weights {
		e.weights = append(e.weights, byName[name])
	}
	for _, s := range e.step.statistics {
		channels := len(byName[s.mean].Value)
		e.statistics = append(e.statistics, engine.Statistics{
			RunningMean: byName[s.mean].Value, RunningVariance: byName[s.variance].Value,
			Mean: make([]float32, channels), Variance: make([]float32, channels), Spatial: int(s.spatial),
		})
	}
	return nil
}

// target is what the step is written for: what the runtime runs, where there is one yet.
func (o ORTOptions) target() target {
	provider, err := ort.Active()
	t := target{threads: o.Threads, plainStatistics: o.plainStatistics || err == nil && !provider.IsCPU()}
	if !o.Portable && !o.plainStatistics {
		t.block = blockSize()
	}
	return t
}

// openStep opens the session and makes the tensors that stay from step to step.
func (e *ortEngine) openStep(o ORTOptions, t target) error {
	data, err := e.step.model.Marshal()
	if err != nil {
		return err
	}
	var inputs []string
	for _, v := range e.step.model.Graph.Inputs {
		inputs = append(inputs, v.Name)
	}
	e.session, err = ort.Open(data, inputs, e.step.outputs(), ort.Options{
		Name: "training step", IntraOpThreads: o.Threads, ProfilePrefix: o.ProfilePrefix,
		// A pattern is planned from the first run and then allocated in one piece beside what that run left behind:
		// nearly twice the memory, and no faster.
		NoMemoryPattern: true,
		BlockedDomain:   t.domain(),
		// Work is handed to threads in shrinking pieces rather than in equal ones, which all wait for the thread that
		// was interrupted.
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
	e.outputs = make([]*ort.Tensor, outputGradients, len(e.step.outputs()))
	for _, i := range []int{outputLossAtt, outputLossPer, outputMapDistance} {
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
		if err := keep(gradient, e.step.gradientDims[i]...); err != nil {
			return err
		}
	}
	for _, s := range e.statistics {
		if err := errors.Join(keep(s.Mean, int64(len(s.Mean))), keep(s.Variance, int64(len(s.Variance)))); err != nil {
			return err
		}
	}
	if e.step.anchored {
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

// Step implements Engine.
func (e *ortEngine) Step(ctx context.Context, b engine.Batch, u engine.Update) (engine.StepResult, error) {
	if e.session == nil {
		return engine.StepResult{}, errors.New("training step: the engine is closed")
	}
	if err := b.Check(e.step.sizes.Input, e.step.sizes.Map, e.step.sizes.Classes); err != nil {
		return engine.StepResult{}, fmt.Errorf("training step: %w", err)
	}
	inputs, release, err := e.batchTensors(b)
	defer release()
	if err != nil {
		return engine.StepResult{}, fmt.Errorf("training step: %w", err)
	}
	defer func() { // their shape follows the batch
		for _, i := range []int{outputLogitsAtt, outputLogitsPer} {
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
	if !engine.Finite(result.GradNorm) { // no weight has changed: the caller ends the run
		return result, nil
	}
	for _, s := range e.statistics {
		engine.Follow(s.RunningMean, s.RunningVariance, s.Mean, s.Variance, b.Size*s.Spatial)
	}
	return result, nil
}

// batchTensors makes the batch's tensors, in the order of the graph's inputs. release is never nil.
func (e *ortEngine) batchTensors(b engine.Batch) (tensors []*ort.Tensor, release func(), err error) {
	release = func() {
		for _, t := range tensors {
			_ = t.Close()
		}
	}
	n, cells := int64(b.Size), int(e.step.sizes.Cells())
	e.edited = append(e.edited[:0], b.Edited...)
	for i, has := range b.HasEdit {
		if has == 0 && !(e.step.anchored && b.Anchored != nil && b.Anchored[i] != 0) { // whatever stands there, NaN too, is not looked at
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
	add(ort.Float32s(b.Inputs, append([]int64{n}, e.step.sizes.Input...)...))
	add(ort.Int64s(b.Labels, n))
	add(ort.Float32s(e.edited, n, int64(cells)))
	add(ort.Float32s(b.HasEdit, n))
	if e.step.anchored {
		anchored := b.Anchored
		if anchored == nil {
			anchored = make([]float32, n)
		}
		add(ort.Float32s(anchored, n))
	}
	return tensors, release, err
}

func (e *ortEngine) result(b engine.Batch) engine.StepResult {
	first := func(i int) float64 { return float64(e.outputs[i].Float32()[0]) }
	r := engine.StepResult{
		LossAtt: first(outputLossAtt), LossPer: first(outputLossPer), MapDistance: first(outputMapDistance),
		HitsAtt: engine.Hits(e.outputs[outputLogitsAtt].Float32(), b.Labels),
		HitsPer: engine.Hits(e.outputs[outputLogitsPer].Float32(), b.Labels),
	}
	r.LossMap = e.settings.Gamma * r.MapDistance
	if e.step.anchored {
		r.LossAnchor = e.settings.Anchor * first(len(e.outputs)-1)
	}
	return r
}

// Forward implements Engine.
func (e *ortEngine) Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	if e.session == nil {
		return engine.Outputs{}, errors.New("forward pass: the engine is closed")
	}
	return e.evaluation.run(ctx, n, inputs)
}

// Parameters implements Engine.
func (e *ortEngine) Parameters() []engine.Parameter { return slices.Clone(e.parameters) }

// Load implements Engine.
func (e *ortEngine) Load(parameters []engine.Parameter) error {
	return engine.Load(e.parameters, parameters)
}

// Close implements Engine. Closing twice does nothing.
func (e *ortEngine) Close() error {
	for _, t := range slices.Concat(e.fixedInputs, e.outputs) {
		_ = t.Close()
	}
	e.fixedInputs, e.outputs = nil, nil
	err := errors.Join(e.session.Close(), e.evaluation.close())
	e.session = nil
	return err
}
