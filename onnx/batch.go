package onnx

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// openBatch gives the image input a symbolic batch axis "N". In a file that was exported for one batch size, Reshape and Resize
// nodes with that size as a constant are made to copy the first axis of their input. fixed is that size, 0 if the batch was open
// already.
func openBatch(ctx context.Context, m *Model, image *ValueInfo) (fixed int64, err error) {
	batch := image.Shape[0]
	if !batch.Known() {
		image.Shape[0] = Batch()
		nameBatch(m.Graph, batch)
		return 0, nil
	}
	before, err := Infer(ctx, m, nil) // with the file's own size
	if err != nil {
		return 0, err
	}
	image.Shape[0] = Batch()
	varying := map[string]bool{image.Name: true}
	var resizes []*Node
	var joins []joined
	carried, opened := &batchAxes{at: map[string]batchAxis{image.Name: {0, 1}}, inferred: before, batch: batch.Size}, false
	asExported := &finder{graph: m.Graph, index: m.Graph.Index(), inferred: before}
	for _, n := range m.Graph.Nodes {
		if !slices.ContainsFunc(n.Inputs, func(in string) bool { return varying[in] }) {
			continue
		}
		for _, out := range n.Outputs {
			varying[out] = true
		}
		carried.follow(n)
		joins = append(joins, carried.joins(n, varying)...)
		if n.IsOp("Gather") && varying[n.Input(0)] {
			if r := asExported.strided(n, batch); r.sizes != nil {
				r.apply(m.Graph, n)
			}
		}
		if n.IsOp("Expand") && varying[n.Input(0)] && batch.Size != 1 {
			if x, ok := before.Ints(n.Input(1)); ok && len(x) > 1 && x[0] == batch.Size && len(before.Shape(n.Input(0))) == len(x) && before.Shape(n.Input(0))[0] == batch {
				x[0] = 1 // whatever the batch is
				name := n.Output(0) + "/open_batch_shape"
				m.Graph.Initializers = append(m.Graph.Initializers, NewInt64(name, []int64{int64(len(x))}, x))
				n.Inputs[1] = name
			}
		}
		if n.IsOp("Resize") && varying[n.Input(0)] {
			resizes = append(resizes, n)
		}
		if !n.IsOp("Reshape") || !varying[n.Input(0)] {
			continue
		}
		x := before.Shape(n.Input(0))
		sizes, ok := before.Ints(n.Input(1))
		if !ok || len(x) == 0 || len(sizes) == 0 {
			continue
		}
		if at, followed := carried.at[n.Input(0)]; x[0] != batch || sizes[0] != batch.Size || followed && at.axis != 0 {
			if open := carried.open(n, sizes); open != nil {
				reshapeTo(m.Graph, n, open)
				opened = true
			}
			continue
		}
		if n.AttrInt("allowzero", 0) != 0 && slices.Contains(sizes, 0) {
			continue // an axis of no elements
		}
		sizes[0] = 0
		reshapeTo(m.Graph, n, sizes)
	}
	if opened {
		carried.declare(m.Graph, batch)
	}
	for _, j := range joins {
		j.open(m.Graph, batch.Size)
	}
	if len(joins) > 0 {
		m.Graph.sort()
	}
	for _, n := range resizes {
		if sizes, ok := before.Ints(n.Input(3)); ok && n.Attr("axes") == nil && len(sizes) > 1 && sizes[0] == batch.Size && len(before.Shape(n.Input(0))) == len(sizes) {
			resizeTo(m.Graph, n, sizes[1:])
		}
	}
	return batch.Size, nil
}

// resizeTo lets a Resize leave its input's first axis as it is, and make the others of these sizes.
func resizeTo(g *Graph, n *Node, sizes []int64) {
	e := Edit(g, n.Output(0)+"/open_batch")
	list := func(v ...int64) string { return e.Constant(NewInt64("", []int64{int64(len(v))}, v)) }
	first := e.Node("Gather", []string{e.Node("Shape", []string{n.Input(0)}), list(0)})
	n.Inputs[3] = e.Node("Concat", []string{first, list(sizes...)}, IntAttr("axis", 0))
	g.sort()
}

// nameBatch renames the batch axis to "N" in all shapes that the file declares, so that these can be used for values whose batch
// axis inference loses.
func nameBatch(g *Graph, batch Dim) {
	if batch.Name == "" {
		return
	}
	for _, list := range [][]*ValueInfo{g.ValueInfo, g.Outputs} {
		for _, v := range list {
			for i, d := range v.Shape {
				if d == batch {
					v.Shape[i] = Batch()
				}
			}
		}
	}
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

// batchFromFeatures finds nodes behind the extractor that read the batch's size from the image or from inside the extractor, as
// torch.export writes them. A branch has the features only, so these nodes are changed: a Reshape takes the size from its own
// input; torch's as_strided becomes such a Reshape if it only gives a tensor other axes; all others read the size from the shape
// of the features. The changes are kept for Split.
func (f *finder) batchFromFeatures(extractor map[*Node]bool, varying map[string]bool) {
	p := f.parts
	p.reshapes = map[string]newReshape{}
	inside := f.madeInside(extractor, varying)
	for _, n := range f.graph.Nodes {
		if extractor[n] || !varying[n.Input(0)] || !varying[n.Input(1)] || !inside[n.Input(1)] {
			continue
		}
		var r newReshape
		switch {
		case n.IsOp("Reshape"):
			r = newReshape{n.Input(0), f.inferred.batchReshape(n)}
		case n.IsOp("Gather"):
			r = f.strided(n, Batch())
		}
		if value := f.index.valueOf(n); r.sizes != nil && value != "" {
			r.apply(f.graph, n)
			p.reshapes[value] = r
		}
	}
	for _, n := range f.branches() {
		value := f.index.valueOf(n)
		if extractor[n] || value == "" {
			continue
		}
		for i, in := range n.Inputs {
			if !varying[in] || !inside[in] {
				continue
			}
			if sizes, dims := f.inferred.sizesOf(in); sizes != nil {
				p.batchReads = append(p.batchReads, batchRead{value, i, sizes, dims})
			}
		}
	}
	if len(p.batchReads) > 0 {
		readBatch(f.graph, p.Names.Features, p.batchReads)
	}
	if len(p.batchReads) > 0 || len(p.reshapes) > 0 {
		f.index = f.graph.Index()
	}
}

// branches are the nodes behind features and image that the map and the logits need, in the graph's order.
func (f *finder) branches() (list []*Node) {
	names := f.parts.Names
	needed := (&finder{index: f.graph.Index()}).ancestors([]string{names.Map, names.LogitsAtt, names.LogitsPer}, names.Features)
	for _, n := range f.graph.Nodes {
		if needed[n] {
			list = append(list, n)
		}
	}
	return list
}

// newReshape is how a node becomes a Reshape of a value to constant sizes, in which 0 stands for the value's own.
type newReshape struct {
	from  string
	sizes []int64
}

func (r newReshape) apply(g *Graph, n *Node) {
	if !n.IsOp("Reshape") {
		n.Op, n.Attributes, n.Inputs = "Reshape", nil, []string{"", ""}
	}
	n.Inputs[0] = r.from
	reshapeTo(g, n, r.sizes)
}

// batchRead is an input of a node that is computed from the batch's size alone: its elements, theBatch where it stands.
type batchRead struct {
	node  string // a value that the node makes
	input int
	sizes []int64
	dims  []int64 // none or one
}

// theBatch stands for the batch's size in a batchRead.
const theBatch = math.MinInt64

// sizesOf are the elements of an integer, or a list of them, that is known but for the batch's size; nil where it is not.
func (inf *Inferred) sizesOf(name string) (sizes, dims []int64) {
	v := inf.known[name]
	if v == nil || v.dtype != Int64 || len(v.shape) > 1 || v.ints() == nil {
		return nil, nil
	}
	dims, ok := v.shape.Sizes()
	if !ok {
		return nil, nil
	}
	sizes = []int64{}
	for _, e := range v.ints() {
		switch {
		case e.fixed():
			sizes = append(sizes, e.v)
		case e.dim() == Batch():
			sizes = append(sizes, theBatch)
		default:
			return nil, nil
		}
	}
	return sizes, dims
}

// readBatch lets nodes read the batch's size from the features.
func readBatch(g *Graph, features string, reads []batchRead) {
	index, e := g.Index(), Edit(g, features+"/batch")
	list := func(v ...int64) string { return e.Constant(NewInt64("", []int64{int64(len(v))}, v)) }
	shape := e.Node("Shape", []string{features})
	batch := e.Node("Gather", []string{shape, list(0)})
	for _, r := range reads {
		var pieces []string
		for rest := r.sizes; len(rest) > 0; {
			n := slices.Index(rest, theBatch)
			switch {
			case n == 0:
				pieces, rest = append(pieces, batch), rest[1:]
			case n < 0:
				pieces, rest = append(pieces, list(rest...)), nil
			default:
				pieces, rest = append(pieces, list(rest[:n]...)), rest[n:]
			}
		}
		var value string
		switch {
		case len(r.dims) == 0 && r.sizes[0] == theBatch:
			value = e.Node("Gather", []string{shape, e.Constant(NewInt64("", nil, []int64{0}))})
		case len(r.dims) == 0:
			value = e.Constant(NewInt64("", nil, r.sizes))
		case len(pieces) == 0:
			value = list()
		case len(pieces) == 1:
			value = pieces[0]
		default:
			value = e.Node("Concat", pieces, IntAttr("axis", 0))
		}
		index.Producer[r.node].Inputs[r.input] = value
	}
	g.sort()
}

// batchReshape is the constant target of a Reshape whose target is computed from the batch's size alone, with 0 in place of the
// batch; nil if there is none.
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
