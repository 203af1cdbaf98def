package onnx_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/onnx"
)

func TestAModelCarriesItsManifest(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(fixture.Reference(t), "abn-resnet-tiny.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	given := []byte(`{"classes": ["owl", "tit"]}`)
	packed := repacked(t, raw, onnx.Packing{Manifest: given})
	whole := readAll(t, packed.Model)
	model, err := onnx.Read(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := model.MetadataValue(manifest.Key); !ok || got != string(given) {
		t.Errorf("carries %q", got)
	}
	if packed.Model.Size() != int64(len(whole)) || packed.Data.Size() != 0 {
		t.Errorf("says %d bytes, has %d; %d beside", packed.Model.Size(), len(whole), packed.Data.Size())
	}
	if _, err := packed.Model.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(packed.Model, whole); err != nil {
		t.Error(err)
	}
	if again := readAll(t, repacked(t, whole, onnx.Packing{Manifest: given}).Model); !bytes.Equal(again, whole) {
		t.Errorf("one that carries it has %d bytes, had %d", len(again), len(whole))
	}
	// What a version is run with is what its file says, whatever that said when it came.
	other, err := onnx.Read(t.Context(), readAll(t, repacked(t, whole, onnx.Packing{Manifest: []byte(`{}`)}).Model))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := other.MetadataValue(manifest.Key); got != "{}" || len(other.Metadata) != len(model.Metadata) {
		t.Errorf("carries %q in %d entries", got, len(other.Metadata))
	}
	if same := readAll(t, repacked(t, raw, onnx.Packing{}).Model); !bytes.Equal(same, raw) {
		t.Error("nothing was asked for, and the file is another")
	}
	for _, bad := range [][]byte{[]byte("\x3a\xff\x01cut"), []byte("\x3a\x7fcut"), {0x0b}} {
		if _, err := onnx.Repack(bytes.NewReader(bad), onnx.Packing{Manifest: given}); err == nil {
			t.Errorf("%x is no model and is handed out", bad)
		}
	}
}

// As PyTorch writes it: what has more than 256 bytes stands in the other file, and the values are the same.
func TestLargeValuesGoIntoAFileBeside(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(fixture.Reference(t), "abn-resnet-tiny.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	big := onnx.NewFloat32("big", []int64{1 << 18}, make([]float32, 1<<18)) // a mebibyte, which begins where it can be mapped
	before, err := onnx.Read(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	before.Graph.Initializers = append(before.Graph.Initializers, big)
	if raw, err = before.Marshal(); err != nil {
		t.Fatal(err)
	}
	packed := repacked(t, raw, onnx.Packing{Data: "abn.onnx.data"})
	dir := t.TempDir()
	model, data := readAll(t, packed.Model), readAll(t, packed.Data)
	for name, content := range map[string][]byte{"abn.onnx": model, "abn.onnx.data": data} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	after, err := onnx.ReadFile(t.Context(), filepath.Join(dir, "abn.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	var beside int64
	for i, want := range before.Graph.Initializers {
		got := after.Graph.Initializers[i]
		if got.Name != want.Name || got.Type != want.Type || !slices.Equal(got.Dims, want.Dims) || !bytes.Equal(got.Raw, want.Raw) {
			t.Errorf("%s is another", want.Name)
		}
		if len(want.Raw) > 256 {
			beside += int64(len(want.Raw))
		}
	}
	if s := after.Sources(); len(s) != 1 || s[0].Location != "abn.onnx.data" || s[0].Bytes != beside || beside < 1<<20 {
		t.Errorf("read from %v, want %d bytes beside", s, beside)
	}
	if at := bytes.Index(model, []byte("offset")); at < 0 || len(data)%(1<<16) != 0 {
		t.Errorf("the last value has a mebibyte, and the file that it ends %d bytes", len(data))
	}
	whole, err := after.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if again := readAll(t, repacked(t, whole, onnx.Packing{Data: "abn.onnx.data"}).Data); !bytes.Equal(again, data) {
		t.Error("made one and apart again, it is another")
	}
}

// Where on somebody's machine a network was made is in many places of a file, and in none of what is handed out.
func TestNoPathsAreHandedOut(t *testing.T) {
	t.Parallel()
	entry := func(key, value string) []byte {
		e := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
		return protowire.AppendString(protowire.AppendTag(e, 2, protowire.BytesType), value)
	}
	metadata := func(number protowire.Number, key, value string) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), entry(key, value))
	}
	const (
		trace  = "File \"/home/ada/My Work/abn.py\", line 12, in forward\n    x = self.conv1(x)"
		scopes = "['', 'layer1', 'layer1.0.conv1']"
	)
	weight := onnx.NewFloat32("w", []int64{1}, []float32{2})
	weight.DocString, weight.Unknown = "from /mnt/share/w.npy", metadata(16, "origin", "C:\\Users\\ada\\w.bin")
	image := onnx.NewValue("x", onnx.Float, onnx.BatchOf(3))
	image.DocString, image.Unknown = "see /srv/data/x.png", metadata(4, "pkg.torch.onnx.original_node_name", "/Users/ada/x")
	inner := &onnx.Graph{Name: "inner", DocString: "in /opt/inner/g.py", Nodes: []*onnx.Node{{Op: "Identity", Inputs: []string{"y"}, Outputs: []string{"z"}, Unknown: metadata(9, "pkg.torch.onnx.stack_trace", trace)}}}
	model := &onnx.Model{
		IRVersion: 8, Opsets: []onnx.Opset{{Version: 18}}, DocString: "made in /home/ada/abn\nof https://example.org/home/abn.py",
		Metadata: []onnx.Metadata{{Key: "source", Value: "file:///home/ada/run/abn.pt"}, {Key: "names", Value: "/layer1/conv1/Conv"}},
		Graph: &onnx.Graph{Name: "g", DocString: "/usr/lib/python3/torch/nn/module.py(1500): call", Unknown: metadata(16, "pkg.torch.export.ExportedProgram", "'/home/ada/abn.py' 1/2"),
			Inputs: []*onnx.ValueInfo{image}, Initializers: []*onnx.Tensor{weight},
			Nodes: []*onnx.Node{
				{Name: "/layer1/Mul", Op: "Mul", Inputs: []string{"x", "w"}, Outputs: []string{"y"}, DocString: "/home/ada/My Work/abn.py(12): forward\n/work2/x/abn.py(3): <module>\n",
					Unknown: slices.Concat(metadata(9, "pkg.torch.onnx.name_scopes", scopes), metadata(9, "pkg.torch.onnx.stack_trace", trace), metadata(9, "pkg.torch.onnx.fx_node", "%mul : target=/home/ada/abn.py:12"))},
				{Op: "If", Inputs: []string{"c"}, Outputs: []string{"z"}, Attributes: []*onnx.Attribute{{Name: "then_branch", Type: onnx.AttributeGraph, Graph: inner,
					Unknown: protowire.AppendString(protowire.AppendTag(nil, 13, protowire.BytesType), "by /home/ada/if.py")}}},
			}},
		Functions: []*onnx.Function{{Name: "f", DocString: "/tmp/ada/f.py", Unknown: metadata(14, "pkg.torch.onnx.stack_trace", trace),
			Nodes: []*onnx.Node{{Op: "Relu", Inputs: []string{"a"}, Outputs: []string{"b"}, Unknown: metadata(9, "stack_trace", trace)}}}},
	}
	raw, err := model.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(onnx.Describe(t.Context(), model).Notes, "\n")
	if !strings.Contains(notes, "/home/ada/abn") || !strings.Contains(notes, "studio model export") {
		t.Errorf("notes: %s", notes)
	}
	packed := repacked(t, raw, onnx.Packing{})
	clean := readAll(t, packed.Model)
	for _, told := range []string{"ada", "/mnt", "/usr", "/opt", "/srv", "/tmp", "/work2", `\Users`, "My Work", "self.conv1"} {
		if at := bytes.Index(clean, []byte(told)); at >= 0 {
			t.Errorf("it tells %q: %q", told, clean[max(0, at-30):min(len(clean), at+40)])
		}
	}
	for _, kept := range []string{scopes, "abn.py(12): forward", "https://example.org/home/abn.py", "/layer1/conv1/Conv", "/layer1/Mul", "'abn.py' 1/2", "target=abn.py:12", "from w.npy", "see x.png"} {
		if !bytes.Contains(clean, []byte(kept)) {
			t.Errorf("it has lost %q", kept)
		}
	}
	after, err := onnx.Read(t.Context(), clean)
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Graph.Nodes) != 2 || !cmp.Equal(after.Graph.Initializers[0].Raw, weight.Raw) || after.Functions[0].Nodes[0].Op != "Relu" {
		t.Errorf("it is another network: %v", after.Graph.Nodes)
	}
	if again := repacked(t, clean, onnx.Packing{}); len(again.Paths) > 0 {
		t.Errorf("what was handed out tells %q", again.Paths)
	}
}

// What is handed out of a file that is read is read, with the same values.
func FuzzRepack(f *testing.F) {
	whole, err := smallABN{}.model().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, raw []byte) {
		before, err := onnx.Read(t.Context(), raw)
		if err != nil {
			return
		}
		packed, err := onnx.Repack(bytes.NewReader(raw), onnx.Packing{Manifest: []byte("{}"), Data: "d"})
		if err != nil {
			return // of what Read does not follow
		}
		model, data := readAll(t, packed.Model), readAll(t, packed.Data)
		after, err := onnx.ReadWith(t.Context(), model, func(tensor *onnx.Tensor, _ string, offset int64) error {
			size, err := tensor.Elements()
			tensor.Raw = data[offset:][:size*int64(tensor.Type.Size())]
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(before.Graph.Initializers) != len(after.Graph.Initializers) || len(before.Graph.Nodes) != len(after.Graph.Nodes) {
			t.Fatal("it is another network")
		}
		for i, want := range before.Graph.Initializers {
			if !bytes.Equal(want.Raw, after.Graph.Initializers[i].Raw) {
				t.Fatalf("%q has other values", want.Name)
			}
		}
	})
}

func repacked(t *testing.T, raw []byte, p onnx.Packing) *onnx.Packed {
	t.Helper()
	packed, err := onnx.Repack(bytes.NewReader(raw), p)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Weights are passed on from the disk: what a large file takes in memory is its texts. It counts what is allocated, and runs alone.
func TestHandingOutHoldsNoWeights(t *testing.T) {
	model := smallABN{}.model()
	const megabytes = 48
	model.Graph.Initializers = append(model.Graph.Initializers, onnx.NewFloat32("large", []int64{megabytes << 18}, make([]float32, megabytes<<18)))
	path := filepath.Join(t.TempDir(), "large.onnx")
	if err := model.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range []onnx.Packing{{Manifest: []byte("{}")}, {Manifest: []byte("{}"), Data: "large.onnx.data"}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		packed, err := onnx.Repack(file, p)
		if err != nil {
			t.Fatal(err)
		}
		var sizes [2]int64
		for i, part := range []*onnx.Pieces{packed.Model, packed.Data} {
			if sizes[i], err = io.Copy(io.Discard, part); err != nil || sizes[i] != part.Size() {
				t.Fatalf("%d of %d bytes, %v", sizes[i], part.Size(), err)
			}
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 || sizes[0]+sizes[1] < megabytes<<20 {
			t.Errorf("%d bytes were allocated to hand out %d and %d", took, sizes[0], sizes[1])
		}
	}
}
