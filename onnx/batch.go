package onnx

import (
	"context"
	"fmt"
	"slices"
)

// openBatch gives the image input a symbolic batch axis "N". In a file that was exported for one batch size
// the Reshape nodes that repeat that size copy their input's first axis instead; it returns the size, 0 where the
// batch was open already. Nodes keep their places.
func openBatch(ctx context.Context, m *Model, image *ValueInfo) (fixed int64, err error) {
	batch := image.Shape[0]
	if !batch.Known() {
		image.Shape[0] = Batch()
		return 0, nil
	}
	before, err := Infer(ctx, m, nil) // with the file's own size
	if err != nil {
		return 0, err
	}
	image.Shape[0] = Batch()
	varying := map[string]bool{image.Name: true}
	for _, n := range m.Graph.Nodes {
		if !slices.ContainsFunc(n.Inputs, func(in string) bool { return varying[in] }) {
			continue
		}
		for _, out := range n.Outputs {
			varying[out] = true
		}
		if !n.IsOp("Reshape") || !varying[n.Input(0)] {
			continue
		}
		x := before.Shape(n.Input(0))
		if len(x) == 0 || x[0] != batch {
			continue
		}
		sizes, ok := before.Ints(n.Input(1))
		if !ok || len(sizes) == 0 || sizes[0] != batch.Size {
			continue
		}
		if n.AttrInt("allowzero", 0) != 0 && slices.Contains(sizes, 0) {
			continue // an axis of no elements
		}
		sizes[0] = 0
		reshapeTo(m.Graph, n, sizes)
	}
	return batch.Size, nil
}

// reshapeTo gives a Reshape a constant target, in which 0 stands for the input's own size.
func reshapeTo(g *Graph, n *Node, sizes []int64) {
	if n.Attr("allowzero") != nil {
		n.SetAttr(IntAttr("allowzero", 0))
	}
	name := fmt.Sprintf("%s/open_batch_shape", n.Output(0))
	g.Initializers = append(g.Initializers, NewInt64(name, []int64{int64(len(sizes))}, sizes))
	n.Inputs[1] = name
}

// batchFromFeatures finds the Reshape nodes behind the extractor that learn the batch's size from the image or from inside the
// extractor, as torch.export writes it, and lets them take it from what they reshape: a branch sees features only. The
// new targets are kept by the node's value, for Split.
func (f *finder) batchFromFeatures(extractor map[*Node]bool, varying map[string]bool) {
	f.parts.reshapes = map[string][]int64{}
	inside := f.madeInside(extractor, varying)
	for _, n := range f.graph.Nodes {
		if extractor[n] || !n.IsOp("Reshape") || !varying[n.Input(0)] || !varying[n.Input(1)] || !inside[n.Input(1)] {
			continue
		}
		sizes, value := f.inferred.batchReshape(n), f.index.valueOf(n)
		if sizes != nil && value != "" {
			reshapeTo(f.graph, n, sizes)
			f.parts.reshapes[value] = sizes
		}
	}
}

// batchReshape is what a Reshape's target can be written as that is computed from the batch's size alone, with 0 where
// it stands; nil where it cannot.
func (inf *Inferred) batchReshape(n *Node) []int64 {
	x, target := inf.Shape(n.Input(0)), inf.known[n.Input(1)]
	if target == nil || target.ints() == nil {
		return nil
	}
	sizes := make([]int64, len(target.ints()))
	for k, e := range target.ints() {
		switch {
		case e.fixed() && e.v != 0:
			sizes[k] = e.v
		case e.fixed() || k >= len(x) || e.dim() != x[k] || x[k] != Batch():
			return nil
		}
	}
	return sizes
}

// madeInside are the values that are computed from the image or from inside the extractor, other than from the features.
func (f *finder) madeInside(extractor map[*Node]bool, varying map[string]bool) map[string]bool {
	inside := map[string]bool{f.parts.Names.Image: true}
	for _, n := range f.graph.Nodes {
		made := extractor[n]
		for _, in := range n.Reads() {
			made = made || in != f.parts.Names.Features && inside[in]
		}
		for _, out := range n.Outputs {
			if made && varying[out] {
				inside[out] = true
			}
		}
	}
	return inside
}
