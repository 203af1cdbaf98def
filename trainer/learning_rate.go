package trainer

import (
	"math"
	"slices"
	"strconv"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/step"
)

// AdamWLearningRate is the peak learning rate of AdamW if nothing is known of the network: PyTorch's default.
const AdamWLearningRate = 1e-3

// How far a step of AdamW may move a weight, as a share of the root mean square of all weights: with BatchNorms, and with
// BatchNorms folded away. From trials on one network of each kind (docs/training.md).
const (
	adamWShare       = 0.1
	adamWFoldedShare = 0.0015
)

// Suggest returns s with what suits a network in place of the settings of the given names, which were left to the studio.
func Suggest(abn *onnx.ABN, s recipe.Settings, left []string) recipe.Settings {
	s.SetDefaults(recipe.Network{Gain: abn.Gain, Rate: SuggestedLearningRate(abn, recipe.OptimizerSGD, s.Rates)}, left)
	if slices.Contains(left, "learning_rate") {
		s.LearningRate = SuggestedLearningRate(abn, s.Optimizer, s.Rates)
	}
	return s
}

// SuggestedLearningRate is the peak learning rate for fine-tuning a network if none is given.
//
// With SGD and Nesterov it is that of recipe.Defaults, or a tenth of it if most of the branches' convolutions have their
// BatchNorm folded away. Without a BatchNorm behind it, a convolution's output changes as much as its weights do, and a rate that
// suits a normalised network makes this one forget everything within an epoch. With rates by layer, which are lower for the body
// of the attention branch, it is a quarter (docs/adr/0020).
//
// AdamW moves every weight by about the rate itself, whatever its gradient. Its rate is therefore a share of the root mean square
// of the branches' weights, rounded to one digit; the share is far smaller if BatchNorms are folded away.
func SuggestedLearningRate(abn *onnx.ABN, o recipe.Optimizer, r recipe.Rates) float64 {
	rate, share, divisor := recipe.Defaults().LearningRate, adamWShare, 1.0
	if step.Folded(abn.Branches.Graph) {
		share, divisor = adamWFoldedShare, 10
		if r == recipe.RatesByLayer && o != recipe.OptimizerAdamW && len(step.SourceOf(abn, recipe.StrategyBoth).Rates()) > 0 {
			divisor = recipe.HeldBack
		}
	}
	if o != recipe.OptimizerAdamW {
		return rate / divisor
	}
	if size := weightSize(abn.Branches.Graph); size > 0 {
		return oneDigit(share * size)
	}
	return AdamWLearningRate / divisor
}

// weightSize is the root mean square over the elements of a graph's float initializers of more than one axis: the weights
// of convolutions and matrix products. 0 if there are none.
func weightSize(g *onnx.Graph) float64 {
	var squares float64
	count := 0
	for _, t := range g.Initializers {
		if t.Type != onnx.Float || len(t.Dims) < 2 {
			continue
		}
		values, err := t.Float32s()
		if err != nil { // external data that is missing, which the engine reports
			continue
		}
		for _, v := range values {
			squares += float64(v) * float64(v)
		}
		count += len(values)
	}
	return math.Sqrt(squares / float64(max(1, count)))
}

// oneDigit rounds to one significant decimal digit.
func oneDigit(v float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 0, 64), 64)
	if err != nil { // cannot happen: FormatFloat wrote it
		return v
	}
	return short
}
