package onnx

import "slices"

// torch.export writes as_strided as a Gather from the flattened tensor, with indices computed from the sizes. This is how the
// pooling behind a channels-first LayerNorm of a ConvNeXt is exported. There it only gives a tensor other axes, which a Reshape
// can do.

// strides are the axes of a table of indices Σ i_k·stride_k.
type strides []struct {
	size   Dim
	stride int64
}

// strided is the Reshape, with the batch first, that does the same as such a Gather; it has no sizes if there is none.
func (f *finder) strided(n *Node, batch Dim) newReshape {
	flat := f.index.Producer[n.Input(0)]
	if flat == nil || !flat.IsOp("Reshape") || n.AttrInt("axis", 0) != 0 {
		return newReshape{}
	}
	if target, ok := f.inferred.Ints(flat.Input(1)); !ok || !slices.Equal(target, []int64{-1}) {
		return newReshape{}
	}
	x, table := f.inferred.Shape(flat.Input(0)), f.strides(n.Input(1), 0)
	if len(x) == 0 || x[0] != batch || len(table) == 0 || table[0].size != batch {
		return newReshape{}
	}
	rest, ok := x[1:].Sizes()
	if !ok {
		return newReshape{}
	}
	sizes, step := make([]int64, len(table)), int64(1)
	for k := len(table) - 1; k > 0; k-- {
		axis := table[k]
		if !axis.size.Known() || axis.size.Size != 1 && axis.stride != step {
			return newReshape{}
		}
		if sizes[k], step = axis.size.Size, step*axis.size.Size; step < 1 || step > MaxElements {
			return newReshape{}
		}
	}
	if all, ok := Product(rest...); !ok || all != step || table[0].stride != step && batch != Fixed(1) {
		return newReshape{}
	}
	return newReshape{flat.Input(0), sizes} // sizes[0] is 0: the batch is x's own
}

// strides reads the table from the nodes that compute it; nil if it is not of this form.
func (f *finder) strides(name string, depth int) strides {
	if depth > maxRank+4 {
		return nil
	}
	if list, ok := f.inferred.Ints(name); ok {
		return constantStrides(list, f.inferred.Shape(name))
	}
	n := f.index.Producer[name]
	switch {
	case n == nil:
		return nil
	case n.IsOp("Range"):
		from, fromKnown := f.inferred.Ints(n.Input(0))
		step, stepKnown := f.inferred.Ints(n.Input(2))
		end := f.inferred.known[n.Input(1)]
		if !fromKnown || !stepKnown || end == nil || len(end.ints()) != 1 || !slices.Equal(from, []int64{0}) || !slices.Equal(step, []int64{1}) {
			return nil
		}
		return strides{{end.ints()[0].dim(), 1}}
	case n.IsOp("Identity", "Cast"):
		return f.strides(n.Input(0), depth+1)
	case n.IsOp("Mul"):
		for _, in := range n.Inputs {
			if factor, ok := f.inferred.Ints(in); ok && len(factor) == 1 && len(f.inferred.Shape(in)) == 0 {
				table := f.strides(otherInput(n, in), depth+1)
				for k := range table {
					table[k].stride *= factor[0]
				}
				return table
			}
		}
		return nil
	case n.IsOp("Unsqueeze"):
		table := f.strides(n.Input(0), depth+1)
		list, ok := n.AttrInts("axes"), true
		if n.Input(1) != "" {
			list, ok = f.inferred.Ints(n.Input(1))
		}
		set, err := axes(list, len(table)+len(list))
		if table == nil || !ok || err != nil || len(set) != len(list) {
			return nil
		}
		out := make(strides, len(table)+len(list))
		for k := range out {
			if out[k].size = Fixed(1); !set[k] {
				out[k], table = table[0], table[1:]
			}
		}
		return out
	case n.IsOp("Add"):
		a, b := f.strides(n.Input(0), depth+1), f.strides(n.Input(1), depth+1)
		if a == nil || len(a) != len(b) {
			return nil
		}
		for k := range a {
			switch {
			case a[k].size == Fixed(1):
				a[k] = b[k]
			case b[k].size != Fixed(1):
				return nil
			}
		}
		return a
	}
	return nil
}

// constantStrides reads a table from its elements.
func constantStrides(list []int64, shape Shape) strides {
	dims, ok := shape.Sizes()
	if n, inBounds := Product(dims...); !ok || !inBounds || n != int64(len(list)) || n == 0 || list[0] != 0 {
		return nil
	}
	table, steps := make(strides, len(dims)), shape.strides()
	for k, size := range dims {
		table[k].size = Fixed(size)
		if size > 1 {
			table[k].stride = list[steps[k]]
		}
	}
	for i, v := range list {
		want := int64(0)
		for k, size := range dims {
			want += int64(i) / steps[k] % size * table[k].stride
		}
		if v != want {
			return nil
		}
	}
	return table
}
