package jobs

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/onnx"
)

// readsAFile is a model whose picture is added to what a file of the machine holds, which a branch of an If names: four bytes of
// it are in every answer.
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
		_, err = models.Receive(t.Context(), bytes.NewReader(file), func() ([]byte, error) { return nil, nil })
		var invalid *annotator.ValidationError
		if !errors.As(err, &invalid) || !strings.Contains(invalid.Message, "node X (If), then_branch, initializer leak: its data lies in another file") {
			t.Errorf("%s: %v, want a ValidationError that names the tensor", location, err)
		}
		// What went around that door, a row of an older release, is not opened either.
		path := t.TempDir() + "/model.onnx"
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := onnx.ReadWhole(t.Context(), path); !errors.Is(err, onnx.ErrExternal) {
			t.Errorf("%s, read as a version's model: %v, want ErrExternal", location, err)
		}
	}
}
