package gradient

import (
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// maxGathered is the most elements of a Gather whose gradient is put back one by one.
const maxGathered = 64

// gather puts dY back where it was taken from, with zeros elsewhere. Indices are constants. One number is how x[:, i] is
// exported; dY's missing axis is added first. A list that is a permutation, as in a channel shuffle, is inverted. Any other list
// is put back element by element and summed, since an element may have been taken twice; a long one, or a table, as one product.
func gather(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	shape := b.info[x].Shape
	axis := n.AttrInt("axis", 0)
	if axis < 0 {
		axis += int64(len(shape))
	}
	if axis < 0 || axis >= int64(len(shape)) || !shape[axis].Known() {
		return fmt.Errorf("the size of %s along axis %d is not known: its shape is %s", x, axis, shape)
	}
	size := shape[axis].Size
	indices, ok := b.knownInts(n.Input(1))
	if !ok || len(indices) == 0 {
		return fmt.Errorf("what it takes (%s) is not constant", n.Input(1))
	}
	for i := range indices {
		if indices[i] < 0 {
			indices[i] += size
		}
		if indices[i] < 0 || indices[i] >= size {
			return fmt.Errorf("it takes element %d of an axis of %d", indices[i], size)
		}
	}
	if rank := len(b.info[n.Input(1)].Shape); rank > 1 || len(indices) > maxGathered && inversePermutation(indices, size) == nil {
		return b.putBack(x, dY, int(axis), int(axis)+1, indices)
	} else if rank == 0 {
		dY = b.node("Unsqueeze", []string{dY, b.ints(axis)})
	}
	if turned := inversePermutation(indices, size); turned != nil && size > 1 {
		b.give(x, b.node("Gather", []string{dY, b.ints(turned...)}, onnx.IntAttr("axis", axis)))
		return nil
	}
	for i, from := range indices {
		one := dY
		if len(indices) > 1 {
			one = b.slice(dY, []int64{axis}, []int64{int64(i)}, []int64{int64(i) + 1}, []int64{1})
		}
		if size > 1 {
			pads := make([]int64, 2*len(shape))
			pads[axis], pads[int64(len(shape))+axis] = from, size-1-from
			one = b.node("Pad", []string{one, b.ints(pads...)}, onnx.StrAttr("mode", "constant"))
		}
		b.give(x, one)
	}
	return nil
}

// gatherND is gather by a table of indices [...,k] into the first k axes. It is how torch.export writes x[:, :, rows, columns], and so
// nearest-exact interpolation and pooling to a size that is no divisor.
func gatherND(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	shape, table := b.info[x].Shape, b.info[n.Input(1)].Shape
	if n.AttrInt("batch_dims", 0) != 0 {
		return errors.New("it has a table of indices for each element of a batch (batch_dims)")
	}
	list, ok := b.knownInts(n.Input(1))
	if !ok || len(list) == 0 || len(table) == 0 {
		return fmt.Errorf("what it takes (%s) is not constant", n.Input(1))
	}
	deep := int(table[len(table)-1].Size)
	sizes, ok := shape[:min(deep, len(shape))].Sizes()
	if deep < 1 || !ok || len(sizes) != deep {
		return fmt.Errorf("the sizes of %s along the first %d axes are not known: its shape is %s", x, deep, shape)
	}
	flat := make([]int64, 0, len(list)/deep)
	for at := range slices.Chunk(list, deep) {
		place := int64(0)
		for k, i := range at {
			if i < 0 {
				i += sizes[k]
			}
			if i < 0 || i >= sizes[k] {
				return fmt.Errorf("it takes element %d of an axis of %d", i, sizes[k])
			}
			place = place*sizes[k] + i
		}
		flat = append(flat, place)
	}
	return b.putBack(x, dY, 0, deep, flat)
}

// putBack gives x the sums of what was taken from its axes from…to, seen as one, at these places: a product with a matrix that has a 1 where
// a place was taken.
//
//	dX [before, places of x, behind] = T [places of x, taken] · dY [before, taken, behind]
func (b *builder) putBack(x, dY string, from, to int, places []int64) error {
	shape := b.info[x].Shape
	sizes, ok := shape[from:to].Sizes()
	if !ok {
		return fmt.Errorf("the sizes of %s along axes %d to %d are not known: its shape is %s", x, from, to-1, shape)
	}
	all, taken := product(sizes), int64(len(places))
	if !b.room(all, taken) {
		return fmt.Errorf("it takes %d elements of %d: too many to be differentiated", taken, all)
	}
	before, beforeKnown := shape[:from].Sizes()
	behind, behindKnown := shape[to:].Sizes()
	target := []int64{-1, taken, -1}
	switch {
	case beforeKnown:
		target[0] = product(before)
	case behindKnown:
		target[2] = product(behind)
	default:
		return fmt.Errorf("the sizes of %s in front of what it takes and behind it are not known: its shape is %s", x, shape)
	}
	matrix := make([]float32, all*taken)
	for i, place := range places {
		matrix[place*taken+int64(i)] = 1
	}
	sums := b.node("MatMul", []string{b.constantOf(matrix, []int64{all, taken}), b.node("Reshape", []string{dY, b.ints(target...)})})
	b.give(x, b.node("Reshape", []string{sums, b.shapeOf(x)}))
	return nil
}

// inversePermutation is nil if the list is no permutation of size elements.
func inversePermutation(list []int64, size int64) []int64 {
	if int64(len(list)) != size {
		return nil
	}
	inverse, seen := make([]int64, size), make([]bool, size)
	for i, v := range list {
		if seen[v] {
			return nil
		}
		inverse[v], seen[v] = int64(i), true
	}
	return inverse
}
