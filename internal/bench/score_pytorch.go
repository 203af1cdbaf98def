package bench

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx/statedict"
)

// sameScores is the largest difference allowed between our probabilities and PyTorch's, of their range.
const sameScores = 1e-3

// openPyTorch starts scores of edited maps in PyTorch, on the same features in memory; its first answers are checked.
func (c Score) openPyTorch(ctx context.Context, n *network.Network, running *inference.Network, features [][]float32) (*pytorch, error) {
	sizes, rng := running.Sizes(), rand.New(rand.NewPCG(3, 0))
	count, all := len(features), slices.Concat(features...)
	maps := make([]float32, count*sizes.GridHeight*sizes.GridWidth)
	for i := range maps {
		maps[i] = rng.Float32()
	}
	want, err := running.Perception(ctx, count, all, maps)
	if err != nil {
		return nil, err
	}
	running.Probabilities(want)
	values := statedict.Dict{
		array("features", all, count, sizes.Channels, sizes.GridHeight, sizes.GridWidth), array("maps", maps, count, sizes.GridHeight, sizes.GridWidth),
	}
	return openPyTorch(ctx, c.PyTorch, n, pytorchSpec{Job: "score"}, values, func(theirs []float64) error {
		return sameAnswers("probabilities", want, theirs, sameScores)
	})
}
