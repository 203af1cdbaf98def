package gradient

import (
	"fmt"
	"math"

	"github.com/abn-studio/studio/onnx"
)

// knownInts is a list of integers that does not depend on a run, such as pads and axes; ok is false if
// it does.
func (b *builder) knownInts(name string) (list []int64, ok bool) {
	t := b.inferred.Constant(name)
	if t == nil || b.depends[name] {
		return nil, false
	}
	if n, err := t.Elements(); err != nil || n > onnx.MaxList {
		return nil, false
	}
	list, err := t.Int64s()
	return list, err == nil
}

// knownFloat is the one element of a scalar constant.
func (b *builder) knownFloat(name string) (float64, error) {
	t := b.inferred.Constant(name)
	if t == nil || b.depends[name] {
		return 0, fmt.Errorf("%s is not a constant number", name)
	}
	if n, err := t.Elements(); err != nil || n != 1 {
		return math.NaN(), fmt.Errorf("%s holds %d numbers, want one", name, n)
	}
	list, err := t.Float32s()
	if err != nil || len(list) != 1 {
		return math.NaN(), fmt.Errorf("%s holds no number: %v", name, err)
	}
	return float64(list[0]), nil
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
