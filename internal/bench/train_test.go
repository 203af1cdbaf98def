package bench

import (
	"math"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
)

// TestStepGFLOP counts a network of which the products can be counted by hand.
func TestStepGFLOP(t *testing.T) {
	t.Parallel()
	c := Train{Arch: "tiny", Classes: 10}
	n, err := c.network(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	abn := n.ABN()
	// A stage of one basic block from 64 to 128 channels: 3×3, 3×3, and 1×1 beside them, on the grid of
	// 14×14 in the attention branch and of 7×7 in the perception branch; then 1×1 to K, 1×1 from K to K and 3×3 from K
	// to the map, and K answers from 128 means.
	const cells, block = 14 * 14, 9*64*128 + 9*128*128 + 64*128
	attention := float64(cells * (block + 128*10 + 10*10 + 9*10))
	perception := float64(cells/4*block + 128*10)
	first := float64(cells * (9*64*128 + 64*128)) // reads the features, whose gradient is not computed
	for strategy, want := range map[recipe.Strategy]float64{
		recipe.StrategyBoth:      3*(attention+perception) - first,
		recipe.StrategyAttention: 3*attention - first + 2*perception,
	} {
		got, err := stepGFLOP(t.Context(), abn, strategy, 4)
		if err != nil {
			t.Fatal(err)
		}
		if want *= 2 * 4 / 1e9; math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s: %g, want %g", strategy, got, want)
		}
	}
}

func TestActivationBytes(t *testing.T) {
	t.Parallel()
	c := Train{Arch: "tiny", Classes: 10}
	n, err := c.network(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	abn := n.ABN()
	// Features of 64 channels; a block from 64 to 128 makes nine values (two convolutions, a third beside them, their
	// norms, two Relus, a sum), on 14×14 and on 7×7. The head: a norm; 10 classes four times (convolution, norm, Relu,
	// convolution); their means; 1 channel three times. The mechanism: a product (M·g). Means of 128, 10 logits.
	const cells = 14 * 14
	attention := cells*(9*128+128+4*10+3) + 10
	perception := cells*64 + cells/4*9*128 + 128 + 10
	got, err := activationBytes(t.Context(), abn, 4)
	if want := int64(4 * 4 * (cells*64 + attention + perception)); err != nil || got != want {
		t.Errorf("%d, %v, want %d", got, err, want)
	}
}
