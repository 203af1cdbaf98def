package study

import (
	"context"
	"slices"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/samples"
	"github.com/abn-studio/studio/trainer/sample"
)

// mistake is a sample that a network takes for a wrong class, and the probability it gives that class.
type mistake struct {
	sample.Sample
	confidence float32
}

// misclassified returns the candidates that the network's perception branch gets wrong, in the order of candidates.
func misclassified(ctx context.Context, network *inference.Network, images *samples.Set, candidates []sample.Sample) ([]mistake, error) {
	pixels := make([]float32, network.Sizes().Image())
	var wrong []mistake
	for _, s := range candidates {
		if err := images.Pixels(ctx, s, pixels); err != nil {
			return nil, err
		}
		out, err := network.Forward(ctx, 1, pixels)
		if err != nil {
			return nil, err
		}
		network.Probabilities(out.LogitsPer)
		if top := slices.Max(out.LogitsPer); slices.Index(out.LogitsPer, top) != s.Label {
			wrong = append(wrong, mistake{s, top})
		}
	}
	return wrong, nil
}
