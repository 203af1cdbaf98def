package bench

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/architecture"
	"github.com/abn-studio/studio/trainer/engine"
)

// network returns the model, or the architecture at random weights.
func (c Train) network(ctx context.Context) (*network.Network, error) {
	model, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	return network.Open(ctx, model, manifest.Manifest{}.Named(c.Names))
}

func (c Train) open(ctx context.Context) (*onnx.Model, error) {
	if c.Model != "" {
		return onnx.ReadFile(ctx, c.Model)
	}
	a, err := architecture.Named(c.Arch)
	if err != nil {
		return nil, err
	}
	return a.Build(c.Classes, 1)
}

// randomBatch makes a batch of random features ≥ 0, as after a Relu; half of its rows have edited maps.
func randomBatch(abn *onnx.ABN, size int) engine.Batch {
	rng := rand.New(rand.NewPCG(2, 0))
	b := engine.Batch{Size: size}
	for range size * abn.Channels * abn.Height * abn.Width {
		b.Inputs = append(b.Inputs, max(0, float32(rng.NormFloat64())))
	}
	for i := range size {
		b.Labels = append(b.Labels, rng.Int64N(int64(abn.Classes)))
		b.HasEdit = append(b.HasEdit, float32(i%2))
		for range abn.Height * abn.Width {
			b.Edited = append(b.Edited, rng.Float32())
		}
	}
	return b
}

// stepGFLOP counts a step's convolutions and matrix products: each forward, and once more for the
// gradient of its weight and of its input, where the strategy asks for them. Features have no gradient.
func stepGFLOP(ctx context.Context, abn *onnx.ABN, strategy recipe.Strategy, batch int) (float64, error) {
	inferred, err := onnx.Infer(ctx, abn.Branches, map[string]onnx.Shape{
		onnx.PortFeatures: onnx.ShapeOf(int64(batch), int64(abn.Channels), int64(abn.Height), int64(abn.Width)),
	})
	if err != nil {
		return 0, err
	}
	total := 0.0
	trained := map[string]bool{} // values that depend on a trained weight
	for _, n := range abn.Branches.Graph.Nodes {
		weights := slices.ContainsFunc(n.Inputs, func(i string) bool {
			return slices.Contains(abn.AttentionInitializers, i) ||
				strategy != recipe.StrategyAttention && slices.Contains(abn.PerceptionInitializers, i)
		})
		through := slices.ContainsFunc(n.Inputs, func(i string) bool { return trained[i] })
		for _, o := range n.Outputs {
			trained[o] = through || weights
		}
		if !n.IsOp("Conv", "Gemm") {
			continue
		}
		out, _ := inferred.Shape(n.Outputs[0]).Sizes()
		dims, _ := inferred.Shape(n.Inputs[1]).Sizes()
		flop := 2.0
		for _, d := range out {
			flop *= float64(d)
		}
		for _, d := range dims[1:] {
			flop *= float64(d)
		}
		times := 1.0
		if weights {
			times++
		}
		if through {
			times++
		}
		total += times * flop
	}
	return total / 1e9, nil
}
