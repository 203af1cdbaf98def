package onnx

import (
	"fmt"
	"slices"
)

// Exporters write tensors that are equal once. In a new network many are: every BatchNorm's scale and variance are 1 and its
// shift and mean 0, and an attention branch that starts as a copy of the last stage has the same weights. Trained as one tensor,
// they would stay equal; and one that is both a mean and a shift could not be trained at all.

// weightReader is an input of a node that takes a trained tensor.
type weightReader struct {
	node  *Node
	input int
	name  string // of the initializer, before any Identity
	owner string // readers of one owner share one tensor
}

// weightReaders lists the inputs that read a float32 initializer as a weight. Each normalisation gets tensors of its own. Two
// convolutions or matrix products of one part with the same weight are taken for one layer that is applied twice, and keep
// sharing it. Any other tensor that is shared is taken to be equal by chance.
func weightReaders(nodes []*Node, part int, index *Index) []weightReader {
	resolve := func(name string) string {
		for n := index.Producer[name]; n != nil && n.IsOp("Identity"); n = index.Producer[name] {
			name = n.Input(0)
		}
		if t := index.Initializers[name]; t == nil || t.Type != Float || len(t.Dims) == 0 {
			return ""
		}
		return name
	}
	var list []weightReader
	for _, n := range nodes {
		inputs := []int{1, 2}
		var owner string
		switch {
		case n.IsOp("BatchNormalization"):
			inputs, owner = []int{1, 2, 3, 4}, n.Output(0)
		case n.IsOp("LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization", "PRelu"):
			owner = n.Output(0)
		case n.IsOp("Conv", "ConvTranspose", "Gemm", "MatMul"):
			owner = fmt.Sprint(part, " ", resolve(n.Input(1)))
		default:
			continue
		}
		for _, i := range inputs {
			if name := resolve(n.Input(i)); name != "" {
				list = append(list, weightReader{n, i, name, fmt.Sprint(owner, " ", i)})
			}
		}
	}
	return list
}

// ownName names the copy of a tensor that a reader gets.
func (r weightReader) ownName() string {
	return fmt.Sprintf("%s/%s/%d", r.name, r.node.Output(0), r.input)
}

// own gives the reader a copy of its tensor under a name that only depends on the graph.
func (r weightReader) own(g *Graph, index *Index) {
	t := index.Initializers[r.name].Clone()
	t.Name = r.ownName()
	g.Initializers = append(g.Initializers, t)
	r.node.Inputs[r.input] = t.Name
}

// untie gives every layer tensors of its own if the file has one for several. The extractor keeps the file's names, and where it
// does not read the tensor, the perception branch does. Untying twice changes nothing. It returns the tensors of which the attention
// branch got its own, without those that may be equal by chance.
func untie(g *Graph, parts [3][]*Node) (split []string) {
	index, owners := g.Index(), map[string]string{}
	for _, part := range []int{extractorPart, perceptionPart, attentionPart} {
		for _, r := range weightReaders(parts[part], part, index) {
			if first, owned := owners[r.name]; !owned || first == r.owner {
				owners[r.name] = r.owner
			} else {
				if part == attentionPart && !byChance(index.Initializers[r.name]) && !slices.Contains(split, r.name) {
					split = append(split, r.name)
				}
				r.own(g, index)
			}
		}
	}
	return split
}

// byChance reports whether a tensor is as every new layer has it: of one axis, and the same number everywhere.
func byChance(t *Tensor) bool {
	values, err := t.Float32s()
	return err == nil && len(t.Dims) < 2 && !slices.ContainsFunc(values, func(v float32) bool { return v != values[0] })
}

// untieAs unties only the tensors whose own names are wanted. It makes the same graph again for a file whose parts are not known.
func untieAs(g *Graph, wanted func(name string) bool) {
	index := g.Index()
	for _, r := range weightReaders(g.Nodes, 0, index) {
		if wanted(r.ownName()) {
			r.own(g, index)
		}
	}
}
