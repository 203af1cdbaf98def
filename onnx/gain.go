package onnx

import "slices"

// A mechanism may be (1+M)·g or M·g in other words: on tokens (N,L,C) instead of the grid, as g − (1−M)·g, by a product that is
// added in two steps. Whether it is is told element by element: of every value between the features, the map and the rest of the
// perception branch, which element of g or cell of M each of its elements was.

// traced is a value of which each element of a picture is (constant + slope·M)·g with one element of g and one cell of M; without
// g if it is computed from the map alone.
type traced struct {
	shape           []int64 // without the batch
	of              []int32 // the elements of g, or the cells of the map
	onMap           bool
	constant, slope float64
}

// maxTraced bounds how many elements a traced value may have.
const maxTraced = 1 << 23

// tracer follows the elements of features and map.
type tracer struct {
	*finder
	cells  int32 // of the map
	values map[string]*traced
}

// told is what the perception branch gets of the features: (constant + slope·M)·g with the same two numbers wherever it reads
// them, and the map nowhere else. ok is false if that is not how it is.
func (f *finder) told(perception map[*Node]bool) (constant, slope float64, ok bool) {
	features, grid := f.inferred.Shape(f.parts.Names.Features), f.inferred.Shape(f.parts.Names.Map)
	if len(features) != 4 || len(grid) != 4 || !slices.Equal(features[2:], grid[2:]) {
		return 0, 0, false
	}
	t := &tracer{finder: f, values: map[string]*traced{}}
	for _, port := range []struct {
		name  string
		shape Shape
		onMap bool
	}{{f.parts.Names.Features, features, false}, {f.parts.Names.Map, grid, true}} {
		sizes, known := port.shape[1:].Sizes()
		n, fits := Product(sizes...)
		if !known || !fits || n > maxTraced {
			return 0, 0, false
		}
		v := &traced{shape: sizes, of: make([]int32, n), onMap: port.onMap, slope: 1}
		if !port.onMap {
			v.constant, v.slope = 1, 0
		} else {
			t.cells = int32(n)
		}
		for i := range v.of {
			v.of[i] = int32(i)
		}
		t.values[port.name] = v
	}
	for _, n := range f.graph.Nodes {
		if !perception[n] || n.IsOp("Shape", "Size") || !slices.ContainsFunc(n.Reads(), func(in string) bool { return t.values[in] != nil }) {
			continue
		}
		if v := t.follow(n); v != nil {
			t.values[n.Output(0)] = v
			continue
		}
		for _, in := range n.Reads() { // here the mechanism ends
			v := t.values[in]
			switch {
			case v == nil || n.IsOp("CastLike") && in != n.Input(0):
			case v.onMap || ok && (v.constant != constant || v.slope != slope):
				return 0, 0, false
			default:
				constant, slope, ok = v.constant, v.slope, true
			}
		}
	}
	return constant, slope, ok && slope != 0
}

// follow is what a node makes of traced values; nil if it does more than arrange, scale and add them.
func (t *tracer) follow(n *Node) *traced {
	a := t.values[n.Input(0)]
	switch {
	case len(n.Outputs) != 1:
		return nil
	case t.reshapes(n) || n.IsOp("Transpose", "Expand", "Tile"):
		if a == nil {
			return nil
		}
		s := t.inferred.Shape(n.Output(0))
		if len(s) < 1 || s[0].Name != BatchName {
			return nil
		}
		sizes, known := s[1:].Sizes()
		if !known {
			return nil
		}
		switch {
		case t.reshapes(n):
			return a.as(sizes, a.of)
		case n.IsOp("Transpose"):
			return a.transposed(n.AttrInts("perm"))
		case n.IsOp("Tile"):
			for i, d := range sizes { // the same values side by side; of an axis of 1 that is what Expand does
				if i >= len(a.shape) || a.shape[i] != d && a.shape[i] != 1 {
					return nil
				}
			}
		}
		return a.spread(sizes)
	case len(n.Inputs) == 2 && n.IsOp("Add", "Sub", "Mul", "Div"):
		b := t.values[n.Input(1)]
		if a != nil && b != nil {
			return t.both(n, a, b)
		}
		return t.scaled(n, a, b)
	}
	return nil
}

// scaled is a traced value and a number.
func (t *tracer) scaled(n *Node, a, b *traced) *traced {
	v, other := a, n.Input(1)
	if v == nil {
		v, other = b, n.Input(0)
	}
	k, known := t.inferred.Number(other)
	if !known && t.isOne(other) { // ones of a map's shape
		k, known = 1, true
	}
	if !known {
		return nil
	}
	if s := t.inferred.Shape(n.Output(0)); len(s) != len(v.shape)+1 {
		return nil
	}
	out := *v
	switch {
	case n.IsOp("Mul"):
		out.constant, out.slope = v.constant*k, v.slope*k
	case n.IsOp("Div") && a != nil:
		out.constant, out.slope = v.constant/k, v.slope/k
	case !v.onMap:
		return nil // adds to the features
	case n.IsOp("Add"):
		out.constant += k
	case n.IsOp("Sub") && a != nil:
		out.constant -= k
	case n.IsOp("Sub"):
		out.constant, out.slope = k-v.constant, -v.slope
	default:
		return nil
	}
	return &out
}

// both is a sum of two traced values, or the product of features and map.
func (t *tracer) both(n *Node, a, b *traced) *traced {
	switch {
	case n.IsOp("Mul") && a.onMap != b.onMap:
		if a.onMap {
			a, b = b, a
		}
		if a.slope != 0 {
			return nil
		}
		cells := b.spread(a.shape)
		if cells == nil {
			return nil
		}
		for i, of := range a.of { // an element of g and the cell of M that it stands in
			if of%t.cells != cells.of[i] {
				return nil
			}
		}
		out := *a
		out.constant, out.slope = a.constant*b.constant, a.constant*b.slope
		return &out
	case n.IsOp("Add", "Sub") && a.onMap == b.onMap && slices.Equal(a.shape, b.shape) && slices.Equal(a.of, b.of):
		sign := 1.0
		if n.IsOp("Sub") {
			sign = -1
		}
		out := *a
		out.constant, out.slope = a.constant+sign*b.constant, a.slope+sign*b.slope
		return &out
	}
	return nil
}

// as is the value with other sizes and elements.
func (v *traced) as(shape []int64, of []int32) *traced {
	if n, ok := Product(shape...); !ok || n != int64(len(of)) {
		return nil
	}
	out := *v
	out.shape, out.of = shape, of
	return &out
}

// transposed orders the axes anew; the batch has to stay the first.
func (v *traced) transposed(perm []int64) *traced {
	rank := len(v.shape)
	if len(perm) != rank+1 || perm[0] != 0 {
		return nil
	}
	shape, steps := make([]int64, rank), make([]int64, rank)
	for i, p := range perm[1:] {
		if p < 1 || int(p) > rank {
			return nil
		}
		shape[i] = v.shape[p-1]
		steps[i], _ = Product(v.shape[p:]...)
	}
	return v.gather(shape, steps)
}

// spread repeats axes of one.
func (v *traced) spread(shape []int64) *traced {
	missing := len(shape) - len(v.shape)
	if n, ok := Product(shape...); missing < 0 || !ok || n > maxTraced {
		return nil
	}
	steps := make([]int64, len(shape))
	for i, d := range shape {
		switch {
		case i < missing || v.shape[i-missing] == 1:
		case v.shape[i-missing] != d:
			return nil
		default:
			steps[i], _ = Product(v.shape[i-missing+1:]...)
		}
	}
	return v.gather(shape, steps)
}

// gather takes elements at steps along new axes.
func (v *traced) gather(shape, steps []int64) *traced {
	n, ok := Product(shape...)
	if !ok || n > maxTraced {
		return nil
	}
	of, at := make([]int32, n), make([]int64, len(shape))
	var from int64
	for i := range of {
		of[i] = v.of[from]
		for k := len(shape) - 1; k >= 0; k-- {
			at[k]++
			if from += steps[k]; at[k] < shape[k] {
				break
			}
			from -= steps[k] * shape[k]
			at[k] = 0
		}
	}
	return v.as(shape, of)
}
