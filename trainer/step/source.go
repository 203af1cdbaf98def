package step

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
)

// Source is the network that a step trains, or the part of it that the step runs.
type Source struct {
	Model     *onnx.Model
	Input     string          // [N, C, h, w] features, or [N, 3, H, W] pixels
	Attention string          // the map
	LogitsAtt string          // [N, K]
	LogitsPer string          // [N, K]
	Untouched map[string]bool // initializers that other parts use, which must not change
	Shared    string          // the features that both branches read, if the extractor's last blocks come before them; "": they are the input

	producer map[string]*onnx.Node // filled by indexed
}

// Parts are the parts in which settings train a network: under the strategy all, the branches have the extractor's last blocks.
func Parts(ctx context.Context, abn *onnx.ABN, s recipe.Settings) (*onnx.ABN, error) {
	if s.Strategy != recipe.StrategyAll {
		return abn, nil
	}
	cut, err := abn.CutEarlier(ctx, int(s.Blocks))
	if errors.Is(err, onnx.ErrCut) {
		return nil, &recipe.Error{Field: "blocks", Message: "does not fit this network: " + err.Error()}
	}
	return cut, err
}

// SourceOf is the part that a strategy runs, of a network in its Parts: the branches on features, with the extractor's last blocks where it
// was cut before them, or the whole network on pixels.
func SourceOf(abn *onnx.ABN, strategy recipe.Strategy) Source {
	source := Source{Model: abn.Branches, Input: onnx.PortFeatures, Attention: onnx.PortMap, LogitsAtt: onnx.PortLogitsAtt, LogitsPer: onnx.PortLogitsPer}
	if strategy == recipe.StrategyScratch {
		source.Model, source.Input = abn.Whole, onnx.PortImage
		return source
	}
	source.Untouched = map[string]bool{}
	for _, name := range abn.ExtractorInitializers {
		source.Untouched[name] = true
	}
	if len(abn.Tail) > 0 {
		source.Shared = onnx.PortShared
	}
	return source
}

// indexed is s with an index for its methods.
func (s Source) indexed() Source {
	s.producer = s.Model.Graph.Index().Producer
	return s
}

// initializer is the initializer that a weight comes from. Exporters write some transposed, reshaped, or as an Identity of
// another with the same values.
func (s Source) initializer(name string) string {
	for n := s.producer[name]; n != nil && n.IsOp("Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten"); n = s.producer[name] {
		name = n.Input(0)
	}
	return name
}

// ancestors are the nodes that values are computed by, back to the source's input.
func (s Source) ancestors(values ...string) map[*onnx.Node]bool {
	seen := map[*onnx.Node]bool{}
	stack := slices.Clone(values)
	for len(stack) > 0 {
		value := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n := s.producer[value]; value != s.Input && n != nil && !seen[n] {
			seen[n] = true
			stack = append(stack, n.Reads()...)
		}
	}
	return seen
}

// Sizes are a network's sizes for one image, which losses and buffers need.
type Sizes struct {
	Input   []int64 // [C, h, w] of the features, or [3, H, W] of the pixels
	Map     []int64 // [h, w]
	Classes int64   // K
}

// Cells is h·w.
func (s Sizes) Cells() int64 { return s.Map[0] * s.Map[1] }

// Sizes takes them from the shapes of a graph's values, in which all but the batch must be known.
func (s Source) sizes(info map[string]onnx.ValueInfo) (sizes Sizes, err error) {
	inner := func(name string, rank int) ([]int64, error) {
		shape := info[name].Shape
		if len(shape) < 2 {
			return nil, fmt.Errorf("%s has shape %s", name, shape)
		}
		dims, ok := shape[1:].Sizes()
		if !ok || rank > 0 && len(dims) != rank {
			return nil, fmt.Errorf("%s has shape %s: all but the batch must be known", name, shape)
		}
		return dims, nil
	}
	if sizes.Input, err = inner(s.Input, 3); err != nil {
		return Sizes{}, err
	}
	for _, logits := range []string{s.LogitsAtt, s.LogitsPer} {
		dims, err := inner(logits, 1)
		if err != nil {
			return Sizes{}, err
		}
		if sizes.Classes != 0 && sizes.Classes != dims[0] {
			return Sizes{}, fmt.Errorf("the branches answer for %d and %d classes", sizes.Classes, dims[0])
		}
		sizes.Classes = dims[0]
	}
	dims, err := inner(s.Attention, 0)
	if err != nil {
		return Sizes{}, err
	}
	if len(dims) < 2 || len(dims) == 3 && dims[0] != 1 || len(dims) > 3 {
		return Sizes{}, fmt.Errorf("the map %s has shape %s, want (N,1,h,w) or (N,h,w)", s.Attention, info[s.Attention].Shape)
	}
	sizes.Map = dims[len(dims)-2:]
	return sizes, nil
}
