package gorgonia

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/step"
)

// Engine is an engine.Engine on Gorgonia: the network's nodes built from Gorgonia's and a few of ours, gradients by
// Gorgonia's reverse-mode differentiation, the update shared with the other engine. A Gorgonia graph has one batch
// size, so there is a program for each that occurs.
type Engine struct {
	network    *network
	parameters []engine.Parameter // weights and running statistics, in the file's order
	weights    []engine.Parameter // the trained ones
	statistics []engine.Statistics
	buffers    map[string][]float32 // values of parameters, by name

	steps    map[int]*stepProgram
	forwards map[int]*forward
	closed   bool
}

// maxPrograms bounds the batch sizes whose graphs are kept: a run has two, its evaluations two more.
const maxPrograms = 4

// forward evaluates one batch size.
type forward struct {
	input   *G.Node
	program *program
}

// New compiles the training step of an ABN on Gorgonia: of its branches on features, or under StrategyScratch of the whole
// network on pixels. No runtime library is needed. Parameters start at the file's values. If the engine lacks operators of the
// network, the error is a *gradient.UnsupportedError; Lacks says so without compiling.
func New(ctx context.Context, abn *onnx.ABN, s recipe.Settings) (*Engine, error) {
	network, err := newNetwork(ctx, step.SourceOf(abn, s.Strategy), s)
	if err != nil {
		return nil, fmt.Errorf("compiling the training step: %w", err)
	}
	e := &Engine{network: network, buffers: map[string][]float32{}, steps: map[int]*stepProgram{}, forwards: map[int]*forward{}}
	if err := e.takeParameters(s); err != nil {
		return nil, err
	}
	// Two rows if the settings have no batch size, since an operator may drop a batch axis of size 1.
	if _, err := e.step(ctx, cmp.Or(s.BatchSize, 2)); err != nil {
		return nil, fmt.Errorf("compiling the training step: %w", err)
	}
	return e, nil
}

// Lacks lists, with reasons, the nodes that keep the engine from training an ABN with these settings; none if it can. No step is
// run.
func Lacks(ctx context.Context, abn *onnx.ABN, s recipe.Settings) ([]gradient.Reason, error) {
	network, err := newNetwork(ctx, step.SourceOf(abn, s.Strategy), s)
	if err == nil {
		var b *builder
		// Two rows, since an operator may drop a batch axis of size 1.
		if b, err = newBuilder(ctx, network.source, network.Sizes.Input, 2, nil); err == nil {
			_, err = buildStep(b, network, 2)
		}
	}
	var unsupported *gradient.UnsupportedError
	if errors.As(err, &unsupported) {
		return unsupported.Reasons, nil
	}
	return nil, err
}

// takeParameters copies what is trained out of the file.
func (e *Engine) takeParameters(s recipe.Settings) error {
	list, byName, err := e.network.source.Parameters(e.network.Weights, e.network.Statistics, s)
	if err != nil {
		return err
	}
	e.parameters = list
	for _, p := range list {
		e.buffers[p.Name] = p.Value
	}
	for _, name := range e.network.Weights {
		e.weights = append(e.weights, byName[name])
	}
	for _, s := range e.network.Statistics {
		e.statistics = append(e.statistics, engine.Statistics{
			RunningMean: e.buffers[s.Mean], RunningVariance: e.buffers[s.Variance], Spatial: int(s.Spatial),
		})
	}
	return nil
}

// step is the program for a batch of n.
func (e *Engine) step(ctx context.Context, n int) (*stepProgram, error) {
	if p := e.steps[n]; p != nil {
		return p, nil
	}
	b, err := newBuilder(ctx, e.network.source, e.network.Sizes.Input, n, e.buffers)
	if err != nil {
		return nil, err
	}
	p, err := buildStep(b, e.network, n)
	if err != nil {
		return nil, err
	}
	if len(e.steps) >= maxPrograms {
		clear(e.steps)
	}
	e.steps[n] = p
	return p, nil
}

// Step implements engine.Engine.
func (e *Engine) Step(ctx context.Context, b engine.Batch, u engine.Update) (engine.StepResult, error) {
	if e.closed {
		return engine.StepResult{}, errors.New("training step: the engine is closed")
	}
	if err := b.Check(e.network.Sizes.Input, e.network.Sizes.Map, e.network.Sizes.Classes); err != nil {
		return engine.StepResult{}, fmt.Errorf("training step: %w", err)
	}
	if ctx.Err() != nil {
		return engine.StepResult{}, context.Cause(ctx)
	}
	program, err := e.step(ctx, b.Size)
	if err != nil {
		return engine.StepResult{}, fmt.Errorf("compiling the training step for a batch of %d: %w", b.Size, err)
	}
	rows := e.network.rows(b)
	out, err := program.run(ctx, b, rows)
	if err != nil {
		if ctx.Err() != nil {
			return engine.StepResult{}, context.Cause(ctx)
		}
		return engine.StepResult{}, fmt.Errorf("training step: %w", err)
	}
	result := e.network.result(b, rows, out)
	gradients := out[placeGradients:][:program.weights]
	if result.GradNorm, err = engine.Apply(e.weights, gradients, u); err != nil {
		return engine.StepResult{}, fmt.Errorf("training step: %w", err)
	}
	if !engine.Finite(result.GradNorm) { // no weight has changed, and the caller ends the run
		return result, nil
	}
	statistics := out[placeGradients+program.weights:]
	for i, s := range e.statistics {
		engine.Follow(s.RunningMean, s.RunningVariance, statistics[2*i], statistics[2*i+1], b.Size*s.Spatial)
	}
	return result, nil
}

// Forward implements engine.Engine.
func (e *Engine) Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	if e.closed {
		return engine.Outputs{}, errors.New("forward pass: the engine is closed")
	}
	if size := e.network.inputSize(); n < 1 || len(inputs) != n*size {
		return engine.Outputs{}, fmt.Errorf("forward pass: %d input values for %d rows of %v", len(inputs), n, e.network.Sizes.Input)
	}
	f := e.forwards[n]
	if f == nil {
		b, err := newBuilder(ctx, e.network.source, e.network.Sizes.Input, n, e.buffers)
		if err != nil {
			return engine.Outputs{}, fmt.Errorf("forward pass: %w", err)
		}
		outputs, err := b.outputs(e.network.source)
		if err != nil {
			return engine.Outputs{}, fmt.Errorf("forward pass: %w", err)
		}
		f = &forward{b.values[e.network.source.Input], newProgram(b.graph, outputs, b.maker)}
		if len(e.forwards) >= maxPrograms {
			clear(e.forwards)
		}
		e.forwards[n] = f
	}
	out, err := f.program.run(ctx, map[*G.Node][]float32{f.input: inputs})
	if err != nil {
		if ctx.Err() != nil {
			return engine.Outputs{}, context.Cause(ctx)
		}
		return engine.Outputs{}, fmt.Errorf("forward pass: %w", err)
	}
	return engine.Outputs{LogitsAtt: out[0], LogitsPer: out[1], Maps: out[2]}, nil
}

// Parameters implements engine.Engine.
func (e *Engine) Parameters() []engine.Parameter { return slices.Clone(e.parameters) }

// Load implements engine.Engine.
func (e *Engine) Load(parameters []engine.Parameter) error {
	return engine.Load(e.parameters, parameters)
}

// Close implements engine.Engine. Closing twice does nothing.
func (e *Engine) Close() error {
	e.closed = true
	e.steps, e.forwards = nil, nil
	return nil
}
