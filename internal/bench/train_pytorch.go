package bench

import (
	"context"
	"fmt"
	"math"

	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx/statedict"
)

// sameLoss is the largest relative difference allowed between the losses of our first step and PyTorch's.
const sameLoss = 1e-3

// openPyTorch starts the same steps in PyTorch. Our first step is taken before its.
func (c Train) openPyTorch(ctx context.Context, n *network.Network, ours *engineSteps) (*pytorch, error) {
	if s := recipe.Strategy(c.Strategy); s != recipe.StrategyBoth && s != recipe.StrategyAttention {
		return &pytorch{version: fmt.Sprintf("the comparison has no strategy %s", s)}, nil
	}
	abn, b := n.ABN(), ours.batch
	spec := pytorchSpec{Job: "train", Threads: c.Threads, pytorchTraining: &pytorchTraining{
		Strategy: c.Strategy, BatchNorm: c.Norm,
		LearningRate: benchUpdate.LearningRate, Momentum: benchUpdate.Momentum, WeightDecay: benchUpdate.WeightDecay,
	}}
	values := statedict.Dict{
		array("features", b.Inputs, b.Size, abn.Channels, abn.Height, abn.Width), array("labels", b.Labels, b.Size),
		array("edited", b.Edited, b.Size, abn.Height*abn.Width), array("has_edit", b.HasEdit, b.Size),
	}
	return openPyTorch(ctx, c.PyTorch, n, spec, values, func(theirs []float64) error {
		first := []float64{ours.first.LossAtt, ours.first.LossPer, ours.first.MapDistance}
		for i, name := range []string{"L_att", "L_per", "map distance"} {
			if !(math.Abs(first[i]-theirs[i]) <= sameLoss*math.Abs(theirs[i])) {
				return fmt.Errorf("the first step's %s is %g here and %g in PyTorch: the two do not compute the same", name, first[i], theirs[i])
			}
		}
		return nil
	})
}
