package ort

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	ortgo "github.com/yalue/onnxruntime_go"
)

// Tensor is a Go slice as the runtime sees it: both read and write the same memory, nothing is
// copied. Close gives up the runtime's handle; the slice stays the caller's.
type Tensor struct {
	dims    []int64
	floats  []float32
	ints    []int64
	backing *backing
}

// backing is a tensor's native value and pinned memory. They are released once the tensor is closed or collected and no run uses
// them.
type backing struct {
	value  ortgo.Value
	pinner runtime.Pinner // C keeps the slice's address between calls, so it must not move

	mu       sync.Mutex
	runs     int // that use it
	closed   bool
	released bool
}

func (b *backing) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs++
}

func (b *backing) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs--
	b.release()
}

func (b *backing) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.release()
}

// release frees the value if the tensor is closed and no run uses it. b.mu is held.
func (b *backing) release() {
	if !b.closed || b.runs > 0 || b.released {
		return
	}
	b.released = true
	_ = b.value.Destroy() // never fails for tensors
	b.pinner.Unpin()
}

// Float32s makes a tensor of float32 over data, row-major, shape dims (rank 1 or more; a scalar is
// [1]). data holds at least as many elements as the shape; the first ones are used.
func Float32s(data []float32, dims ...int64) (*Tensor, error) {
	value, err := newValue(data, dims)
	if err != nil {
		return nil, err
	}
	return wrap(value), nil
}

// Int64s is Float32s for int64, the type of labels and shapes.
func Int64s(data []int64, dims ...int64) (*Tensor, error) {
	value, err := newValue(data, dims)
	if err != nil {
		return nil, err
	}
	return wrap(value), nil
}

func newValue[T float32 | int64](data []T, dims []int64) (*ortgo.Tensor[T], error) {
	if err := load(""); err != nil {
		return nil, err
	}
	if len(dims) == 0 {
		return nil, fmt.Errorf("making a tensor: rank 0 is not supported, use the shape [1]")
	}
	// The runtime may not outlive a caller's reuse of dims, so it gets its own.
	value, err := ortgo.NewTensor(ortgo.Shape(slices.Clone(dims)), data)
	if err != nil {
		return nil, fmt.Errorf("making a tensor of shape %v over %d values: %w", dims, len(data), err)
	}
	return value, nil
}

// wrap takes over a value whose memory is Go's.
func wrap(value ortgo.Value) *Tensor {
	t := &Tensor{dims: value.GetShape(), backing: &backing{value: value}}
	switch v := value.(type) {
	case *ortgo.Tensor[float32]:
		t.floats = v.GetData()
		if len(t.floats) > 0 {
			t.backing.pinner.Pin(&t.floats[0])
		}
	case *ortgo.Tensor[int64]:
		t.ints = v.GetData()
		if len(t.ints) > 0 {
			t.backing.pinner.Pin(&t.ints[0])
		}
	}
	// A tensor that was not closed is released when the collector finds it.
	runtime.AddCleanup(t, (*backing).close, t.backing)
	return t
}

// Float32 is the tensor's memory, row-major; nil if its elements are not float32. It stays valid after Close, being Go's.
func (t *Tensor) Float32() []float32 { return t.floats }

// Int64 is the tensor's memory, row-major; nil if its elements are not int64.
func (t *Tensor) Int64() []int64 { return t.ints }

// Dims is the shape. Do not change it.
func (t *Tensor) Dims() []int64 { return t.dims }

// rows is the length of the first axis.
func (t *Tensor) rows() int64 {
	if len(t.dims) == 0 {
		return 1
	}
	return max(1, t.dims[0])
}

// Close releases the runtime's handle, once no run uses it. Closing nil or twice does nothing.
func (t *Tensor) Close() error {
	if t != nil {
		t.backing.close()
	}
	return nil
}
