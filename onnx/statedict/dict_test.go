package statedict

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/abn-studio/studio/onnx"
)

func TestFilesComeBackAsWritten(t *testing.T) {
	t.Parallel()
	d := Dict{
		onnx.NewFloat32("layer.0.weight", []int64{2, 1}, []float32{1, -2}),
		{Name: "bn.num_batches_tracked", Type: onnx.Int64, Raw: []byte{3, 0, 0, 0, 0, 0, 0, 0}},
		{Name: "half", Type: onnx.Float16, Dims: []int64{2}, Raw: []byte{0, 0x3c, 0, 0x40}},
		{Name: "empty", Type: onnx.Float, Dims: []int64{0}, Raw: []byte{}},
	}
	for _, name := range []string{"a.safetensors", "a.npz"} {
		path := filepath.Join(t.TempDir(), name)
		if err := d.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(onnx.Tensor{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if err := (Dict{{Name: "b", Type: onnx.BFloat16, Dims: []int64{1}, Raw: []byte{0, 0}}}).WriteFile(filepath.Join(t.TempDir(), "b.npz")); err == nil {
		t.Error("numpy has no bfloat16")
	}
}

func TestWhatIsNoStateDictIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	safe := func(header, body string) []byte {
		return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), body...)
	}
	for name, content := range map[string][]byte{
		"pickled.pth":             []byte("PK"),
		"other.h5":                nil,
		"short.safetensors":       {1, 2},
		"long.safetensors":        binary.LittleEndian.AppendUint64(nil, 1<<60),
		"none.safetensors":        safe(`{}`, ""),
		"list.safetensors":        safe(`[]`, ""),
		"type.safetensors":        safe(`{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}`, "0000"),
		"gap.safetensors":         safe(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "00000000"),
		"beyond.safetensors":      safe(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, "0000"),
		"more.safetensors":        safe(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "00000000"),
		"shape.safetensors":       safe(`{"a":{"dtype":"F32","shape":[9223372036854775807,3],"data_offsets":[0,4]}}`, "0000"),
		"negative.safetensors":    safe(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, "0000"),
		"twice.safetensors":       safe(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "00000000"),
		"overlapping.safetensors": safe(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "0000"),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFile(path); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzSafetensors(f *testing.F) {
	var file bytes.Buffer
	if err := (Dict{onnx.NewFloat32("a", []int64{1}, []float32{1})}).WriteSafetensors(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := decodeSafetensors(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		total := 0
		for _, tensor := range d {
			total += len(tensor.Raw)
		}
		if total > len(data) {
			t.Fatal("more bytes than the file has")
		}
	})
}

func TestScopes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"/layer4/layer4.0/downsample/downsample.0/Conv": "layer4.0.downsample.0",
		"/features/features.0/features.0.1/Conv_2":      "features.0.1",
		"/fc/Gemm": "fc", "/Conv": "", "Conv_3": "", "node_conv2d": "",
	} {
		if got := scopeOf(&onnx.Node{Name: name}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestEqualTensorsAreNotEqualModules: people begin many biases alike. Only modules that are equal as a whole could be one.
func TestEqualTensorsAreNotEqualModules(t *testing.T) {
	t.Parallel()
	r, err := newReference(Dict{
		onnx.NewFloat32("a.weight", []int64{2}, []float32{1, 2}), onnx.NewFloat32("a.bias", []int64{2}, []float32{3, 4}),
		onnx.NewFloat32("b.weight", []int64{2}, []float32{1, 5}), onnx.NewFloat32("b.bias", []int64{2}, []float32{3, 4}),
		onnx.NewFloat32("c.weight", []int64{2}, []float32{1, 2}), onnx.NewFloat32("c.bias", []int64{2}, []float32{3, 4}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.couldBeOne("a.bias", "b.bias") || !r.couldBeOne("a.bias", "c.bias") || r.couldBeOne("a.weight", "c.bias") {
		t.Error("a and c are equal, b is not")
	}
}
