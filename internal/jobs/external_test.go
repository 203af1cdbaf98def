package jobs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

// readsAFile changes m so that it adds to its picture an external tensor, which a branch of an If keeps in a file of the machine:
// every answer then shows four bytes of that file.
func readsAFile(t *testing.T, m *onnx.Model, location string) *onnx.Model {
	t.Helper()
	field := func(number protowire.Number, parts ...[]byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), slices.Concat(parts...))
	}
	number := func(field protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
	}
	entry := func(key, value string) []byte { return field(13, field(1, []byte(key)), field(2, []byte(value))) }
	tensor := slices.Concat(number(1, 1), number(2, 1), field(8, []byte("leak")), entry("location", location), entry("length", "4"), number(14, 1))
	output := field(12, field(1, []byte("leak")), field(2, field(1, number(1, 1), field(2, field(1, number(1, 1))))))
	branch := field(6, field(2, []byte("branch")), field(5, tensor), output)

	m = m.Clone()
	g := m.Graph
	image := g.Feeds()[0].Name
	for _, n := range g.Nodes {
		for i, in := range n.Inputs {
			if in == image {
				n.Inputs[i] = "leaking"
			}
		}
	}
	attribute := func(name string) *onnx.Attribute {
		return &onnx.Attribute{Name: name, Type: onnx.AttributeGraph, Unknown: branch}
	}
	g.Initializers = append(g.Initializers, &onnx.Tensor{Name: "yes", Type: onnx.Bool, Raw: []byte{1}})
	g.ValueInfo = append(g.ValueInfo, onnx.NewValue("leaked", onnx.Float, onnx.ShapeOf(1)))
	g.Nodes = slices.Concat([]*onnx.Node{
		onnx.NewNode("If", "X", []string{"yes"}, []string{"leaked"}, attribute("then_branch"), attribute("else_branch")),
		onnx.NewNode("Add", "leaks", []string{image, "leaked"}, []string{"leaking"}),
	}, g.Nodes)
	return m
}

// An uploaded model that names a file of the machine, in a graph of an attribute, is refused by name, whether the file is there or not.
func TestUploadThatReadsAFileIsRefused(t *testing.T) {
	t.Parallel()
	tiny, _ := tinyABN(t)
	blobs, err := blob.Open(t.Context(), t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	models := NewModels(blobs, t.TempDir(), 0)
	for _, location := range []string{"intake.go", "../../go.mod", "/etc/passwd", "*/_ORT_MEM_ADDR_/*"} {
		file, err := readsAFile(t, tiny, location).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		_, err = models.Receive(t.Context(), sentAs(annotator.SentFile{Kind: annotator.SentModel, Name: "m.onnx", Reader: bytes.NewReader(file)}))
		var invalid *annotator.ValidationError
		if !errors.As(err, &invalid) || !strings.Contains(invalid.Message, "node X (If), then_branch, initializer leak: its data lies in another file") {
			t.Errorf("%s: %v, want a ValidationError that names the tensor", location, err)
		}
		// A version that was stored without that check, by an older release, is not opened either.
		path := t.TempDir() + "/model.onnx"
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := onnx.ReadWhole(t.Context(), path); !errors.Is(err, onnx.ErrExternal) {
			t.Errorf("%s, read as a version's model: %v, want ErrExternal", location, err)
		}
	}
}

// sentAs gives files as an upload does.
func sentAs(files ...annotator.SentFile) func() (annotator.SentFile, error) {
	return func() (annotator.SentFile, error) {
		if len(files) == 0 {
			return annotator.SentFile{}, io.EOF
		}
		next := files[0]
		files = files[1:]
		return next, nil
	}
}

// A model as torch.onnx.export writes it today, with its values in a file beside it, becomes the one file it would be.
func TestModelThatCameWithItsData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(fixture.Root(), "web", "e2e", "testdata", "torch") // PyTorch's own default export
	_, whole, err := onnx.Load(t.Context(), filepath.Join(dir, "abn.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	apart, data := read("abn.onnx"), read("abn.onnx.data")
	blobs, err := blob.Open(t.Context(), t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	incoming := t.TempDir()
	models := NewModels(blobs, incoming, 0)
	file := func(kind annotator.SentKind, name string, content []byte) annotator.SentFile {
		return annotator.SentFile{Kind: kind, Name: name, Reader: bytes.NewReader(content)}
	}
	config := []byte(`{"do_resize": true, "size": {"height": 32, "width": 32}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "image_processor_type": "ViTImageProcessor"}`)
	found, err := models.Receive(t.Context(), sentAs(file(annotator.SentData, "net/abn.onnx.data", data), file(annotator.SentManifest, "net/preprocessor_config.json", config), file(annotator.SentModel, "net/abn.onnx", apart)))
	if err != nil {
		t.Fatal(err)
	}
	path, err := blobs.Path(t.Context(), found.Hash)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := onnx.ReadWhole(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := kept.Marshal()
	if err != nil || !bytes.Equal(again, whole) {
		t.Errorf("what is kept has %d bytes, want the %d of the model in one file; %v", len(again), len(whole), err)
	}
	if d := found.Report.Data; len(d) != 2 || d[1].Name != "abn.onnx.data" || d[1].Bytes != int64(len(data)) {
		t.Errorf("it came as %+v, want the file and %d bytes beside it", d, len(data))
	}
	if p := found.Report.ManifestProblem; p == nil || p.Field != "classes" || !strings.Contains(string(found.Manifest), `"resize":[32,32]`) {
		t.Errorf("manifest %s with problem %+v, want the pixels of preprocessor_config.json and classes that are missing", found.Manifest, p)
	}

	for name, c := range map[string]struct {
		sent []annotator.SentFile
		want string
	}{
		"without its data":    {[]annotator.SentFile{file(annotator.SentModel, "abn.onnx", apart)}, "Send the file that holds it together with the model"},
		"with other data":     {[]annotator.SentFile{file(annotator.SentModel, "abn.onnx", apart), file(annotator.SentData, "other.data", data)}, `"abn.onnx.data"): it was not sent`},
		"with data cut short": {[]annotator.SentFile{file(annotator.SentModel, "abn.onnx", apart), file(annotator.SentData, "abn.onnx.data", data[:9])}, "the file has 9 bytes"},
		"as two":              {[]annotator.SentFile{file(annotator.SentModel, "a.onnx", whole), file(annotator.SentModel, "b.onnx", whole)}, "two ONNX files"},
		"not at all":          {[]annotator.SentFile{file(annotator.SentData, "abn.onnx.data", data)}, "no ONNX file"},
		"as no model":         {[]annotator.SentFile{file(annotator.SentModel, "a.onnx", []byte("no model")), file(annotator.SentData, "abn.onnx.data", data)}, "this is a text, which begins \"no model\": give the .onnx file"},
	} {
		_, err := models.Receive(t.Context(), sentAs(c.sent...))
		var invalid *annotator.ValidationError
		if !errors.As(err, &invalid) || !strings.Contains(invalid.Message, c.want) {
			t.Errorf("%s: %v, want a ValidationError: %s", name, err, c.want)
		}
	}
	field := func(number protowire.Number, parts ...[]byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), slices.Concat(parts...))
	}
	number := func(field protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
	}
	var tensors []byte
	for _, name := range []string{"a", "b", "c"} { // 1 GiB each
		tensors = append(tensors, field(5, number(1, 1<<14), number(1, 1<<14), number(2, 1), field(8, []byte(name)), field(13, field(1, []byte("location")), field(2, []byte("abn.onnx.data"))), number(14, 1))...)
	}
	_, err = models.Receive(t.Context(), sentAs(file(annotator.SentModel, "abn.onnx", slices.Concat(number(1, 8), field(7, tensors))), file(annotator.SentData, "abn.onnx.data", data)))
	var invalid *annotator.ValidationError
	if !errors.As(err, &invalid) || !strings.HasPrefix(invalid.Message, "model is larger than the 2 GiB a protobuf file can hold: its values take 3.00 GiB") {
		t.Errorf("beyond what a file holds: %v", err)
	}
	small := NewModels(blobs, incoming, int64(len(apart)+len(data)-1))
	if _, err := small.Receive(t.Context(), sentAs(file(annotator.SentModel, "abn.onnx", apart), file(annotator.SentData, "abn.onnx.data", data))); !errors.Is(err, annotator.ErrTooLarge) {
		t.Errorf("beyond the limit together: %v, want ErrTooLarge", err)
	}
	if left, err := os.ReadDir(incoming); err != nil || len(left) != 0 {
		t.Errorf("%d files are left on their way, %v", len(left), err)
	}
}
