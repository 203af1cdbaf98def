package activation

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// Help makes the graph of what would help a class: ∂ log p_k / ∂ M, with p the softmax of the perception branch's logits. Above 0 the
// class is more probable with more attention in the cell, below 0 with less. The error is ErrValue if the logits do not depend on the
// map, and a *gradient.UnsupportedError if an operator has no derivative.
func Help(ctx context.Context, abn *onnx.ABN) (*Graph, error) {
	b, err := newBranch(ctx, abn, Perception)
	if err != nil {
		return nil, err
	}
	const value = onnx.PortMap
	if why := b.unfit(value); why != "" {
		return nil, fmt.Errorf("what would help in the %s branch: the map is %w: %s", Perception, ErrValue, why)
	}
	class := b.classInput()
	logs := b.Node("LogSoftmax", []string{b.logits}, onnx.IntAttr("axis", 1))
	// As in GradCAM, the derivative of the sum over a batch is each image's own.
	score := b.Node("ReduceSum", []string{b.Node("Mul", []string{logs, b.chosen(class)})}, onnx.IntAttr("keepdims", 0))
	derivatives, err := gradient.Append(ctx, b.model, score, []string{value})
	if err != nil {
		return nil, fmt.Errorf("what would help in the %s branch: %w", Perception, err)
	}
	return b.graph(class, derivatives[value], value), nil
}
