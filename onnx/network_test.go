package onnx_test

import (
	"context"
	"math"
	"testing"

	"github.com/sbinet/npyio/npz"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// array is a tensor of a test: what goes into ONNX Runtime or comes out of it.
type array struct {
	data []float32
	dims []int64
}

// run executes a model on ONNX Runtime.
func run(t testing.TB, m *onnx.Model, inputs map[string]array, outputs ...string) []array {
	t.Helper()
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var in []*ort.Tensor
	for name, a := range inputs {
		tensor, err := ort.Float32s(a.data, a.dims...)
		if err != nil {
			t.Fatal(err)
		}
		defer tensor.Close()
		names, in = append(names, name), append(in, tensor)
	}
	session, err := ort.Open(data, names, outputs, ort.Options{IntraOpThreads: 1, NoSpinning: true})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	out := make([]*ort.Tensor, len(outputs))
	if err := session.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	results := make([]array, len(out))
	for i, tensor := range out {
		results[i] = array{append([]float32(nil), tensor.Float32()...), append([]int64(nil), tensor.Dims()...)}
		tensor.Close()
	}
	return results
}

// near fails where two arrays differ by more than tolerance, relative to the larger of 1 and the wanted value.
func near(t testing.TB, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= tolerance*math.Max(1, math.Abs(float64(want[i])))) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// reference reads one float32 array of a NAME.npz.
func reference(t testing.TB, path, key string) array {
	t.Helper()
	f, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var a array
	if err := f.Read(key+".npy", &a.data); err != nil {
		t.Fatalf("%s of %s: %v", key, path, err)
	}
	for _, d := range f.Header(key + ".npy").Descr.Shape {
		a.dims = append(a.dims, int64(d))
	}
	return a
}

// noise is a repeatable image batch.
func noise(dims ...int64) array {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	a := array{make([]float32, n), dims}
	state := uint32(1)
	for i := range a.data {
		state = state*1664525 + 1013904223
		a.data[i] = float32(state>>8)/(1<<23) - 1
	}
	return a
}
