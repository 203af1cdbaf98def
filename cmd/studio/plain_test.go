package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
)

// Names of files can hold what moves a terminal's cursor: commands that succeed, warn or fail write it escaped, and documents keep it.
func TestNamesOfFilesAreEscaped(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a\x1b[2Jb")
	images := threeClasses(t, dir)
	if err := os.WriteFile(filepath.Join(images, "train", "c0", "\x1b]0;broken.png"), []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(fixture.Root(), "onnx", "testdata", "exports", "fixed-plain.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	pixels, err := os.ReadFile(filepath.Join(fixture.Root(), "onnx", "testdata", "exports", "fixed-plain.json"))
	if err != nil {
		t.Fatal(err)
	}
	model, out := filepath.Join(dir, "abn.onnx"), filepath.Join(dir, "out.jsonl")
	for path, data := range map[string][]byte{model: content, manifestPath(model): pixels} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"predict", "--model", model, "--images", images, "--out", out},
		{"model", "export", model, "--out", filepath.Join(dir, "given.onnx")},
		{"model", "inspect", model},
		{"model", "inspect", filepath.Join(dir, "none.onnx")},
		{"import", "folder", images, "--dry-run"},
	} {
		code, stdout, stderr := runStudio(t, args...)
		if said := stdout + stderr; strings.ContainsAny(said, "\x1b") || !strings.Contains(said, `\x1b[2Jb`) && args[0] != "import" {
			t.Errorf("%q, exit code %d: %q", args, code, said)
		}
	}
	_, stdout, _ := runStudio(t, "predict", "--model", model, "--images", images, "--out", out, "--json")
	if got := decodeJSON[predictSummary](t, stdout); got.Out != out || len(got.Broken) != 1 {
		t.Errorf("the document: %+v", got)
	}
}
