package trainer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// stepGraph is a training step as one ONNX graph: it takes an input batch, labels, edited maps and
// the parameters, and gives losses, logits, gradients and the batch's statistics.
type stepGraph struct {
	model   *onnx.Model
	loss    lossNames
	weights []string // trained initializers, inputs of the graph
	// statistics are the running statistics that follow the batch.
	statistics []normStatistics
	gradients  []string // as weights
	// gradientDims are the shapes that gradients come in: as many elements as the weight, in its order.
	gradientDims [][]int64
	sizes        Sizes
	anchored     bool // the graph has L_anchor
}

// target is what a graph is written for. The zero value is standard operators, which every provider has.
type target struct {
	plainStatistics bool  // BatchNormalizations on batch statistics in operators that all providers have
	block           int64 // channels in a block of the runtime's own convolutions; 0: they are not used
	threads         int   // of an operator in blocks; 0: one per core
}

// domain is what the session is to know the target's own operators by; "" without any.
func (t target) domain() string {
	if t.block == 0 {
		return ""
	}
	return gradient.BlockedDomain
}

// stepBuilder is a step's graph on its way.
type stepBuilder struct {
	*stepGraph
	source      stepSource
	settings    recipe.Settings
	target      target
	derivatives map[string]string // of the loss, by weight
}

// buildStep compiles the step of a network, whose model is left as it is. One that cannot be trained gives a
// *gradient.UnsupportedError.
func buildStep(ctx context.Context, source stepSource, s recipe.Settings, t target) (*stepGraph, error) {
	return buildWatched(ctx, source, s, t, nil)
}

// buildWatched is buildStep; after, where it is not nil, sees the graph behind each pass.
func buildWatched(ctx context.Context, source stepSource, s recipe.Settings, t target, after func(pass string, m *onnx.Model)) (*stepGraph, error) {
	step := &stepGraph{anchored: s.Anchor != 0, loss: newLossNames(source.logitsAtt, source.logitsPer, source.attention)}
	b := &stepBuilder{stepGraph: step, source: source, settings: s, target: t}
	var err error
	if step.model, err = rewrite(ctx, source.model, b.passes(), after); err != nil {
		return nil, err
	}
	return step, nil
}

// Untrainable lists the nodes that keep a strategy from training an ABN, and says why; nothing if it
// can be trained. No runtime is needed.
func Untrainable(ctx context.Context, abn *onnx.ABN, strategy recipe.Strategy, norm recipe.BatchNorm) ([]gradient.Reason, error) {
	_, err := buildStep(ctx, sourceOf(abn, strategy), recipe.Settings{Strategy: strategy, BatchNorm: norm, MapLoss: recipe.MapLossL2, Gamma: 1}, target{})
	var unsupported *gradient.UnsupportedError
	if errors.As(err, &unsupported) {
		return unsupported.Reasons, nil
	}
	return nil, err
}

// passes are the way from a network's graph to its training step, in their order.
func (b *stepBuilder) passes() []pass {
	list := []pass{
		{"raise", raise},
		{"simplify", simplify},
		{"choose", b.choose},
		{"losses", b.losses},
		{"differentiate", b.differentiate},
		{"outputs", b.giveOutputs},
	}
	if b.target.plainStatistics {
		list = append(list, pass{"plain statistics", plainStatistics})
	}
	return append(list, b.target.blockPasses()...)
}

// choose decides what the strategy trains. BatchNormalizations that are trained use the batch's statistics and give them out,
// all others use the running ones.
func (b *stepBuilder) choose(ctx context.Context, m *onnx.Model) error {
	source := b.source
	source.model = m
	chosen, err := source.selects(ctx, b.settings.Strategy, b.settings.BatchNorm)
	if err != nil {
		return err
	}
	b.weights, b.statistics, b.sizes = chosen.weights, chosen.statistics, chosen.sizes
	for i, n := range chosen.norms {
		one := &b.statistics[i]
		setTraining(n, true)
		one.batchMean, one.batchVariance = "batch/"+one.mean, "batch/"+one.variance
		n.Outputs = append(n.Outputs[:1], one.batchMean, one.batchVariance)
	}
	return nil
}

// losses turns what a run feeds into inputs, and adds the losses.
func (b *stepBuilder) losses(_ context.Context, m *onnx.Model) error {
	b.addInputs(m.Graph, b.source.input)
	return addLosses(m.Graph, b.loss, b.sizes, b.settings.MapLoss, b.settings.Gamma, b.settings.Anchor)
}

// differentiate adds the gradients, in operators over blocks where the target has them.
func (b *stepBuilder) differentiate(ctx context.Context, m *onnx.Model) (err error) {
	b.derivatives, err = gradient.AppendBlocked(ctx, m, b.loss.total, b.weights, b.target.block)
	return err
}

// giveOutputs makes losses, logits, gradients and statistics the graph's outputs.
func (b *stepBuilder) giveOutputs(ctx context.Context, m *onnx.Model) error {
	if err := b.takeGradients(ctx, m, b.derivatives); err != nil {
		return err
	}
	m.Graph.Outputs = nil
	for _, name := range b.outputs() {
		m.Graph.Outputs = append(m.Graph.Outputs, onnx.NewValue(name, onnx.Float, nil))
	}
	m.Metadata = nil
	return nil
}

// takeGradients notes the weights' derivatives as what the graph gives. One that is a Reshape is taken from before it,
// since the runtime would copy it into the buffer that it is to be put in.
func (step *stepGraph) takeGradients(ctx context.Context, m *onnx.Model, derivatives map[string]string) error {
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
	for _, name := range step.weights {
		derivative, shape := derivatives[name], dims[name]
		if last := index.Producer[derivative]; last != nil && last.IsOp("Reshape") && len(index.Consumers[derivative]) == 0 {
			before := last.Inputs[0]
			whole, known := info[before].Shape.Sizes()
			if index.Producer[before] != nil && known && len(whole) > 0 && !taken[before] && len(index.Consumers[before]) == 1 {
				derivative, shape, dead[last] = before, whole, true
			}
		}
		taken[derivative] = true
		step.gradients, step.gradientDims = append(step.gradients, derivative), append(step.gradientDims, shape)
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *onnx.Node) bool { return dead[n] })
	return nil
}

// addInputs declares what a run feeds: the weights turn from constants into inputs. Files of IR version
// 3 list all initializers among the inputs, which operator set 17 needs no more.
func (step *stepGraph) addInputs(g *onnx.Graph, input string) {
	l := step.loss
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v *onnx.ValueInfo) bool { return v.Name != input })
	g.Inputs = append(g.Inputs,
		onnx.NewValue(l.labels, onnx.Int64, onnx.Shape{onnx.Batch()}),
		onnx.NewValue(l.edited, onnx.Float, onnx.BatchOf(step.sizes.Cells())),
		onnx.NewValue(l.hasEdit, onnx.Float, onnx.Shape{onnx.Batch()}))
	if step.anchored {
		g.Inputs = append(g.Inputs, onnx.NewValue(l.anchored, onnx.Float, onnx.Shape{onnx.Batch()}))
	}
	feedInitializers(g, step.weights)
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

// Places in outputs. Behind them stand the gradients, as weights, a mean and a variance of each of statistics, and last, with
// an anchor, its distance.
const (
	outputLossAtt     = iota // [1], L_att
	outputLossPer            // [1], L_per
	outputMapDistance        // [1], L_map with γ = 1
	outputLogitsAtt          // [N, K]
	outputLogitsPer          // [N, K]
	outputGradients
)

// outputs are the names of what a run gives.
func (step *stepGraph) outputs() []string {
	l := step.loss
	names := append([]string{l.att, l.per, l.mapDistance, l.logitsAtt, l.logitsPer}, step.gradients...)
	for _, s := range step.statistics {
		names = append(names, s.batchMean, s.batchVariance)
	}
	if step.anchored {
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
