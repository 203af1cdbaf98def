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
	list, err := t.Int64s()
	return list, err == nil
}

// knownFloat is the one element of a scalar constant.
func (b *builder) knownFloat(name string) (float64, error) {
	t := b.inferred.Constant(name)
	if t == nil || b.depends[name] {
		return 0, fmt.Errorf("%s is not a constant number", name)
	}
	list, err := t.Float32s()
	if err != nil || len(list) != 1 {
		return math.NaN(), fmt.Errorf("%s holds %d numbers, want one", name, len(list))
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

func product(dims []int64) int64 {
	p := int64(1)
	for _, d := range dims {
		p *= d
	}
	return p
}

// span is one axis of a Slice: count elements from start, step apart.
type span struct{ start, step, count int64 }

// sliceAxis resolves negative and overlong bounds on an axis of size as ONNX's Slice does.
func sliceAxis(start, end, step, size int64) span {
	low, high := int64(0), size // where start and end may lie
	if step < 0 {
		low, high = -1, size-1
	}
	resolve := func(i int64) int64 {
		if i < 0 {
			i += size
		}
		return min(max(i, low), high)
	}
	start, end = resolve(start), resolve(end)
	if step < 0 && start < 0 {
		return span{0, step, 0}
	}
	count := int64(0)
	if step > 0 && end > start {
		count = (end - start + step - 1) / step
	} else if step < 0 && start > end {
		count = (start - end - step - 1) / -step
	}
	return span{start, step, count}
}
