package jobs

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/statedict"
)

// A trained version becomes a state_dict by the reference alone, since the studio has the file that it descends from. No temporary
// file stays behind, also after a failure.
func TestStateDictLeavesNothing(t *testing.T) {
	t.Parallel()
	home := filepath.Join(fixture.Root(), "onnx", "statedict", "testdata")
	packed, err := os.Open(filepath.Join(home, "plain-dynamo.onnx.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	exported, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	model, err := onnx.Read(t.Context(), exported)
	if err != nil {
		t.Fatal(err)
	}
	values, err := model.Graph.Initializer("fc.weight").Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for i := range values {
		values[i] += 0.25
	}
	trained := model.Graph.Initializer("fc.weight")
	*trained = *onnx.NewFloat32("fc.weight", trained.Dims, values)
	better, err := model.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.Open(t.Context(), t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keep := func(data []byte) string {
		hash, _, err := blobs.Put(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	dir := t.TempDir()
	models := NewModels(blobs, dir, 0)
	reference, err := os.ReadFile(filepath.Join(home, "plain.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	asked := annotator.StateDictOf{Version: annotator.Version{ModelHash: keep(better), Bytes: int64(len(better)), Manifest: []byte("{}")}, Parent: keep(exported)}
	asked.Format = "safetensors"
	with := func(name string, content []byte) annotator.StateDictOf {
		asked := asked
		asked.Reference = &annotator.SentFile{Name: name, Reader: bytes.NewReader(content)}
		return asked
	}
	empty := func(when string) {
		t.Helper()
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: %d files are left, %v", when, len(left), err)
		}
	}

	file, err := models.StateDict(t.Context(), with("original.safetensors", reference))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	empty("once it is closed")
	path := filepath.Join(t.TempDir(), "better.safetensors")
	if err := os.WriteFile(path, got, 0o600); err != nil {
		t.Fatal(err)
	}
	dict, err := statedict.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if home, err := dict.Get("fc.weight").Float32s(); err != nil || home[0] != values[0] {
		t.Errorf("what was trained is %v at home, want %v; %v", home[:1], values[:1], err)
	}

	// A version that was uploaded after its training is no parent of itself.
	uploaded := func(asked annotator.StateDictOf) annotator.StateDictOf {
		asked.Parent = ""
		return asked
	}
	other, err := os.ReadFile(filepath.Join(home, "epsilon.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if file, err = models.StateDict(t.Context(), uploaded(with("original.safetensors", reference))); err != nil {
		t.Fatal(err)
	}
	alone, err := io.ReadAll(file)
	if err != nil || file.Close() != nil || !bytes.Equal(alone, got) {
		t.Errorf("a version that was uploaded as it is: not what it is with its parent; %v", err)
	}
	for what, c := range map[string]struct {
		asked annotator.StateDictOf
		want  string
	}{
		"no reference":    {asked, "needs the state_dict"},
		"an empty file":   {with("a.safetensors", nil), "it is empty"},
		"no parent":       {uploaded(with("a.safetensors", other)), "--parent"},
		"a cut reference": {with("a.safetensors", reference[:len(reference)/2]), "a.safetensors"},
		"another's":       {with("a.npz", []byte("PK")), "not an .npz archive"},
		"a pickled file":  {with("best.pt", reference), "is pickled"},
		"an odd name":     {with("../../etc/passwd", reference), "want .safetensors or .npz"},
	} {
		_, err := models.StateDict(t.Context(), c.asked)
		var invalid *annotator.ValidationError
		if !errors.As(err, &invalid) || invalid.Field != "reference" || !strings.Contains(invalid.Message, c.want) || strings.Contains(invalid.Message, dir) {
			t.Errorf("%s: %v, want %s", what, err, c.want)
		}
		empty(what)
	}
	if _, err := NewModels(blobs, dir, 1000).StateDict(t.Context(), with("a.safetensors", reference)); !errors.Is(err, annotator.ErrTooLarge) || !strings.Contains(err.Error(), "studio model export") {
		t.Errorf("beyond the limit: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := models.StateDict(gone, with("a.safetensors", reference)); !errors.Is(err, context.Canceled) {
		t.Errorf("of who has left: %v", err)
	}
	empty("at the end")
}
