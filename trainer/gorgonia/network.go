package gorgonia

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
	"github.com/abn-studio/studio/trainer/step"
)

// network is what is trained, for any batch size: the raised graph and what a strategy changes in it.
type network struct {
	step.Selection
	source   step.Source
	settings recipe.Settings
}

// maxNodes bounds the nodes that are built on Gorgonia: the time it takes over a graph grows with their square. A
// ResNet-152 with both branches has some 600.
const maxNodes = 1 << 11

// newNetwork does not change the source's model.
func newNetwork(ctx context.Context, source step.Source, s recipe.Settings) (*network, error) {
	if n := len(source.Model.Graph.Nodes); n > maxNodes {
		return nil, fmt.Errorf("%w: %d nodes are to be trained, and the gorgonia engine takes at most %d: use the ort engine", onnx.ErrLimit, n, maxNodes)
	}
	model := source.Model.Clone()
	if err := gradient.Raise(model); err != nil {
		return nil, err
	}
	for _, v := range model.Graph.Outputs {
		v.Shape = nil // what the file says of a batch of one would contradict
	}
	source.Model = model
	chosen, err := source.Select(ctx, s.Strategy, s.BatchNorm)
	if err != nil {
		return nil, err
	}
	return &network{Selection: chosen, source: source, settings: s}, nil
}

// inputSize is the number of values of one row.
func (net *network) inputSize() int {
	return int(net.Sizes.Input[0] * net.Sizes.Input[1] * net.Sizes.Input[2])
}
