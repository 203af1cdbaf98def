package onnxruntime

import (
	"context"
	"errors"
	"fmt"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/step"
)

// evaluation is the forward pass of what is being trained, with running statistics. It reads the
// parameters from the buffers that training writes, and is opened when first used.
type evaluation struct {
	source     step.Source
	parameters []engine.Parameter
	inputDims  []int64
	target     step.Target
	session    *ort.Session
	fixed      []*ort.Tensor
}

func newEvaluation(source step.Source, parameters []engine.Parameter, inputDims []int64, t step.Target) *evaluation {
	return &evaluation{source: source, parameters: parameters, inputDims: inputDims, target: t}
}

// names are the parameters'.
func (v *evaluation) names() []string {
	names := make([]string, len(v.parameters))
	for i, p := range v.parameters {
		names[i] = p.Name
	}
	return names
}

func (v *evaluation) open(ctx context.Context) error {
	model, err := v.source.Forward(ctx, v.names(), v.target)
	if err != nil {
		return err
	}
	data, err := model.Marshal()
	if err != nil {
		return err
	}
	for _, p := range v.parameters {
		t, err := parameterTensor(p)
		if err != nil {
			return err
		}
		v.fixed = append(v.fixed, t)
	}
	v.session, err = ort.Open(data, append([]string{v.source.Input}, v.names()...), v.source.Answers(),
		ort.Options{Name: "forward pass", IntraOpThreads: v.target.Threads, NoMemoryPattern: true, BlockedDomain: v.target.Domain()}) // as the training step's
	return err
}

// run evaluates inputs [n, C, h, w].
func (v *evaluation) run(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	if size := v.inputDims[0] * v.inputDims[1] * v.inputDims[2]; n < 1 || int64(len(inputs)) != int64(n)*size {
		return engine.Outputs{}, fmt.Errorf("forward pass: %d input values for %d rows of %v", len(inputs), n, v.inputDims)
	}
	if v.session == nil {
		if err := v.open(ctx); err != nil {
			return engine.Outputs{}, errors.Join(fmt.Errorf("opening the forward pass: %w", err), v.close())
		}
	}
	input, err := ort.Float32s(inputs, append([]int64{int64(n)}, v.inputDims...)...)
	if err != nil {
		return engine.Outputs{}, fmt.Errorf("forward pass: %w", err)
	}
	defer input.Close()
	out := make([]*ort.Tensor, 3)
	if err := v.session.Run(ctx, append([]*ort.Tensor{input}, v.fixed...), out); err != nil {
		if ctx.Err() != nil {
			return engine.Outputs{}, context.Cause(ctx)
		}
		return engine.Outputs{}, err
	}
	// The tensors use memory of Go, which outlives them.
	result := engine.Outputs{LogitsAtt: out[0].Float32(), LogitsPer: out[1].Float32(), Maps: out[2].Float32()}
	for _, t := range out {
		_ = t.Close()
	}
	return result, nil
}

func (v *evaluation) close() error {
	if v == nil {
		return nil
	}
	for _, t := range v.fixed {
		_ = t.Close()
	}
	v.fixed = nil
	err := v.session.Close()
	v.session = nil
	return err
}
