package trainer

import (
	"math"
	"strconv"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/step"
)

// AdamWLearningRate is the peak learning rate of AdamW where nothing is known of the network: PyTorch's default.
const AdamWLearningRate = 1e-3

// How far a step of AdamW may move a weight, as a share of the root mean square of all weights, where BatchNorms are kept
// and where they are folded away; from trials on one network of either kind (docs/training.md).
const (
	adamWShare       = 0.1
	adamWFoldedShare = 0.0015
)

// SuggestedLearningRate is the peak learning rate to fine-tune a network with where nobody says otherwise.
//
// With SGD and Nesterov it is that of recipe.Defaults, or a tenth of it where most of the branches' convolutions have their
// BatchNorm folded away. Without one behind it a step moves a convolution's output by as much as its weights, and what suits
// a normalised network makes such a one forget all it knew within an epoch. A quarter does where rates by layer spare the
// attention branch's body (docs/adr/0020).
//
// AdamW moves every weight by about the rate itself, whatever its gradient, so its rate is measured in weights: a share of
// the root mean square of the branches' weights, to one digit, and a far smaller one where BatchNorms are folded away.
func SuggestedLearningRate(abn *onnx.ABN, o recipe.Optimizer, r recipe.Rates) float64 {
	rate, share, divisor := recipe.Defaults().LearningRate, adamWShare, 1.0
	if step.Folded(abn.Branches.Graph) {
		share, divisor = adamWFoldedShare, 10
		if r == recipe.RatesByLayer && o != recipe.OptimizerAdamW && len(step.SourceOf(abn, recipe.StrategyBoth).Rates()) > 0 {
			divisor = 4
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
		if err != nil { // external data that is not there: the engine says so
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
	if err != nil { // of what FormatFloat wrote
		return v
	}
	return short
}
