package gradient

import (
	"errors"
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// maxGathered bounds the elements of a Gather whose gradient is put back one by one.
const maxGathered = 64

// gather puts dY back where it was taken from, with zeros elsewhere. Indices are constants. One number is how x[:, i] is
// exported; dY's missing axis is added first. A list that is a permutation, as in a channel shuffle, is inverted. Any other list
// is put back element by element and summed, since an element may have been taken twice.
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
	switch rank := len(b.info[n.Input(1)].Shape); {
	case rank == 0:
		dY = b.node("Unsqueeze", []string{dY, b.ints(axis)})
	case rank > 1:
		return errors.New("it takes elements by a table of more than one axis")
	}
	if turned := inversePermutation(indices, size); turned != nil && size > 1 {
		b.give(x, b.node("Gather", []string{dY, b.ints(turned...)}, onnx.IntAttr("axis", axis)))
		return nil
	}
	if len(indices) > maxGathered {
		return fmt.Errorf("it takes %d elements that are no permutation: at most %d are differentiated", len(indices), maxGathered)
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
