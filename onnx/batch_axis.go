package onnx

import "slices"

// In a file that was exported for one batch size, that size may be a factor of an axis: Swin's windows are N·m rows. Such a
// Reshape can be made to take any batch if the batch is known to be the outer factor of the first axis.

// batchAxes follows the batch through a graph of a fixed batch size. It says for a value which axis has the batch as its outer
// factor; values of which this is not known are left out.
type batchAxes struct {
	at       map[string]int
	inferred *Inferred // with the file's own batch size
}

// follow records which axis of a node's outputs has the batch.
func (b *batchAxes) follow(n *Node) {
	axis, ok := b.axisBehind(n)
	if !ok {
		return
	}
	for _, out := range n.Outputs {
		if s := b.inferred.Shape(out); out != "" && axis < len(s) {
			b.at[out] = axis
		}
	}
}

func (b *batchAxes) axisBehind(n *Node) (axis int, ok bool) {
	x, y := b.inferred.Shape(n.Input(0)), b.inferred.Shape(n.Output(0))
	axis, ok = b.at[n.Input(0)]
	list, given := n.AttrInts("axes"), true
	if n.IsOp("Squeeze", "Unsqueeze", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin") && n.Input(1) != "" {
		list, given = b.inferred.Ints(n.Input(1))
	}
	switch {
	case n.IsOp("Transpose"):
		axis = slices.Index(n.AttrInts("perm"), int64(axis))
		return axis, ok && axis >= 0
	case n.IsOp("Reshape"):
		return 0, ok && axis == 0
	case n.IsOp("Squeeze", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"):
		set, err := axes(list, len(x))
		if !ok || !given || err != nil || len(set) == 0 || set[axis] {
			return 0, false
		}
		if len(y) == len(x) {
			return axis, true
		}
		gone := 0
		for a := range set {
			if a < axis {
				gone++
			}
		}
		return axis - gone, true
	case n.IsOp("Unsqueeze"):
		set, err := axes(list, len(y))
		if !ok || !given || err != nil {
			return 0, false
		}
		for a := 0; a <= axis; a++ {
			if set[a] {
				axis++
			}
		}
		return axis, true
	case n.IsOp("Gather", "Split", "Slice", "Concat", "Flatten"):
		along := n.AttrInt("axis", 0)
		if along < 0 {
			along += int64(len(x))
		}
		switch {
		case !ok || n.IsOp("Flatten") && axis != 0 || n.IsOp("Gather", "Split", "Concat") && int(along) == axis:
			return 0, false
		case n.IsOp("Gather") && len(y) < len(x) && int(along) < axis:
			return axis - 1, true
		}
		return axis, len(y) == len(x) || n.IsOp("Gather") && len(y) < len(x) || n.IsOp("Flatten")
	}
	found := -1
	for _, in := range n.Inputs {
		at, known := b.at[in]
		if !known {
			continue
		}
		at += len(y) - len(b.inferred.Shape(in)) // as it is broadcast
		if found >= 0 && at != found {
			return 0, false
		}
		found = at
	}
	return found, found >= 0
}

// open is the target of a Reshape for any batch size, with -1 for the first axis; nil if the batch is not in that axis.
func (b *batchAxes) open(n *Node, batch int64, sizes []int64) []int64 {
	x, ok := b.inferred.Shape(n.Input(0)).Sizes()
	at, known := b.at[n.Input(0)]
	if !ok || !known || at != 0 || len(sizes) == 0 || slices.Min(sizes) < 1 {
		return nil
	}
	all, inBounds := Product(x...)
	rest, restInBounds := Product(sizes[1:]...)
	if !inBounds || !restInBounds || batch < 1 || x[0]%batch != 0 || all/batch%rest != 0 || sizes[0] != all/rest {
		return nil
	}
	return append([]int64{-1}, sizes[1:]...)
}

// declare adds shapes to the graph for values whose first axis is the batch, since inference loses it behind a Reshape.
func (b *batchAxes) declare(g *Graph, batch Dim) {
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			at, known := b.at[out]
			s := slices.Clone(b.inferred.Shape(out))
			if !known || at != 0 || len(s) == 0 || s[0] != batch {
				continue
			}
			s[0] = Batch()
			g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *ValueInfo) bool { return v.Name == out })
			g.ValueInfo = append(g.ValueInfo, NewValue(out, b.inferred.Values[out].Type, s))
		}
	}
}
