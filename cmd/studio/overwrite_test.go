package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
)

// No command writes over the model it reads, or over the manifest beside it, by whatever name; it says so before it begins.
func TestOutIsNotTheModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	original, err := os.ReadFile(filepath.Join(fixture.Reference(t), fixture.ReferenceModels(t)[0]+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	model, manifest, images, link := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "m.json"), filepath.Join(dir, "images"), filepath.Join(dir, "folder")
	err = errors.Join(os.WriteFile(model, original, 0o600), os.WriteFile(manifest, []byte("{}"), 0o600), os.Mkdir(images, 0o700),
		os.Symlink("m.onnx", filepath.Join(dir, "soft.onnx")), os.Link(model, filepath.Join(dir, "hard.onnx")), os.Symlink(dir, link),
		os.Symlink("m.json", filepath.Join(dir, "other.json")), os.Symlink("nothing.onnx", filepath.Join(dir, "dangling.onnx")))
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(here, model)
	if err != nil {
		t.Fatal(err)
	}
	outs := map[string]string{
		model: "--model", relative: "--model", filepath.Join(dir, "soft.onnx"): "--model", filepath.Join(dir, "hard.onnx"): "--model",
		link + "/m.onnx": "--model", dir + "/images/../m.onnx": "--model", dir + "//./m.onnx": "--model",
		manifest: "the manifest of --model", filepath.Join(dir, "m.other"): "the manifest of --model", filepath.Join(dir, "other.onnx"): "the manifest of --model",
	}
	commands := map[string][]string{
		"finetune": {"finetune", "--model", model, "--images", images, "--maps", images},
		"train":    {"train", "--from", model, "--images", images},
		"attach":   {"model", "attach", "--model", model},
		"predict":  {"predict", "--model", model, "--images", images},
		"sweep":    {"aviary", "sweep", "--model", model, "--images", images},
	}
	for name, command := range commands {
		for out, what := range outs {
			if name == "predict" || name == "sweep" { // they write no manifest
				if out == filepath.Join(dir, "m.other") || out == filepath.Join(dir, "other.onnx") {
					continue
				}
			}
			var said bytes.Buffer
			code := run(t.Context(), append(append([]string{}, command...), "--out", out), &stdio{In: strings.NewReader(""), Out: &said, Err: &said})
			text := strings.ReplaceAll(said.String(), "--from", "--model")
			if code == 0 || !strings.Contains(text, what+" are one file") || !strings.Contains(text, "write to another name") {
				t.Errorf("%s --out %s: %d, %s\nwant a refusal that names %s", name, out, code, said.String(), what)
			}
		}
	}
	if now, err := os.ReadFile(model); err != nil || !bytes.Equal(now, original) {
		t.Errorf("the model is no longer what it was: %v", err)
	}
	if now, err := os.ReadFile(manifest); err != nil || string(now) != "{}" {
		t.Errorf("the manifest is no longer what it was: %q, %v", now, err)
	}
	for _, fine := range []string{"n.onnx", "dangling.onnx", "images/m.onnx"} {
		if err := refuseOverwriting(withManifest("--out", filepath.Join(dir, fine)), withManifest("--model", model)); err != nil {
			t.Errorf("--out %s: %v", fine, err)
		}
	}
	if err := refuseOverwriting(withManifest("--out", filepath.Join(dir, "n.json")), nil); err == nil {
		t.Error("--out n.json would be written over by its own manifest")
	}
}
