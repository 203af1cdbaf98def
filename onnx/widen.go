package onnx

import "slices"

// Files that are to be small keep weights in float16 or bfloat16, and cast them to float32 where they are used. The branches are
// trained in float32: there such a weight is kept in float32 and needs no Cast, which leaves the network what it was.

// widening is a stored weight whose Casts to float32 are left out.
type widening struct {
	stored *Tensor
	casts  []*Node
	name   string // of the float32 tensor: the stored one's, which may be PyTorch's, unless something else reads that one
}

// widens is the stored weight that a node casts to float32; nil if it does something else.
func widens(n *Node, index *Index) *Tensor {
	if !n.IsOp("Cast") || DataType(n.AttrInt("to", 0)) != Float {
		return nil
	}
	if t := index.Initializers[n.Input(0)]; t != nil && (t.Type == Float16 || t.Type == BFloat16) {
		return t
	}
	return nil
}

// widenings are those that a graph allows.
func widenings(g *Graph, index *Index) (found []widening) {
	asStored := func(n *Node) bool { // or in a graph of control flow, where it is not renamed
		out := n.Output(0)
		return widens(n, index) == nil || g.Output(out) != nil || slices.ContainsFunc(index.Consumers[out], func(r *Node) bool { return !slices.Contains(r.Inputs, out) })
	}
	for _, n := range g.Nodes {
		t := widens(n, index)
		if t == nil || g.Output(n.Output(0)) != nil {
			continue
		}
		readers := index.Consumers[t.Name]
		if g.Output(t.Name) != nil || slices.ContainsFunc(g.Inputs, func(v *ValueInfo) bool { return v.Name == t.Name }) || slices.ContainsFunc(readers, asStored) {
			found = append(found, widening{t, []*Node{n}, n.Output(0)})
		} else if n == readers[0] {
			found = append(found, widening{t, readers, t.Name})
		}
	}
	return found
}

// widen makes those of a graph's widenings that are wanted.
func widen(g *Graph, index *Index, wanted func(w widening) bool) {
	gone := map[*Node]bool{}
	for _, w := range widenings(g, index) {
		if !wanted(w) {
			continue
		}
		values, err := w.stored.Float32s()
		if err != nil {
			continue // its bytes do not fill its shape, which Infer says
		}
		t := w.stored
		if w.name != t.Name {
			t = &Tensor{Name: w.name, Dims: slices.Clone(t.Dims)}
			g.Initializers = append(g.Initializers, t)
		}
		t.SetFloat32s(values)
		for _, n := range w.casts {
			gone[n] = true
			renameValue(index.Consumers[n.Output(0)], n.Output(0), w.name)
		}
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *Node) bool { return gone[n] })
}

// widenFor widens what the nodes of branches read.
func widenFor(g *Graph, branches ...[]*Node) {
	reads := map[string]bool{}
	for _, n := range slices.Concat(branches...) {
		for _, in := range n.Reads() {
			reads[in] = true
		}
	}
	widen(g, g.Index(), func(w widening) bool {
		return slices.ContainsFunc(w.casts, func(n *Node) bool { return reads[n.Output(0)] })
	})
}

// widenAs widens the tensors of which values are wanted, of their own or of a copy that untie makes. It makes the same graph again
// for a file whose parts are not known.
func widenAs(g *Graph, wanted func(name string) bool) {
	index := g.Index()
	copies := func(w widening) bool {
		for _, cast := range w.casts {
			for _, n := range index.Consumers[cast.Output(0)] {
				for i, in := range n.Inputs {
					if in == cast.Output(0) && wanted(weightReader{node: n, input: i, name: w.name}.ownName()) {
						return true
					}
				}
			}
		}
		return false
	}
	widen(g, index, func(w widening) bool { return wanted(w.name) || copies(w) })
}

// widenAll widens all there is.
func widenAll(g *Graph) { widen(g, g.Index(), func(widening) bool { return true }) }

// Widened is m with every stored weight in float32 that it casts to float32; m itself, where there are none.
func (m *Model) Widened() *Model {
	if len(widenings(m.Graph, m.Graph.Index())) == 0 {
		return m
	}
	m = m.Clone()
	widenAll(m.Graph)
	return m
}
