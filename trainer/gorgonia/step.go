package gorgonia

import (
	"context"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx/gradient"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/step"
)

// lossInputs are the inputs of the losses, for a batch of N. The graph computes one loss per row; the means over the batch, its
// edited and its anchored rows come from the weights of the rows, so that neither γ nor the number of edits is part of the graph.
//
//	L = Σ_i 1/N·att_i + 1/N·per_i + w_i·d_i + v_i·a_i,   w_i = γ/|S| on edited rows, α/|A| on anchored ones; v_i = γ_n/|S| on edited rows
//
// (with weights by class, w_i and v_i of an edited row are times its own).
type lossInputs struct {
	labels         *G.Node // [N, K], 1 at the label
	target         *G.Node // [N, h·w], the target map
	share          *G.Node // [N], 1/N
	weight         *G.Node // [N], w
	anchor         *G.Node // [N], α/|A| on anchored rows; nil where w has it, since L_anchor has the form of L_map
	known, avoided *G.Node // [N, h·w], k and the shares of n
	avoid          *G.Node // [N], v
}

// stepProgram computes a training step's losses and gradients for one batch size.
type stepProgram struct {
	lossInputs
	input   *G.Node
	program *program
	weights int // gradients among the targets
	norms   int // pairs of statistics
}

// Indexes of a step's results; gradients and statistics follow.
const (
	placeLossAtt = iota // [N]
	placeLossPer
	placeDistance
	placeAvoidance
	placeLogitsAtt // [N, K]
	placeLogitsPer
	placeAnchored // distances to anchored rows' targets; those of placeDistance where L_anchor has the form of L_map
	placeGradients
)

// buildStep builds the step and lets Gorgonia differentiate it. An *gradient.UnsupportedError lists what
// the engine lacks.
func buildStep(b *builder, net *network, n int) (_ *stepProgram, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("gorgonia: %v", p)
		}
	}()
	for _, norm := range net.Norms {
		b.batch[norm] = true
	}
	outputs, err := b.outputs(net.source)
	if err != nil {
		return nil, err
	}
	classes, cells := int(net.Sizes.Classes), int(net.Sizes.Cells())
	s := &stepProgram{input: b.values[net.source.Input], weights: len(net.Weights), norms: len(net.Norms)}
	s.labels = b.input("loss/labels", []int{n, classes}, nil)
	s.target = b.input("loss/target", []int{n, cells}, nil)
	s.share = b.input("loss/share", []int{n}, nil)
	s.weight = b.input("loss/weight", []int{n}, nil)
	s.known = b.input("loss/known", []int{n, cells}, nil)
	s.avoided = b.input("loss/avoided", []int{n, cells}, nil)
	s.avoid = b.input("loss/avoid", []int{n}, nil)
	att, err := b.crossEntropies(outputs[0], s.labels)
	if err != nil {
		return nil, err
	}
	per, err := b.crossEntropies(outputs[1], s.labels)
	if err != nil {
		return nil, err
	}
	distances, err := b.distances(outputs[2], s.target, s.known, net.settings.MapLoss, net.settings.MapWeight)
	if err != nil {
		return nil, err
	}
	anchored := distances
	if net.anchoredApart() {
		s.anchor = b.input("loss/anchor", []int{n}, nil)
		if anchored, err = b.distances(outputs[2], s.target, s.known, step.AnchorForm(net.settings.MapLoss), net.settings.MapWeight); err != nil {
			return nil, err
		}
	}
	avoidances, err := b.avoidances(outputs[2], s.avoided)
	if err != nil {
		return nil, err
	}
	var weights G.Nodes
	for _, name := range net.Weights {
		w := b.values[name]
		if w == nil {
			return nil, fmt.Errorf("the weight %s does not influence the loss", name)
		}
		weights = append(weights, w)
	}
	losses, shares := G.Nodes{att, per, distances, avoidances}, G.Nodes{s.share, s.share, s.weight, s.avoid}
	if s.anchor != nil {
		losses, shares = append(losses, anchored), append(shares, s.anchor)
	}
	gradients, err := G.Backpropagate(losses, shares, weights)
	if err != nil {
		return nil, fmt.Errorf("gorgonia differentiates the step: %w", err)
	}
	targets := slices.Concat(G.Nodes{att, per, distances, avoidances, outputs[0], outputs[1], anchored}, gradients)
	for _, norm := range net.Norms {
		targets = append(targets, b.norms[norm].mean, b.norms[norm].variance)
	}
	s.program = newProgram(b.graph, targets, b.maker)
	return s, nil
}

// outputs builds logits_att, logits_per and the map.
func (b *builder) outputs(source step.Source) ([]*G.Node, error) {
	var out []*G.Node
	var problem error
	for _, name := range source.Answers() {
		n, err := b.node(name)
		if err != nil {
			problem = err
		}
		out = append(out, n)
	}
	if b.ctx.Err() != nil {
		return nil, context.Cause(b.ctx)
	}
	if reasons := b.reasons(); len(reasons) > 0 {
		return nil, &gradient.UnsupportedError{Reasons: reasons}
	}
	return out, problem
}

// crossEntropies are −log softmax(logits_i)[label_i], [N].
func (b *builder) crossEntropies(logits, labels *G.Node) (*G.Node, error) {
	shape := logits.Shape()
	rows := []int{shape[0]}
	shifted, sum, err := b.exponentials(logits, 1)
	if err != nil {
		return nil, err
	}
	if sum, err = b.reshape(sum, rows); err != nil {
		return nil, err
	}
	logarithm, err := G.Log(sum)
	if err != nil {
		return nil, err
	}
	if shifted, err = G.HadamardProd(shifted, labels); err != nil {
		return nil, err
	}
	atLabel, err := b.rowSums(shifted, 1)
	if err != nil {
		return nil, err
	}
	return G.Sub(logarithm, atLabel)
}

// avoidances are the means of M_i over the cells that are not to be looked at, [N].
func (b *builder) avoidances(maps, avoided *G.Node) (*G.Node, error) {
	maps, err := b.reshape(maps, avoided.Shape())
	if err != nil {
		return nil, err
	}
	if maps, err = G.HadamardProd(maps, avoided); err != nil {
		return nil, err
	}
	return b.rowSums(maps, 1)
}

// distances are d(target_i, M_i) over the known cells, [N]: the L2 norm over the cells, the mean of the squares, the mean of the
// absolute differences, or the energy.
func (b *builder) distances(maps, target, known *G.Node, form recipe.MapLoss, weight recipe.MapWeight) (*G.Node, error) {
	maps, err := b.reshape(maps, target.Shape())
	if err != nil {
		return nil, err
	}
	if form == recipe.MapLossEnergy {
		return b.energies(maps, target, known)
	}
	difference, err := G.Sub(maps, target)
	if err != nil {
		return nil, err
	}
	if difference, err = G.HadamardProd(difference, known); err != nil {
		return nil, err
	}
	shape := target.Shape()
	share := float32(1 / float64(shape[1]))
	switch form {
	case recipe.MapLossL1:
		// Gorgonia's Abs has slope 1 at 0, which would be wrong for a map that equals its target.
		if difference, err = G.ApplyOp(newPointwise("Abs", shape, abs, sign), difference); err != nil {
			return nil, err
		}
		return b.rowSums(difference, share)
	case recipe.MapLossL2, recipe.MapLossMSE:
	default:
		return nil, step.UnknownForm(form)
	}
	if difference, err = G.Square(difference); err != nil {
		return nil, err
	}
	if form == recipe.MapLossMSE {
		return b.rowSums(difference, share)
	}
	sum, err := b.rowSums(difference, 1)
	if err != nil {
		return nil, err
	}
	if sum, err = G.Add(sum, G.NewConstant(float32(step.RootFloor))); err != nil {
		return nil, err
	}
	norms, err := G.Sqrt(sum)
	if err != nil || !weight.ByGrid() {
		return norms, err
	}
	return G.Mul(norms, G.NewConstant(float32(step.NormScale(int64(shape[1])))))
}

// energies are minus the logarithms of the shares of attention inside the targets, over the known cells, [N].
func (b *builder) energies(maps, target, known *G.Node) (*G.Node, error) {
	logarithm := func(cells *G.Node) (*G.Node, error) {
		sum, err := b.rowSums(cells, 1)
		if err != nil {
			return nil, err
		}
		if sum, err = G.Add(sum, G.NewConstant(float32(step.ShareFloor))); err != nil {
			return nil, err
		}
		return G.Log(sum)
	}
	maps, err := G.HadamardProd(maps, known)
	if err != nil {
		return nil, err
	}
	everywhere, err := logarithm(maps)
	if err != nil {
		return nil, err
	}
	if maps, err = G.HadamardProd(maps, target); err != nil {
		return nil, err
	}
	inside, err := logarithm(maps)
	if err != nil {
		return nil, err
	}
	return G.Sub(everywhere, inside)
}

// rowSums are factor times the sums of the rows of a matrix.
func (b *builder) rowSums(x *G.Node, factor float32) (*G.Node, error) {
	rows := x.Shape()[0]
	sum, err := G.ApplyOp(total(x.Shape(), []int{rows, 1}, factor), x)
	if err != nil {
		return nil, err
	}
	return b.reshape(sum, []int{rows})
}

// run computes the step of a batch.
func (s *stepProgram) run(ctx context.Context, b engine.Batch, rows batchRows) ([][]float32, error) {
	classes := s.labels.Shape()[1]
	labels, share := make([]float32, b.Size*classes), make([]float32, b.Size)
	for i, label := range b.Labels {
		labels[i*classes+int(label)] = 1
		share[i] = 1 / float32(b.Size)
	}
	known, avoided := b.Marks()
	inputs := map[*G.Node][]float32{
		s.input: b.Inputs, s.labels: labels, s.target: rows.target, s.share: share, s.weight: rows.weight,
		s.known: known, s.avoided: avoided, s.avoid: rows.avoid,
	}
	if s.anchor != nil {
		inputs[s.anchor] = rows.anchor
	}
	return s.program.run(ctx, inputs)
}
