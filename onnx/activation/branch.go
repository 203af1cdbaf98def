package activation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/onnx"
)

// Branch is one of an ABN's two branches.
type Branch = attention.Branch

// The branches. The perception branch reads a map, the network's own or a person's.
const (
	Attention  = attention.AttentionBranch
	Perception = attention.PerceptionBranch
)

// ErrBranch says that a Branch is neither of the two.
var ErrBranch = errors.New("no such branch")

// Graph computes an activation map. It takes batches of any size:
//
//	features [N,C,h,w] float32, and for the perception branch map [N,1,h,w] float32
//	class    [N] int64, from 0 to K−1, one for each image
//	→ activation [N,1,Height,Width] float32, not normalised
type Graph struct {
	Model         *onnx.Model
	Inputs        []string // in the order above
	Output        string
	Value         string // A, by its name in the file
	Channels      int    // of A
	Height, Width int    // of A and so of the activation map; a branch that strides has fewer cells than the attention map
}

// branch is a branch of an ABN, to which nodes are added.
type branch struct {
	name     Branch
	parts    *onnx.Parts
	model    *onnx.Model // a copy of the branch's graph
	logits   string
	inferred *onnx.Inferred
	index    *onnx.Index
	*onnx.Editor
}

func newBranch(ctx context.Context, abn *onnx.ABN, name Branch) (*branch, error) {
	b := &branch{name: name, parts: &abn.Parts}
	switch name {
	case Attention:
		b.model, b.logits = abn.Attention.Clone(), onnx.PortLogitsAtt
	case Perception:
		b.model, b.logits = abn.Perception.Clone(), onnx.PortLogitsPer
	default:
		return nil, fmt.Errorf("%w: %q is neither %s nor %s", ErrBranch, name, Attention, Perception)
	}
	var err error
	if b.inferred, err = onnx.Infer(ctx, b.model, nil); err != nil {
		return nil, fmt.Errorf("inferring the shapes of the %s branch: %w", name, err)
	}
	b.index, b.Editor = b.model.Graph.Index(), onnx.Edit(b.model.Graph, "activation")
	return b, nil
}

// sizes are C, h and w of a value (N,C,h,w); ok is false for any other shape.
func (b *branch) sizes(value string) (c, h, w int, ok bool) {
	s := b.inferred.Shape(value)
	if len(s) != 4 || s[0].Name != onnx.BatchName || !s[1].Known() || !s[2].Known() || !s[3].Known() {
		return 0, 0, 0, false
	}
	return int(s[1].Size), int(s[2].Size), int(s[3].Size), true
}

// fileName is the name that a value of the split graph has in the file.
func (b *branch) fileName(value string) string {
	switch value {
	case onnx.PortFeatures:
		return b.parts.Names.Features
	case onnx.PortMap:
		return b.parts.Names.Map
	case onnx.PortLogitsAtt:
		return b.parts.Names.LogitsAtt
	case onnx.PortLogitsPer:
		return b.parts.Names.LogitsPer
	}
	return value
}

// shape adds a constant for a Reshape to read; 0 keeps an axis and −1 takes what is left.
func (b *branch) shape(dims ...int64) string {
	return b.Constant(onnx.NewInt64("", []int64{int64(len(dims))}, dims))
}

// classInput adds the input that gives the class of interest for each image, [N] int64.
func (b *branch) classInput() string {
	name := b.Fresh("class")
	b.model.Graph.Inputs = append(b.model.Graph.Inputs, onnx.NewValue(name, onnx.Int64, onnx.BatchOf()))
	return name
}

// chosen adds the class input as one-hot rows, [N,K] float32.
func (b *branch) chosen(class string) string {
	classes := int64(b.parts.Classes)
	return b.Node("OneHot", []string{class,
		b.Constant(onnx.NewInt64("", []int64{1}, []int64{classes})),
		b.Constant(onnx.NewFloat32("", []int64{2}, []float32{0, 1}))}, onnx.IntAttr("axis", -1))
}

// weightedSum adds Σ_c weights[n,c]·A[n,c,i,j] → [N,1,h,w], as one product of matrices an image.
func (b *branch) weightedSum(weights, value string) string {
	c, h, w, _ := b.sizes(value)
	row := b.Node("Reshape", []string{weights, b.shape(-1, 1, int64(c))})
	cells := b.Node("Reshape", []string{value, b.shape(0, int64(c), int64(h)*int64(w))})
	return b.Node("Reshape", []string{b.Node("MatMul", []string{row, cells}), b.shape(-1, 1, int64(h), int64(w))})
}

// graph finishes the branch: its only output is output, and nodes that output does not depend on are removed.
func (b *branch) graph(class, output, value string) *Graph {
	c, h, w, _ := b.sizes(value)
	g := b.model.Graph
	index := g.Index()
	needed, read := map[*onnx.Node]bool{}, map[string]bool{}
	for queue := []string{output}; len(queue) > 0; queue = queue[1:] {
		read[queue[0]] = true
		if n := index.Producer[queue[0]]; n != nil && !needed[n] {
			needed[n] = true
			queue = append(queue, n.Reads()...)
		}
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *onnx.Node) bool { return !needed[n] })
	g.Initializers = slices.DeleteFunc(g.Initializers, func(t *onnx.Tensor) bool { return !read[t.Name] })
	g.Outputs = []*onnx.ValueInfo{onnx.NewValue(output, onnx.Float, onnx.BatchOf(1, int64(h), int64(w)))}
	g.Name = "activation map of the " + string(b.name) + " branch"
	inputs := []string{onnx.PortFeatures}
	if b.name == Perception {
		inputs = append(inputs, onnx.PortMap)
	}
	return &Graph{Model: b.model, Inputs: append(inputs, class), Output: output,
		Value: b.fileName(value), Channels: c, Height: h, Width: w}
}
