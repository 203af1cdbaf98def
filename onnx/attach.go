package onnx

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrAttach says that a network cannot be given an attention branch; the message names the node and the reason.
var ErrAttach = errors.New("cannot attach an attention branch")

// AttachSettings says how Attach makes an ABN of a classifier.
type AttachSettings struct {
	// At names the value to split at, or the node that makes it; "" lets Attach choose.
	At string
	// Classes is K of the ABN; 0: the classifier's own.
	Classes int
	// NewHead replaces the classifier's last layer even if it has the number of classes asked for.
	NewHead bool
	Gain    Gain  // "" : GainOnePlusM
	Seed    int64 // of the new layers' values
	// Image and LogitsPer name the input and the logits where they cannot be told; Size opens a file that leaves its
	// input's height and width open.
	Names PartNames
}

// Attached is an ABN made of a classifier.
type Attached struct {
	// Model takes an image [N,channels,H,W], with an open batch, to logits_att [N,K], logits_per [N,K] and attention [N,1,h,w].
	Model    *Model
	Cut      Cut   // where the map multiplies the features
	Cuts     []Cut // where it could have, from the image on
	Classes  int   // K
	Was      int   // the classifier's own classes
	HeadKept bool  // the last layer is the classifier's
	CopyEnd  Cut   // where the attention branch's copy of the last stage ends, at the classifier's own stride
	Copied   int   // nodes of the attention branch that are copies of the last stage's
}

// Attach makes an Attention Branch Network of a classifier (Fukui et al., arXiv 1812.10025). Everything before the cut is the
// extractor. The last stage, behind the cut, is the perception branch and is not changed. The attention branch is a copy of the
// first half of that stage, with strides of 1 and tensors of its own, and ends in the published head:
//
//	[N,C,h,w] → BN → Conv 1×1 → K → BN → Relu → Conv 1×1 → GlobalAveragePool → logits_att [N,K]
//	                                      └→ Conv 3×3 → 1 → BN → Sigmoid → attention [N,1,h,w]
//
// BN is a BatchNormalization, even if the classifier has none: features may have any scale, and without BN the K channels behind
// the Relu can all become 0. The last layer gets new values for K classes, or is kept if it has K classes already. If it is kept,
// a map of zeros under the gain 1+M gives the classifier's own logits. New values follow He et al. (arXiv 1502.01852), scaled by
// the number of a layer's inputs; they depend on the seed and the tensor's name only.
//
// m is not changed. Errors wrap ErrAttach, or ErrShape and ErrGraph for a broken file.
func Attach(ctx context.Context, m *Model, s AttachSettings) (*Attached, error) {
	if s.Gain == "" {
		s.Gain = GainOnePlusM
	}
	if s.Gain != GainM && s.Gain != GainOnePlusM {
		return nil, fmt.Errorf("%w: gain %q, want %q or %q", ErrAttach, s.Gain, GainOnePlusM, GainM)
	}
	if parts, err := FindParts(ctx, m, s.Names); err == nil {
		return nil, fmt.Errorf("%w: the network has one already: its map is %q, which multiplies the features %q", ErrAttach, parts.Names.Map, parts.Names.Features)
	}
	c, err := newClassifier(ctx, m, s.Names)
	if err != nil {
		return nil, err
	}
	cut, err := c.choose(c.nameOf(s.At))
	if err != nil {
		return nil, err
	}
	if s.Classes == 0 {
		s.Classes = c.classes
	}
	if s.Classes < 2 {
		return nil, fmt.Errorf("%w: %d classes, want at least 2", ErrAttach, s.Classes)
	}
	out := &Attached{Cut: cut, Cuts: c.cuts, Classes: s.Classes, Was: c.classes, HeadKept: s.Classes == c.classes && !s.NewHead}
	a := &attachment{classifier: c, cut: cut, end: c.copyEnd(cut), settings: s}
	out.CopyEnd = a.end
	if err := a.assemble(ctx, out); err != nil {
		return nil, err
	}
	parts, err := FindParts(ctx, out.Model, PartNames{})
	if err != nil {
		return nil, fmt.Errorf("%w: the outcome does not come apart: %w", ErrAttach, err)
	}
	if parts.Names.Features != cut.Value || parts.Classes != s.Classes {
		return nil, fmt.Errorf("%w: the result is split at %q with %d classes, want %q and %d", ErrAttach, parts.Names.Features, parts.Classes, cut.Value, s.Classes)
	}
	return out, nil
}

// AttachAdvice adds to an ErrNoABN of FindParts that Attach makes an ABN of the model, if it does. Of other errors and models, which it
// would refuse as well, it says nothing.
func AttachAdvice(ctx context.Context, m *Model, names PartNames, err error) error {
	if !errors.Is(err, ErrNoABN) {
		return err
	}
	made, fails := Attach(ctx, m, AttachSettings{Names: PartNames{Image: names.Image, Size: names.Size}})
	if fails != nil {
		return err
	}
	// An embedding or a regression looks the same in a graph.
	return fmt.Errorf("%w. If its %d answers are the scores of as many classes, it is a plain classifier: studio model attach --model FILE --at auto --out abn.onnx makes it an Attention Branch Network", err, made.Classes)
}

// attachment builds the ABN's graph.
type attachment struct {
	*classifier
	cut      Cut
	end      Cut // of the attention branch's copy
	settings AttachSettings
	editor   *Editor
	nodes    []*Node // of the ABN so far
}

// assemble fills in out.Model.
func (a *attachment) assemble(ctx context.Context, out *Attached) error {
	g := a.model.Graph
	a.editor = Edit(g, "")
	a.editor.Take(outputNames...)
	behind := a.behind(a.cut.Value)
	var stage []*Node
	for _, n := range g.Nodes {
		if behind[n] {
			stage = append(stage, n)
		} else {
			a.nodes = append(a.nodes, n)
		}
	}
	if err := a.unshare(ctx, behind); err != nil {
		return err
	}
	copied, err := a.copyStage(stage)
	if err != nil {
		return err
	}
	out.Copied = len(a.nodes) - (len(g.Nodes) - len(stage))
	a.attentionHead(copied)

	attended := a.add("Mul", "/mechanism", a.editor.Name("/attended"), a.cut.Value, AttentionOutput)
	if a.settings.Gain == GainOnePlusM {
		attended = a.add("Add", "/residual", a.editor.Name("/residual/sum"), attended, a.cut.Value)
	}
	for _, n := range stage {
		for i, in := range n.Inputs {
			if in == a.cut.Value {
				n.Inputs[i] = attended
			}
		}
	}
	if !out.HeadKept {
		if err := a.newHead(); err != nil {
			return err
		}
	}
	a.nodes = append(a.nodes, stage...)
	logits := a.logits
	if a.flatten { // (N,K,1,1)
		logits = a.add("Flatten", "/logits_per", a.editor.Name("/logits_per/flat"), logits)
	}
	renameValue(a.nodes, logits, LogitsPerOutput)
	out.Model = a.finish()
	return a.check(ctx, out)
}

// The outputs of what Attach makes.
const (
	LogitsAttOutput = "logits_att" // [N, K]
	LogitsPerOutput = "logits_per" // [N, K]
	AttentionOutput = "attention"  // [N, 1, h, w]
)

var outputNames = []string{LogitsAttOutput, LogitsPerOutput, AttentionOutput}

// add appends a node and returns its output.
func (a *attachment) add(op, name, output string, inputs ...string) string {
	a.nodes = append(a.nodes, NewNode(op, a.editor.Name(name), inputs, []string{output}))
	return output
}

// unshare gives the stage its own copies of tensors that the extractor reads too. Exporters write equal tensors once, but the
// extractor's must not change when the stage is trained.
func (a *attachment) unshare(ctx context.Context, behind map[*Node]bool) error {
	before := map[string]bool{}
	for _, n := range a.model.Graph.Nodes {
		if !behind[n] {
			for _, in := range n.Inputs {
				before[in] = true
			}
		}
	}
	own := map[string]string{}
	for _, n := range a.model.Graph.Nodes {
		if !behind[n] {
			continue
		}
		for i, in := range n.Inputs {
			t := a.index.Initializers[in]
			if t == nil || !before[in] || t.Type != Float {
				continue
			}
			if own[in] == "" {
				own[in] = a.copyTensor(t, "perception."+in)
			}
			n.Inputs[i] = own[in]
		}
	}
	return a.infer(ctx)
}

// copyTensor adds a copy of an initializer under a name of its own.
func (a *attachment) copyTensor(t *Tensor, name string) string {
	c := t.Clone()
	c.Name = a.editor.Name(name)
	return a.editor.Keep(c)
}

// finish is the model of the nodes so far.
func (a *attachment) finish() *Model {
	m := *a.model
	g := *m.Graph
	g.Nodes = a.nodes
	read := map[string]bool{}
	for _, n := range g.Nodes {
		for _, in := range n.Reads() {
			read[in] = true
		}
	}
	g.Initializers = nil
	for _, t := range m.Graph.Initializers {
		if read[t.Name] {
			g.Initializers = append(g.Initializers, t)
		}
	}
	g.Inputs = []*ValueInfo{a.image}
	k := int64(a.settings.Classes)
	g.Outputs = []*ValueInfo{
		NewValue(LogitsAttOutput, Float, BatchOf(k)),
		NewValue(LogitsPerOutput, Float, BatchOf(k)),
		NewValue(AttentionOutput, Float, BatchOf(1, int64(a.cut.Height), int64(a.cut.Width))),
	}
	g.ValueInfo = nil // what the exporter said of shapes may no longer hold
	m.Graph = &g
	m.IRVersion = max(m.IRVersion, 4) // before version 4 initializers had to be inputs as well
	return &m
}

// check infers the shapes of the new graph, so that a stage that only works at its old size is refused with the node's name.
func (a *attachment) check(ctx context.Context, out *Attached) error {
	inferred, err := Infer(ctx, out.Model, nil)
	if err != nil {
		return fmt.Errorf("%w: without its strides the last stage does not fit together: %w", ErrAttach, err)
	}
	h, w := int64(out.Cut.Height), int64(out.Cut.Width)
	for _, n := range out.Model.Graph.Nodes {
		was, ok := a.copies[n]
		if !ok {
			continue
		}
		old, now := a.inferred.Shape(was.Output(0)), inferred.Shape(n.Output(0))
		if isPlane(old) && len(old) == len(now) && (now[2] != Fixed(h) || now[3] != Fixed(w)) && slices.Contains(a.grids, [2]int64{old[2].Size, old[3].Size}) {
			return fmt.Errorf("%w: %v makes %v of what its copy should keep at %d×%d", ErrAttach, was, now, h, w)
		}
	}
	for name, want := range map[string]Shape{
		LogitsAttOutput: BatchOf(int64(out.Classes)), LogitsPerOutput: BatchOf(int64(out.Classes)), AttentionOutput: BatchOf(1, h, w),
	} {
		if got := inferred.Shape(name); !got.Equal(want) {
			return fmt.Errorf("%w: %s has shape %v, want %v", ErrAttach, name, got, want)
		}
	}
	return nil
}
