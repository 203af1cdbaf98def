package gradient

import (
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// knownInts is a list of integers that does not depend on a run, such as pads and axes; ok is false if
// it does.
func (b *builder) knownInts(name string) (list []int64, ok bool) {
	if b.depends[name] {
		return nil, false
	}
	return b.inferred.Ints(name)
}

// knownFloat is the one element of a scalar constant.
func (b *builder) knownFloat(name string) (float64, error) {
	if b.depends[name] {
		return 0, fmt.Errorf("%s is trained, and no constant number", name)
	}
	v, ok := b.inferred.Number(name)
	if !ok {
		return 0, fmt.Errorf("%s is not one constant number", name)
	}
	return v, nil
}

// constant is a constant tensor as the file has it, or nil.
func (b *builder) constant(name string) *onnx.Tensor {
	if b.depends[name] {
		return nil
	}
	return b.inferred.Constant(name)
}

// product multiplies sizes of a shape that was inferred, or of a window, which are bounded.
func product(dims []int64) int64 {
	p, _ := onnx.Product(dims...)
	return p
}

// span is one axis of a Slice: count elements from start, step apart.
type span struct{ start, step, count int64 }

// sliceAxis resolves negative and overlong bounds on an axis of size as ONNX's Slice does.
func sliceAxis(start, end, step, size int64) span {
	first, n := onnx.SliceRange(start, end, step, size)
	return span{first, min(max(step, -size-1), size+1), n} // a longer step takes no more
}
