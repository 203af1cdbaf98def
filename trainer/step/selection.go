package step

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// Selection is what a strategy changes in a network.
type Selection struct {
	Weights    []string     // trained initializers, in the file's order
	Norms      []*onnx.Node // BatchNormalizations that shall use the batch's statistics; Select still leaves them with the running ones
	Statistics []Statistics // theirs
	Sizes      Sizes
}

// Statistics are those of a BatchNormalization that uses the batch's: the running ones follow them.
type Statistics struct {
	Mean, Variance           string // the running ones, initializers of [C]
	Spatial                  int64  // H·W: N·Spatial elements are averaged
	batchMean, batchVariance string // values of the step's graph
}

// Select finds what a strategy trains, and prepares the source's model: the batch becomes an axis of any length, and
// BatchNormalizations use the running statistics. If the strategy cannot train the network, the error is a
// *gradient.UnsupportedError.
func (s Source) Select(ctx context.Context, strategy recipe.Strategy, norm recipe.BatchNorm) (Selection, error) {
	s = s.indexed()
	chosen, err := s.choose(strategy, norm)
	if err != nil {
		return Selection{}, err
	}
	if len(chosen.reasons) > 0 {
		return Selection{}, &gradient.UnsupportedError{Reasons: chosen.reasons}
	}
	for _, n := range slices.Concat(chosen.frozen, chosen.norms) {
		setTraining(n, false)
	}
	s.Model.Graph.ValueInfo = nil // shapes declared for a batch of one would contradict
	symbolicBatch(s.Model.Graph, s.Input)
	info, err := onnx.InferShapes(ctx, s.Model, nil)
	if err != nil {
		return Selection{}, fmt.Errorf("shapes of the branches: %w", err)
	}
	out := Selection{Weights: chosen.weights, Norms: chosen.norms}
	if out.Sizes, err = s.sizes(info); err != nil {
		return Selection{}, err
	}
	out.Statistics, err = s.statisticsOf(chosen.norms, info)
	return out, err
}

// choice is what a strategy would train of a network, whether or not that is possible.
type choice struct {
	weights []string     // initializers, in the file's order
	norms   []*onnx.Node // BatchNormalizations that use the batch's statistics
	frozen  []*onnx.Node // the others
	reasons []gradient.Reason
}

// weightInputs are the inputs at which operators take trained tensors. Inputs of arithmetic operators may be constants as well:
// of these, only tensors of more than one element count as trained.
var weightInputs = map[string][]int{
	"Conv": {1, 2}, "ConvTranspose": {1, 2}, "Gemm": {0, 1, 2}, "MatMul": {0, 1}, "BatchNormalization": {1, 2},
	"Add": {0, 1}, "Mul": {0, 1}, "Sub": {0, 1}, "Div": {0, 1},
	"PRelu": {1}, "LayerNormalization": {1, 2}, "RMSNormalization": {1}, "InstanceNormalization": {1, 2}, "GroupNormalization": {1, 2}, "Einsum": {0, 1},
}

// torchConstant matches the names that torch.export gives to constants that it made; layers' own copies of one have its name in front.
var torchConstant = regexp.MustCompile(`^val_\d+(/|$)`)

// isPlaceholder reports a scale of ones or shift of zeros that exporters give a normalisation that has no weights in the network. New
// BatchNorms have the same values: theirs are told by their names.
func isPlaceholder(n *onnx.Node, input int, t *onnx.Tensor) bool {
	if told := n.IsOp("BatchNormalization") && torchConstant.MatchString(t.Name); !told && !n.IsOp("InstanceNormalization", "GroupNormalization") {
		return false
	}
	if len(t.Dims) != 1 || t.Dims[0] > onnx.MaxList {
		return false
	}
	values, err := t.Float32s()
	return err == nil && !slices.ContainsFunc(values, func(v float32) bool { return v != float32(2-input) })
}

// choose finds what a strategy trains: the weights of its branches' nodes that no node of another part uses, without a module's
// buffers where the file tells them.
func (s Source) choose(strategy recipe.Strategy, norm recipe.BatchNorm) (choice, error) {
	s = s.indexed()
	trained := map[*onnx.Node]bool{}
	attention := s.ancestors(s.Attention, s.LogitsAtt)
	switch strategy {
	case recipe.StrategyAttention:
		trained = attention
	case recipe.StrategyBoth, recipe.StrategyAll, recipe.StrategyScratch:
		if strategy == recipe.StrategyAll && s.Shared == "" {
			return choice{}, errors.New("strategy all: the network was not cut before the extractor's last blocks")
		}
		maps.Copy(trained, attention)
		maps.Copy(trained, s.ancestors(s.LogitsPer))
	default:
		return choice{}, fmt.Errorf("strategy %q: want %q, %q, %q or %q", strategy, recipe.StrategyAttention, recipe.StrategyBoth, recipe.StrategyAll, recipe.StrategyScratch)
	}
	tied := maps.Clone(s.Untouched)
	if tied == nil {
		tied = map[string]bool{}
	}
	for _, n := range s.Model.Graph.Nodes {
		if !trained[n] {
			for _, name := range n.Inputs {
				tied[s.initializer(name)] = true
			}
		}
	}
	var out choice
	constants := map[string]*onnx.Tensor{}
	for _, t := range s.Model.Graph.Initializers {
		constants[t.Name] = t
	}
	wanted := map[string]bool{}
	statistics := map[string]bool{}
	for _, n := range s.Model.Graph.Nodes {
		if n.IsOp("BatchNormalization") {
			if !trained[n] || norm != recipe.BatchNormBatch || s.computesStatistics(n) {
				out.frozen = append(out.frozen, n)
			} else {
				out.norms = append(out.norms, n)
				out.reasons = append(out.reasons, s.statisticsReasons(n, constants, tied, statistics)...)
			}
		}
		if !trained[n] {
			continue
		}
		for _, i := range weightInputs[n.Op] {
			name := s.initializer(n.Input(i))
			t := constants[name]
			if t == nil || tied[name] || !n.IsOp(n.Op) || isArithmetic(n) && len(t.Raw) <= 4 || isPlaceholder(n, i, t) || n.ReadsBuffer(name) {
				continue
			}
			if t.Type == onnx.Int64 || t.Type == onnx.Int32 { // arithmetic on sizes and indices
				continue
			}
			if t.Type != onnx.Float {
				out.reasons = append(out.reasons, gradient.Reason{Node: n.Name, Op: n.Op, Why: "its weight " + name + " is not float32"})
				continue
			}
			wanted[name] = true
		}
	}
	for _, t := range s.Model.Graph.Initializers {
		if wanted[t.Name] {
			out.weights = append(out.weights, t.Name)
		}
	}
	if len(out.weights) == 0 {
		return out, fmt.Errorf("strategy %s: the branches have no weights to train", strategy)
	}
	return out, nil
}

func isArithmetic(n *onnx.Node) bool { return n.IsOp("Add", "Mul", "Sub", "Div") }

// computesStatistics reports whether the graph computes the statistics of a BatchNormalization, which then has no running ones: layers that
// standardise their weight are exported so.
func (s Source) computesStatistics(n *onnx.Node) bool {
	made := s.producer[s.initializer(n.Input(3))]
	return made != nil && !made.IsOp("Constant")
}

// statisticsReasons says why a BatchNormalization's running statistics cannot follow the batch's.
func (s Source) statisticsReasons(n *onnx.Node, constants map[string]*onnx.Tensor, tied, seen map[string]bool) (reasons []gradient.Reason) {
	for _, name := range []string{s.initializer(n.Input(3)), s.initializer(n.Input(4))} {
		why := ""
		switch t := constants[name]; {
		case t == nil || t.Type != onnx.Float:
			why = "its running statistics " + name + " are no float32 initializer"
		case tied[name] || seen[name]:
			why = "its running statistics " + name + " are shared with another node: train with frozen statistics"
		}
		if why != "" {
			reasons = append(reasons, gradient.Reason{Node: n.Name, Op: n.Op, Why: why})
		}
		seen[name] = true
	}
	return reasons
}

// statisticsOf are those of BatchNormalizations whose running statistics follow the batch's. info has the shapes of their
// inputs.
func (s Source) statisticsOf(norms []*onnx.Node, info map[string]onnx.ValueInfo) (list []Statistics, err error) {
	for _, n := range norms {
		shape := info[n.Inputs[0]].Shape
		spatial, ok := shape[min(1, len(shape)):].Sizes()
		if !ok || len(spatial) == 0 {
			return nil, fmt.Errorf("%s: its input has shape %s, want known channels, height and width", n, info[n.Inputs[0]].Shape)
		}
		one := Statistics{Mean: s.initializer(n.Inputs[3]), Variance: s.initializer(n.Inputs[4]), Spatial: 1}
		for _, d := range spatial[1:] {
			one.Spatial *= d
		}
		list = append(list, one)
	}
	return list, nil
}
