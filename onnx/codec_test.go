package onnx_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

// sameModel compares what a file says, not how it stored it.
var sameModel = cmp.Options{
	cmpopts.IgnoreUnexported(onnx.Model{}, onnx.Tensor{}, onnx.ValueInfo{}), cmpopts.EquateEmpty(),
	cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 0 }, cmp.Comparer(bytes.Equal)),
}

func mustRead(t testing.TB, path string) *onnx.Model {
	t.Helper()
	m, err := onnx.ReadFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRoundTripKeepsEveryByte(t *testing.T) {
	t.Parallel()
	for _, path := range fixture.ABNs(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			m, err := onnx.Read(t.Context(), before)
			if err != nil {
				t.Fatal(err)
			}
			after, err := m.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before, after) {
				t.Errorf("%d bytes read, %d written, and they differ", len(before), len(after))
			}
			again, err := onnx.Read(t.Context(), after)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, again, sameModel); diff != "" {
				t.Errorf("model changed on its way through a file (-before +after):\n%s", diff)
			}
		})
	}
}

// A TensorProto by hand: dims 2, a type, then one typed field, packed or not.
func modelWithTensor(tensor ...byte) []byte {
	graph := append([]byte{0x2a, byte(len(tensor))}, tensor...)
	return append([]byte{0x08, 0x07, 0x3a, byte(len(graph))}, graph...)
}

func TestTypedStorageIsDecodedAndKept(t *testing.T) {
	t.Parallel()
	minusOne := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}
	tests := []struct {
		name   string
		tensor []byte
		floats []float32
		ints   []int64
	}{
		{"float_data packed", []byte{0x08, 2, 0x10, 1, 0x22, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}, []float32{1, -2}, nil},
		{"double_data", []byte{0x08, 1, 0x10, 11, 0x52, 8, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, []float32{1}, nil},
		{"int64_data", append([]byte{0x08, 2, 0x10, 7, 0x3a, 11, 5}, minusOne...), nil, []int64{5, -1}},
		{"int32_data as int8", append([]byte{0x08, 2, 0x10, 3, 0x2a, 11, 5}, minusOne...), nil, []int64{5, -1}},
		{"int32_data as bool", []byte{0x08, 2, 0x10, 9, 0x2a, 2, 1, 0}, nil, []int64{1, 0}},
		{"int32_data as float16", []byte{0x08, 2, 0x10, 10, 0x2a, 5, 0x80, 0x78, 0x80, 0x80, 0x02}, []float32{1, float32(math.Copysign(0, -1))}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := modelWithTensor(test.tensor...)
			m, err := onnx.Read(t.Context(), data)
			if err != nil {
				t.Fatal(err)
			}
			tensor := m.Graph.Initializers[0]
			if test.floats != nil {
				got, err := tensor.Float32s()
				if diff := cmp.Diff(test.floats, got); err != nil || diff != "" {
					t.Errorf("Float32s: %v\n%s", err, diff)
				}
			} else {
				got, err := tensor.Int64s()
				if diff := cmp.Diff(test.ints, got); err != nil || diff != "" {
					t.Errorf("Int64s: %v\n%s", err, diff)
				}
			}
			out, err := m.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(data, out) {
				t.Errorf("read  %x\nwrote %x", data, out)
			}
		})
	}
}

func TestUnpackedListsAreRead(t *testing.T) {
	t.Parallel()
	m, err := onnx.Read(t.Context(), modelWithTensor(0x08, 2, 0x10, 7, 0x38, 5, 0x38, 6)) // int64_data: 5, 6, one field each
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Graph.Initializers[0].Int64s()
	if diff := cmp.Diff([]int64{5, 6}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestUnknownFieldsSurvive(t *testing.T) {
	t.Parallel()
	m := onnx.Model{IRVersion: 8, Graph: &onnx.Graph{Name: "g", Nodes: []*onnx.Node{
		onnx.NewNode("Relu", "r", []string{"x"}, []string{"y"}, onnx.IntAttr("a", 1))}}}
	unknown := []byte{0xfa, 0x3e, 3, 'n', 'e', 'w'} // field 1007
	m.Unknown, m.Graph.Unknown, m.Graph.Nodes[0].Unknown, m.Graph.Nodes[0].Attributes[0].Unknown = unknown, unknown, unknown, unknown
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := onnx.Read(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&m, again, sameModel); diff != "" {
		t.Error(diff)
	}
}

// emptyNodes is a graph of n empty nodes: two bytes each in the file, hundreds in memory.
func emptyNodes(n int) []byte {
	graph := bytes.Repeat([]byte{0x0a, 0x00}, n)
	return append(protowire.AppendVarint([]byte{0x3a}, uint64(len(graph))), graph...)
}

func TestReadRefusesWithPlace(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(fixture.ABNs(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "an empty file"},
		{"text", []byte("this is no model at all"), "a text, which begins"},
		{"truncated", whole[:len(whole)/2], "byte "},
		{"huge length", []byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f}, "byte 0"},
		{"dims beyond data", modelWithTensor(0x08, 0xff, 0xff, 0xff, 0xff, 0x07, 0x10, 1, 0x4a, 4, 0, 0, 0, 0), "graph.initializer[0]"},
		{"dims overflow", modelWithTensor(0x08, 0xff, 0xff, 0xff, 0xff, 0x07, 0x08, 0xff, 0xff, 0xff, 0xff, 0x07, 0x08, 0xff, 0xff, 0xff, 0xff, 0x07, 0x10, 1), "graph.initializer[0]"},
		{"negative dim", modelWithTensor(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x10, 1), "negative"},
		{"wrong wire type", []byte{0x38, 0x01}, "field graph: wire type"},
		{"millions of empty nodes", emptyNodes(3 << 20), "more than 65536 nodes"},
		{"two graphs", []byte{0x3a, 0, 0x3a, 0}, "twice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := onnx.Read(t.Context(), test.data)
			if !errors.Is(err, onnx.ErrMalformed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ErrMalformed with %q", err, test.want)
			}
		})
	}
}

func TestWriteFileIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "m.onnx")
	bad := &onnx.Model{Graph: &onnx.Graph{Initializers: []*onnx.Tensor{onnx.NewFloat32("w", []int64{3}, []float32{1})}}}
	if err := bad.WriteFile(path); !errors.Is(err, onnx.ErrSize) {
		t.Errorf("a tensor that does not fill its dims: %v, want ErrSize", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 0 {
		t.Errorf("left %v behind", entries)
	}
	m := mustRead(t, fixture.ABNs(t)[0])
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, mustRead(t, path), sameModel); diff != "" {
		t.Error(diff)
	}
}

func FuzzRead(f *testing.F) {
	small, err := smallABN{}.model().Marshal() // whole files are too long to mutate well
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	f.Add(modelWithTensor(0x08, 2, 0x10, 7, 0x38, 5, 0x38, 6))
	f.Add([]byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := onnx.Read(t.Context(), data)
		if err != nil {
			return
		}
		out, err := m.Marshal()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := onnx.Read(t.Context(), out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		second, err := again.Marshal()
		if err != nil || !bytes.Equal(out, second) {
			t.Fatalf("writing twice gives different files: %v", err)
		}
		for _, n := range m.Graph.Nodes {
			n.Reads()
		}
	})
}
