package step

import (
	"context"

	"github.com/abn-studio/studio/onnx"
)

// Answers are the outputs of a forward pass: ŷ_att and ŷ_per [N, K], and the map.
func (s Source) Answers() []string {
	return []string{s.LogitsAtt, s.LogitsPer, s.Attention}
}

// Forward is the network's forward pass as a graph for a target, with running statistics. Its inputs are the network's input and
// the parameters, initializers of the network by name; its outputs are the answers. The source's model is not changed.
func (s Source) Forward(ctx context.Context, parameters []string, t Target) (*onnx.Model, error) {
	evaluate := func(_ context.Context, m *onnx.Model) error {
		s.evaluate(m, parameters)
		return nil
	}
	passes := append([]pass{{"evaluate", evaluate}, {"raise", raise}, {"simplify", simplify}}, t.blockPasses()...)
	return rewrite(ctx, s.Model, passes, nil)
}

// evaluate makes the parameters inputs, the answers outputs, and BatchNormalizations use the running statistics.
func (s Source) evaluate(m *onnx.Model, parameters []string) {
	g := m.Graph
	g.ValueInfo = nil
	symbolicBatch(g, s.Input)
	for _, n := range g.Nodes {
		if n.IsOp("BatchNormalization") {
			setTraining(n, false)
		}
	}
	feedInitializers(g, parameters)
	g.Outputs = nil
	for _, name := range s.Answers() {
		g.Outputs = append(g.Outputs, onnx.NewValue(name, onnx.Float, nil))
	}
	// From IR version 4 on a weight that is an input need not be an initializer too.
	m.IRVersion = max(m.IRVersion, 4)
}
