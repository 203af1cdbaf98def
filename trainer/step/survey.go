package step

import (
	"context"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// survey is an index of a graph for the passes that rewrite it. It does not follow later changes.
type survey struct {
	*onnx.Inferred
	*onnx.Index
	graph   *onnx.Graph
	outputs map[string]bool // of the graph
}

func surveyOf(ctx context.Context, m *onnx.Model) (*survey, error) {
	inferred, err := onnx.Infer(ctx, m, nil)
	if err != nil {
		return nil, err
	}
	s := &survey{Inferred: inferred, Index: m.Graph.Index(), graph: m.Graph, outputs: map[string]bool{}}
	for _, v := range m.Graph.Outputs {
		s.outputs[v.Name] = true
	}
	return s, nil
}

// onlyReader is the only node that reads a value; nil if there are several, or if the value is an output of the graph.
func (s *survey) onlyReader(value string) *onnx.Node {
	if readers := s.Consumers[value]; len(readers) == 1 && !s.outputs[value] {
		return readers[0]
	}
	return nil
}

// declare adds the shape of a value that the runtime cannot infer.
func (s *survey) declare(value string, shape onnx.Shape) {
	s.graph.ValueInfo = append(s.graph.ValueInfo, onnx.NewValue(value, onnx.Float, shape))
}

// isBlocked reports whether n is an operator of package blocked, or stands for one.
func isBlocked(n *onnx.Node, op string) bool {
	return n != nil && n.Domain == gradient.BlockedDomain && n.Op == op
}
