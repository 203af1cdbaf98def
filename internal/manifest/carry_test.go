package manifest_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

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
	before, err := onnx.Read(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	given := []byte(`{"classes": ["owl", "tit"]}`)
	if own, ok := before.MetadataValue(manifest.Key); ok {
		given = []byte(own)
	}
	file, err := manifest.Carry(bytes.NewReader(raw), given)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(file)
	if err != nil || !bytes.HasPrefix(whole, raw) {
		t.Fatalf("%d bytes of %d, %v", len(whole), len(raw), err)
	}
	model, err := onnx.Read(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := model.MetadataValue(manifest.Key); !ok || got != string(given) {
		t.Errorf("carries %q", got)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(file, whole); err != nil {
		t.Error(err)
	}
	again, err := manifest.Carry(bytes.NewReader(whole), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if same, err := io.ReadAll(again); err != nil || !bytes.Equal(same, whole) {
		t.Errorf("a model that carries one has %d bytes, had %d, %v", len(same), len(whole), err)
	}
	if _, err := manifest.Carry(bytes.NewReader([]byte("\x3a\xff\x01cut")), given); err == nil {
		t.Error("what is no model cannot carry anything")
	}
}
