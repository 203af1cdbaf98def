package trainer

import (
	"context"
	"errors"
	"fmt"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
)

// evaluation is the forward pass of what is being trained, with running statistics. It reads the
// parameters from the buffers that training writes, and is opened when first used.
type evaluation struct {
	source     stepSource
	parameters []engine.Parameter
	inputDims  []int64
	target     target
	session    *ort.Session
	fixed      []*ort.Tensor
}

func newEvaluation(source stepSource, parameters []engine.Parameter, inputDims []int64, t target) *evaluation {
	return &evaluation{source: source, parameters: parameters, inputDims: inputDims, target: t}
}

// passes are the way from the network's graph to its forward pass, in their order.
func (v *evaluation) passes() []pass {
	return append([]pass{{"evaluate", v.evaluate}, {"raise", raise}, {"simplify", simplify}}, v.target.blockPasses()...)
}

// evaluate makes the parameters inputs, the answers and the map outputs, and BatchNormalizations use the running statistics.
func (v *evaluation) evaluate(_ context.Context, m *onnx.Model) error {
	g := m.Graph
	g.ValueInfo = nil
	symbolicBatch(g, v.source.input)
	for _, n := range g.Nodes {
		if n.IsOp("BatchNormalization") {
			setTraining(n, false)
		}
	}
	feedInitializers(g, v.names())
	g.Outputs = nil
	for _, name := range v.outputs() {
		g.Outputs = append(g.Outputs, onnx.NewValue(name, onnx.Float, nil))
	}
	// From IR version 4 on a weight that is an input need not be an initializer too.
	m.IRVersion = max(m.IRVersion, 4)
	return nil
}

// names are the parameters'.
func (v *evaluation) names() []string {
	names := make([]string, len(v.parameters))
	for i, p := range v.parameters {
		names[i] = p.Name
	}
	return names
}

// outputs are what a pass gives.
func (v *evaluation) outputs() []string {
	return []string{v.source.logitsAtt, v.source.logitsPer, v.source.attention}
}

func (v *evaluation) open(ctx context.Context) error {
	model := v.source.model.Clone()
	if err := rewrite(ctx, model, v.passes(), nil); err != nil {
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
	v.session, err = ort.Open(data, append([]string{v.source.input}, v.names()...), v.outputs(),
		ort.Options{Name: "forward pass", IntraOpThreads: v.target.threads, NoMemoryPattern: true, BlockedDomain: v.target.domain()}) // as the training step's
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
	// The tensors' memory is Go's and outlives them.
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
