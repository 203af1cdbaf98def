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

// Graph is a training step as one ONNX graph: it takes an input batch, labels, edited maps and
// the parameters, and gives losses, logits, gradients and the batch's statistics.
//
// Its inputs are, in this order: the network's input [N, …], labels [N] of int64, edited maps [N, h·w], a mark [N] of the rows
// that have one (1, else 0), where Anchored a mark of the rows whose map is the anchor's, and Weights.
type Graph struct {
	Model        *onnx.Model
	Weights      []string     // trained initializers of the network, inputs of the graph
	Statistics   []Statistics // of the BatchNormalizations that use the batch's
	GradientDims [][]int64    // the shapes that the Weights' gradients come in: as many elements as the weight, in its order
	Sizes        Sizes
	Anchored     bool // the graph has L_anchor

	loss      lossNames
	gradients []string // of Weights
}

// Target is what a graph is written for. The zero value is standard operators, which every provider has.
type Target struct {
	PlainStatistics bool  // BatchNormalizations on batch statistics in operators that all providers have
	Block           int64 // channels in a block of the runtime's own convolutions; 0: they are not used
	Threads         int   // of an operator in blocks; 0: one per core
}

// Domain is what the session is to know the target's own operators by; "" without any.
func (t Target) Domain() string {
	if t.Block == 0 {
		return ""
	}
	return gradient.BlockedDomain
}

// builder is a step's graph on its way.
type builder struct {
	*Graph
	source      Source
	settings    recipe.Settings
	target      Target
	derivatives map[string]string // of the loss, by weight
}

// Build compiles the step of a network, whose model is left as it is. One that cannot be trained gives a
// *gradient.UnsupportedError.
func Build(ctx context.Context, source Source, s recipe.Settings, t Target) (*Graph, error) {
	return build(ctx, source, s, t, nil)
}

// build is Build; after, where it is not nil, sees the graph behind each pass.
func build(ctx context.Context, source Source, s recipe.Settings, t Target, after func(pass string, m *onnx.Model)) (*Graph, error) {
	g := &Graph{Anchored: s.Anchor != 0, loss: newLossNames(source.LogitsAtt, source.LogitsPer, source.Attention)}
	b := &builder{Graph: g, source: source, settings: s, target: t}
	var err error
	if g.Model, err = rewrite(ctx, source.Model, b.passes(), after); err != nil {
		return nil, err
	}
	return g, nil
}

// Untrainable lists the nodes that keep a strategy from training an ABN, and says why; nothing if it
// can be trained. No runtime is needed.
func Untrainable(ctx context.Context, abn *onnx.ABN, strategy recipe.Strategy, norm recipe.BatchNorm) ([]gradient.Reason, error) {
	_, err := Build(ctx, SourceOf(abn, strategy), recipe.Settings{Strategy: strategy, BatchNorm: norm, MapLoss: recipe.MapLossL2, Gamma: 1}, Target{})
	var unsupported *gradient.UnsupportedError
	if errors.As(err, &unsupported) {
		return unsupported.Reasons, nil
	}
	return nil, err
}

// passes are the way from a network's graph to its training step, in their order.
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

// choose decides what the strategy trains. BatchNormalizations that are trained use the batch's statistics and give them out,
// all others use the running ones.
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

// losses turns what a run feeds into inputs, and adds the losses.
func (b *builder) losses(_ context.Context, m *onnx.Model) error {
	b.addInputs(m.Graph, b.source.Input)
	return addLosses(m.Graph, b.loss, b.Sizes, b.settings.MapLoss, b.settings.Gamma, b.settings.Anchor)
}

// differentiate adds the gradients, in operators over blocks where the target has them.
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

// takeGradients notes the weights' derivatives as what the graph gives. One that is a Reshape is taken from before it,
// since the runtime would copy it into the buffer that it is to be put in.
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

// addInputs declares what a run feeds: the weights turn from constants into inputs. Files of IR version
// 3 list all initializers among the inputs, which operator set 17 needs no more.
func (b *builder) addInputs(g *onnx.Graph, input string) {
	l := b.loss
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v *onnx.ValueInfo) bool { return v.Name != input })
	g.Inputs = append(g.Inputs,
		onnx.NewValue(l.labels, onnx.Int64, onnx.Shape{onnx.Batch()}),
		onnx.NewValue(l.edited, onnx.Float, onnx.BatchOf(b.Sizes.Cells())),
		onnx.NewValue(l.hasEdit, onnx.Float, onnx.Shape{onnx.Batch()}))
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

// Places in Graph.Outputs. Behind them stand the gradients of Weights, a mean and a variance [C] of each of Statistics, and last,
// where Anchored, L_anchor with a scale of 1.
const (
	OutputLossAtt     = iota // [1], L_att
	OutputLossPer            // [1], L_per
	OutputMapDistance        // [1], L_map with γ = 1
	OutputLogitsAtt          // [N, K]
	OutputLogitsPer          // [N, K]
	OutputGradients          // the first of them
)

// Outputs names what a run gives.
func (g *Graph) Outputs() []string {
	l := g.loss
	names := append([]string{l.att, l.per, l.mapDistance, l.logitsAtt, l.logitsPer}, g.gradients...)
	for _, s := range g.Statistics {
		names = append(names, s.batchMean, s.batchVariance)
	}
	if g.Anchored {
		names = append(names, l.anchorDistance)
	}
	return names
}

// symbolicBatch makes the first axis of a graph's input the batch, whatever the file says.
func symbolicBatch(g *onnx.Graph, input string) {
	for _, v := range g.Inputs {
		if v.Name == input && len(v.Shape) > 0 {
			v.Shape[0] = onnx.Batch()
		}
	}
}

// setTraining makes a BatchNormalization use the batch's statistics, and hand them out, or the running ones.
func setTraining(n *onnx.Node, training bool) {
	if !training {
		n.Outputs = n.Outputs[:1]
		if n.Attr("training_mode") != nil {
			n.SetAttr(onnx.IntAttr("training_mode", 0))
		}
		return
	}
	n.SetAttr(onnx.IntAttr("training_mode", 1))
	// The node gives momentum·running + (1−momentum)·batch: with 0 the batch's own.
	n.SetAttr(onnx.FloatAttr("momentum", 0))
}
