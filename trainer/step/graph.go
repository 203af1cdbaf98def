package step

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// Graph is a training step as one ONNX graph: from an input batch, labels, edited maps and the parameters it computes losses,
// logits, gradients and the batch's statistics.
//
// Its inputs are, in this order: the network's input [N, …], labels [N] of int64, edited maps [N, h·w], their k and their shares of n
// (both [N, h·w]; attention.Map.Known), a mark [N] of the rows that have one (1, else 0), if Weighted the weights [N] of these, if Anchored a mark [N] of the rows whose map is the anchor's, and Weights.
type Graph struct {
	Model        *onnx.Model
	Weights      []string     // trained initializers of the network, inputs of the graph
	Statistics   []Statistics // of the BatchNormalizations that use the batch's
	GradientDims [][]int64    // shapes of the Weights' gradients, which may differ from the weight's; elements are in the weight's order
	Sizes        Sizes
	Anchored     bool // the graph has L_anchor
	Weighted     bool // the edited rows have weights

	loss      lossNames
	gradients []string // of Weights
}

// Target is what a graph is written for. The zero value is standard operators, which every provider has.
type Target struct {
	PlainStatistics bool  // BatchNormalizations on batch statistics in operators that all providers have
	Block           int64 // channels in a block of the runtime's own convolutions; 0: they are not used
	Threads         int   // of an operator in blocks; 0: one per core
}

// Domain is the domain of the target's own operators, for the session; "" if there are none.
func (t Target) Domain() string {
	if t.Block == 0 {
		return ""
	}
	return gradient.BlockedDomain
}

// builder is a step's graph while it is built.
type builder struct {
	*Graph
	source      Source
	settings    recipe.Settings
	target      Target
	derivatives map[string]string // of the loss, by weight
}

// Build makes the step of a network, whose model is not changed. If it cannot be trained, the error is a
// *gradient.UnsupportedError.
func Build(ctx context.Context, source Source, s recipe.Settings, t Target) (*Graph, error) {
	return build(ctx, source, s, t, nil)
}

// build is Build; after is called with the graph after each pass, unless it is nil.
func build(ctx context.Context, source Source, s recipe.Settings, t Target, after func(pass string, m *onnx.Model)) (*Graph, error) {
	g := &Graph{Anchored: s.Anchor != 0, Weighted: s.MapWeight.ByClass(), loss: newLossNames(source.LogitsAtt, source.LogitsPer, source.Attention)}
	b := &builder{Graph: g, source: source, settings: s, target: t}
	var err error
	if g.Model, err = rewrite(ctx, source.Model, b.passes(), after); err != nil {
		return nil, err
	}
	return g, nil
}

// Untrainable lists, with reasons, the nodes that keep a strategy from training an ABN; none if it can be trained. No runtime is
// needed.
func Untrainable(ctx context.Context, abn *onnx.ABN, strategy recipe.Strategy, norm recipe.BatchNorm) ([]gradient.Reason, error) {
	_, err := Build(ctx, SourceOf(abn, strategy), recipe.Settings{Strategy: strategy, BatchNorm: norm, MapLoss: recipe.MapLossL2, Gamma: 1}, Target{})
	var unsupported *gradient.UnsupportedError
	if errors.As(err, &unsupported) {
		return unsupported.Reasons, nil
	}
	return nil, err
}

// passes make a training step of a network's graph, in this order.
func (b *builder) passes() []pass {
	list := []pass{
		{"raise", raise},
		{"simplify", simplify},
		{"choose", b.choose},
		{"losses", b.losses},
		{"differentiate", b.differentiate},
		{"outputs", b.giveOutputs},
	}
	if b.target.PlainStatistics {
		list = append(list, pass{"plain statistics", plainStatistics})
	}
	return append(list, b.target.blockPasses()...)
}

// choose decides what the strategy trains. BatchNormalizations that are trained use the batch's statistics and return them, all
// others use the running ones.
func (b *builder) choose(ctx context.Context, m *onnx.Model) error {
	source := b.source
	source.Model = m
	chosen, err := source.Select(ctx, b.settings.Strategy, b.settings.BatchNorm)
	if err != nil {
		return err
	}
	b.Weights, b.Statistics, b.Sizes = chosen.Weights, chosen.Statistics, chosen.Sizes
	for i, n := range chosen.Norms {
		one := &b.Statistics[i]
		setTraining(n, true)
		one.batchMean, one.batchVariance = "batch/"+one.Mean, "batch/"+one.Variance
		n.Outputs = append(n.Outputs[:1], one.batchMean, one.batchVariance)
	}
	return nil
}

// losses adds the inputs of a step and the losses.
func (b *builder) losses(_ context.Context, m *onnx.Model) error {
	b.addInputs(m.Graph, b.source.Input)
	return addLosses(m.Graph, b.loss, b.Sizes, b.settings)
}

// differentiate adds the gradients, in operators over blocks if the target has them.
func (b *builder) differentiate(ctx context.Context, m *onnx.Model) (err error) {
	b.derivatives, err = gradient.AppendBlocked(ctx, m, b.loss.total, b.Weights, b.target.Block)
	return err
}

// giveOutputs makes losses, logits, gradients and statistics the graph's outputs.
func (b *builder) giveOutputs(ctx context.Context, m *onnx.Model) error {
	if err := b.takeGradients(ctx, m, b.derivatives); err != nil {
		return err
	}
	m.Graph.Outputs = nil
	for _, name := range b.Outputs() {
		m.Graph.Outputs = append(m.Graph.Outputs, onnx.NewValue(name, onnx.Float, nil))
	}
	m.Metadata = nil
	return nil
}

// takeGradients makes the weights' derivatives outputs. If a derivative is the output of a Reshape, the Reshape's input is taken
// instead, since the runtime would copy it into the output's buffer.
func (b *builder) takeGradients(ctx context.Context, m *onnx.Model, derivatives map[string]string) error {
	g := m.Graph
	dims := map[string][]int64{}
	for _, v := range g.Inputs {
		dims[v.Name], _ = v.Shape.Sizes()
	}
	info, err := onnx.InferShapes(ctx, m, nil)
	if err != nil {
		return fmt.Errorf("shapes of the gradients: %w", err)
	}
	index := g.Index()
	dead := map[*onnx.Node]bool{}
	taken := map[string]bool{}
	for _, name := range b.Weights {
		derivative, shape := derivatives[name], dims[name]
		if last := index.Producer[derivative]; last != nil && last.IsOp("Reshape") && len(index.Consumers[derivative]) == 0 {
			before := last.Inputs[0]
			whole, known := info[before].Shape.Sizes()
			if index.Producer[before] != nil && known && len(whole) > 0 && !taken[before] && len(index.Consumers[before]) == 1 {
				derivative, shape, dead[last] = before, whole, true
			}
		}
		taken[derivative] = true
		b.gradients, b.GradientDims = append(b.gradients, derivative), append(b.GradientDims, shape)
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *onnx.Node) bool { return dead[n] })
	return nil
}

// addInputs declares the inputs of a step: weights become inputs and are no constants any more. Files of IR version 3 list all
// initializers among the inputs, which operator set 17 does not need.
func (b *builder) addInputs(g *onnx.Graph, input string) {
	l := b.loss
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v *onnx.ValueInfo) bool { return v.Name != input })
	g.Inputs = append(g.Inputs,
		onnx.NewValue(l.labels, onnx.Int64, onnx.Shape{onnx.Batch()}),
		onnx.NewValue(l.edited, onnx.Float, onnx.BatchOf(b.Sizes.Cells())),
		onnx.NewValue(l.known, onnx.Float, onnx.BatchOf(b.Sizes.Cells())),
		onnx.NewValue(l.avoided, onnx.Float, onnx.BatchOf(b.Sizes.Cells())),
		onnx.NewValue(l.hasEdit, onnx.Float, onnx.Shape{onnx.Batch()}))
	if b.Weighted {
		g.Inputs = append(g.Inputs, onnx.NewValue(l.weight, onnx.Float, onnx.Shape{onnx.Batch()}))
	}
	if b.Anchored {
		g.Inputs = append(g.Inputs, onnx.NewValue(l.anchored, onnx.Float, onnx.Shape{onnx.Batch()}))
	}
	feedInitializers(g, b.Weights)
}

// feedInitializers makes initializers inputs of the graph, in the order of names.
func feedInitializers(g *onnx.Graph, names []string) {
	values, fed := map[string]*onnx.ValueInfo{}, map[string]bool{}
	for _, name := range names {
		fed[name] = true
	}
	g.Initializers = slices.DeleteFunc(g.Initializers, func(t *onnx.Tensor) bool {
		if !fed[t.Name] {
			return false
		}
		values[t.Name] = onnx.NewValue(t.Name, t.Type, onnx.ShapeOf(t.Dims...))
		return true
	})
	// Files of IR version 3 list initializers among the inputs too.
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v *onnx.ValueInfo) bool { return fed[v.Name] })
	for _, name := range names {
		g.Inputs = append(g.Inputs, values[name])
	}
}

// Indexes of Graph.Outputs. They are followed by the gradients of Weights, a mean and a variance [C] for each of Statistics, and
// last, if Anchored, L_anchor with a scale of 1.
const (
	OutputLossAtt     = iota // [1], L_att
	OutputLossPer            // [1], L_per
	OutputMapDistance        // [1], the first part of L_map with γ = 1
	OutputAvoidance          // [1], its second part with γ_n = 1
	OutputLogitsAtt          // [N, K]
	OutputLogitsPer          // [N, K]
	OutputGradients          // the first of them
)

// Outputs names what a run gives.
func (g *Graph) Outputs() []string {
	l := g.loss
	names := append([]string{l.att, l.per, l.mapDistance, l.avoidance, l.logitsAtt, l.logitsPer}, g.gradients...)
	for _, s := range g.Statistics {
		names = append(names, s.batchMean, s.batchVariance)
	}
	if g.Anchored {
		names = append(names, l.anchorDistance)
	}
	return names
}

// symbolicBatch makes the first axis of a graph's input the batch, even if the file gives it a size.
func symbolicBatch(g *onnx.Graph, input string) {
	for _, v := range g.Inputs {
		if v.Name == input && len(v.Shape) > 0 {
			v.Shape[0] = onnx.Batch()
		}
	}
}

// setTraining makes a BatchNormalization use the batch's statistics and return them, or use the running ones.
func setTraining(n *onnx.Node, training bool) {
	if !training {
		n.Outputs = n.Outputs[:1]
		if n.Attr("training_mode") != nil {
			n.SetAttr(onnx.IntAttr("training_mode", 0))
		}
		return
	}
	n.SetAttr(onnx.IntAttr("training_mode", 1))
	// The node returns momentum·running + (1−momentum)·batch, which is the batch's own with momentum 0.
	n.SetAttr(onnx.FloatAttr("momentum", 0))
}
