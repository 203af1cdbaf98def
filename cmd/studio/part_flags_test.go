package main

import (
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
)

// A network with two maps is refused with the flag to name one by, and taken with it: by every command, and by what they write.
func TestValuesAreNamedByFlags(t *testing.T) {
	t.Parallel()
	model := filepath.Join(fixture.Root(), "onnx", "testdata", "exports", "two-maps.onnx")
	dir := t.TempDir()
	images := filepath.Join(dir, "images")
	for _, class := range []string{"c0", "c1", "c2"} {
		if err := os.MkdirAll(filepath.Join(images, "train", class), 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := os.Create(filepath.Join(images, "train", class, "a.png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(file, image.NewGray(image.Rect(0, 0, 16, 16))); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "out.onnx")
	for _, command := range [][]string{
		{"model", "inspect", model},
		{"predict", "--model", model, "--images", images, "--out", filepath.Join(dir, "out.jsonl")},
		{"evaluate", "--model", model, "--images", images},
		{"train", "--from", model, "--images", images, "--epochs", "1", "--out", out},
	} {
		if code, _, err := runStudio(t, command...); code == exitOK || !strings.Contains(err, "--map VALUE") {
			t.Errorf("%v without a name: exit code %d: %s", command, code, err)
		}
		if code, _, err := runStudio(t, append(command, "--map", "sigmoid")...); code != exitOK {
			t.Errorf("%v: exit code %d: %s", command, code, err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "out.json"))
	if err != nil {
		t.Fatal(err)
	}
	var written manifest.Manifest
	if err := json.Unmarshal(data, &written); err != nil || written.Names == nil || written.Names.Map != "sigmoid" {
		t.Errorf("the manifest that was written names %+v: %v", written.Names, err)
	}
	if code, _, err := runStudio(t, "model", "inspect", out); code != exitOK {
		t.Errorf("what was written: %s", err)
	}
}
