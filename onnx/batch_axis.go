package onnx

import "slices"

// In a file that was exported for one batch size, that size may be a factor of an axis: Swin's windows are N·m rows, and attention over
// (tokens, N, channels) has N·heads in its second axis and tokens·N rows. A Reshape that makes such an axis can be made to take any batch if
// it is known which axis that is.

// batchAxes follows the batch through a graph of a fixed batch size. It says for a value where the batch is; values of which this is not
// known are left out.
type batchAxes struct {
	at       map[string]batchAxis
	inferred *Inferred // with the file's own batch size
	batch    int64
}

// batchAxis is an axis of before·batch·inner elements.
type batchAxis struct {
	axis  int
	inner int64
}

// follow records where a node's outputs have the batch.
func (b *batchAxes) follow(n *Node) {
	if n.IsOp("Reshape") {
		if to, ok := b.reshaped(n); ok {
			b.at[n.Output(0)] = to
		}
		return
	}
	axis, ok := b.axisBehind(n)
	if !ok {
		return
	}
	inner := int64(0) // of the inputs, which all have the same
	for _, in := range n.Inputs {
		if at, known := b.at[in]; known {
			if inner != 0 && at.inner != inner || n.IsOp("Concat") && at.axis != axis {
				return
			}
			inner = at.inner
		}
	}
	for _, out := range n.Outputs {
		if s := b.inferred.Shape(out); out != "" && axis < len(s) && s[axis].Known() && s[axis].Size%(b.batch*inner) == 0 {
			b.at[out] = batchAxis{axis, inner}
		}
	}
}

// reshaped is where a Reshape's output has the batch. As elements keep their order, it is where as many stand behind one image's as before.
// Of several axes that it may be in, with a batch of one, it is the one that is the batch alone; else the one in front of axes that stay as
// they were, or behind such ones; the last, of channels, if no other.
func (b *batchAxes) reshaped(n *Node) (to batchAxis, ok bool) {
	x, known := b.inferred.Shape(n.Input(0)).Sizes()
	y, knownToo := b.inferred.Shape(n.Output(0)).Sizes()
	from, followed := b.at[n.Input(0)]
	if !known || !knownToo || !followed || len(x) == 0 || len(y) == 0 || slices.Min(x) < 1 || slices.Min(y) < 1 {
		return to, false
	}
	behind, inBounds := Product(append([]int64{from.inner}, x[from.axis+1:]...)...)
	if !inBounds {
		return to, false
	}
	best := -1
	for k, rest := len(y)-1, int64(1); k >= 0; k-- {
		if behind%rest == 0 && y[k]%(behind/rest*b.batch) == 0 {
			fit := 0
			switch {
			case behind == rest && y[k] == b.batch:
				fit = 3
			case slices.Equal(x[from.axis+1:], y[k+1:]) && from.inner == behind/rest:
				fit = 2
			case k == len(y)-1 && k > 0 && behind > rest: // channels
			case slices.Equal(x[:from.axis], y[:k]), behind == rest:
				fit = 1
			}
			if fit > best {
				best, to = fit, batchAxis{k, behind / rest}
			}
		}
		if rest *= y[k]; rest > MaxElements {
			break
		}
	}
	return to, best >= 0
}

func (b *batchAxes) axisBehind(n *Node) (axis int, ok bool) {
	x, y := b.inferred.Shape(n.Input(0)), b.inferred.Shape(n.Output(0))
	first, ok := b.at[n.Input(0)]
	for i := 1; !ok && n.IsOp("Concat") && i < len(n.Inputs); i++ { // a token in front
		first, ok = b.at[n.Input(i)]
	}
	axis = first.axis
	list, given := n.AttrInts("axes"), true
	if n.IsOp("Squeeze", "Unsqueeze", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin") && n.Input(1) != "" {
		list, given = b.inferred.Ints(n.Input(1))
	}
	switch {
	case n.IsOp("Transpose"):
		axis = slices.Index(n.AttrInts("perm"), int64(axis))
		return axis, ok && axis >= 0
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
		of, known := b.at[in]
		if !known {
			continue
		}
		at := of.axis + len(y) - len(b.inferred.Shape(in)) // as it is broadcast
		if found >= 0 && at != found {
			return 0, false
		}
		found = at
	}
	return found, found >= 0
}

// open is the target of a Reshape for any batch size, with -1 for the axis that has the batch; nil if it is so already, or not known which
// that is.
func (b *batchAxes) open(n *Node, sizes []int64) []int64 {
	to, ok := b.reshaped(n)
	if !ok || len(sizes) <= to.axis || slices.Contains(sizes, 0) {
		return nil
	}
	y, _ := b.inferred.Shape(n.Output(0)).Sizes()
	y = slices.Clone(y)
	y[to.axis] = -1
	if slices.Equal(y, sizes) {
		return nil
	}
	return y
}

// joined is a constant that a Concat puts beside each image, such as a class token: an input of the Concat, and where the batch is in the others.
type joined struct {
	node  *Node
	input int
	like  string // an input with the images
	at    batchAxis
	rank  int
}

// joins are the constants that a Concat, along another axis than the batch's, puts beside each image.
func (b *batchAxes) joins(n *Node, varying map[string]bool) (list []joined) {
	if !n.IsOp("Concat") {
		return nil
	}
	for _, like := range n.Inputs {
		at, followed := b.at[like]
		y := b.inferred.Shape(like)
		if along, err := axis(n.AttrInt("axis", 0), len(y)); !followed || at.inner != 1 || err != nil || along == at.axis || y[at.axis] != Fixed(b.batch) {
			continue
		}
		for i, in := range n.Inputs {
			if s := b.inferred.Shape(in); !varying[in] && len(s) == len(y) && s[at.axis] == Fixed(b.batch) {
				list = append(list, joined{n, i, like, at, len(y)})
			}
		}
		return list
	}
	return nil
}

// open repeats such a constant for a batch of any size: as far as it is the same for each image.
func (j joined) open(g *Graph, batch int64) {
	from := j.node.Inputs[j.input]
	if batch != 1 {
		made := g.Index().Producer[from]
		if made == nil || !made.IsOp("Expand") {
			return
		}
		from = made.Input(0)
	}
	e := Edit(g, from+"/open_batch")
	list := func(v ...int64) string { return e.Constant(NewInt64("", []int64{int64(len(v))}, v)) }
	size := e.Node("Gather", []string{e.Node("Shape", []string{j.like}), list(int64(j.at.axis))})
	target := make([]string, 0, 3)
	if j.at.axis > 0 {
		target = append(target, list(slices.Repeat([]int64{1}, j.at.axis)...))
	}
	target = append(target, size)
	if behind := j.rank - j.at.axis - 1; behind > 0 {
		target = append(target, list(slices.Repeat([]int64{1}, behind)...))
	}
	shape := size
	if len(target) > 1 {
		shape = e.Node("Concat", target, IntAttr("axis", 0))
	}
	j.node.Inputs[j.input] = e.Node("Expand", []string{from, shape})
}

// declare adds shapes to the graph for values whose first axis is the batch, since inference loses it behind a Reshape.
func (b *batchAxes) declare(g *Graph, batch Dim) {
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			at, known := b.at[out]
			s := slices.Clone(b.inferred.Shape(out))
			if !known || at.axis != 0 || len(s) == 0 || s[0] != batch {
				continue
			}
			s[0] = Batch()
			g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *ValueInfo) bool { return v.Name == out })
			g.ValueInfo = append(g.ValueInfo, NewValue(out, b.inferred.Values[out].Type, s))
		}
	}
}
