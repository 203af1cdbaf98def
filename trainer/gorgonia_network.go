package trainer

import (
	"context"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// gorgoniaNetwork is what is trained, whatever the batch size: the raised graph and what a strategy changes in it.
type gorgoniaNetwork struct {
	source   stepSource
	settings recipe.Settings
	weights  []string         // trained initializers, in the file's order
	norms    []*onnx.Node     // BatchNormalizations on the batch's statistics
	running  []normStatistics // theirs, names of initializers only
	sizes    Sizes
}

// maxGorgoniaNodes bounds the nodes that are built on Gorgonia: the time it takes over a graph grows with their square. A
// ResNet-152 with both branches has some 600.
const maxGorgoniaNodes = 1 << 11

// newGorgoniaNetwork leaves the source's model as it is.
func newGorgoniaNetwork(ctx context.Context, source stepSource, s recipe.Settings) (*gorgoniaNetwork, error) {
	if n := len(source.model.Graph.Nodes); n > maxGorgoniaNodes {
		return nil, fmt.Errorf("%w: %d nodes are to be trained, and the gorgonia engine takes at most %d: use the ort engine", onnx.ErrLimit, n, maxGorgoniaNodes)
	}
	model := source.model.Clone()
	if err := gradient.Raise(model); err != nil {
		return nil, err
	}
	source.model = model
	chosen, err := source.choose(s.Strategy, s.BatchNorm)
	if err != nil {
		return nil, err
	}
	if len(chosen.reasons) > 0 {
		return nil, &gradient.UnsupportedError{Reasons: chosen.reasons}
	}
	for _, n := range slices.Concat(chosen.frozen, chosen.norms) {
		setTraining(n, false)
	}
	model.Graph.ValueInfo = nil // what the file says of a batch of one would contradict, as its outputs might
	for _, v := range model.Graph.Outputs {
		v.Shape = nil
	}
	symbolicBatch(model.Graph, source.input)
	info, err := onnx.InferShapes(ctx, model, nil)
	if err != nil {
		return nil, fmt.Errorf("shapes of the branches: %w", err)
	}
	net := &gorgoniaNetwork{source: source, settings: s, weights: chosen.weights, norms: chosen.norms}
	if net.sizes, err = source.sizes(info); err != nil {
		return nil, err
	}
	if net.running, err = source.statisticsOf(chosen.norms, info); err != nil {
		return nil, err
	}
	return net, nil
}

// inputSize is the number of values of one row.
func (net *gorgoniaNetwork) inputSize() int {
	return int(net.sizes.Input[0] * net.sizes.Input[1] * net.sizes.Input[2])
}
