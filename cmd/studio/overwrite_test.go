package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
)

// No command overwrites the model that it reads, or the manifest beside it, under whatever name; it refuses before it begins.
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

func TestOutIsNotTheModelsData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	field := func(number byte, parts ...[]byte) []byte { // of a protobuf message, with a length
		value := bytes.Join(parts, nil)
		return append([]byte{number<<3 | 2, byte(len(value))}, value...)
	}
	entry := field(13, field(1, []byte("location")), field(2, []byte("weights.bin")))
	tensor := bytes.Join([][]byte{{1 << 3, 2}, {2 << 3, 1}, field(8, []byte("w")), entry, {14 << 3, 1}}, nil) // two floats, stored outside
	model, weights := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "weights.bin")
	data := []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40}
	if err := errors.Join(os.WriteFile(model, field(7, field(5, tensor)), 0o600), os.WriteFile(weights, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"finetune", "--model", model, "--images", dir, "--maps", dir},
		{"train", "--from", model, "--images", dir},
		{"model", "attach", "--model", model},
	} {
		var said bytes.Buffer
		code := run(t.Context(), append(command, "--out", weights), &stdio{In: strings.NewReader(""), Out: &said, Err: &said})
		if code == 0 || !strings.Contains(said.String(), "the data of --") || !strings.Contains(said.String(), "write to another name") {
			t.Errorf("%v --out weights.bin: %d, %s\nwant a refusal that names the data of the model", command, code, said.String())
		}
	}
	if now, err := os.ReadFile(weights); err != nil || !bytes.Equal(now, data) {
		t.Errorf("the weights are no longer what they were: %v", err)
	}
}

func TestOutIsNothingThatIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	painted, device, model := filepath.Join(folder, "a.npy"), filepath.Join(dir, "pipe"), filepath.Join(dir, "m.onnx")
	if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(painted, []byte("painted"), 0o600), syscall.Mkfifo(device, 0o600),
		os.Symlink(folder, filepath.Join(dir, "link")), os.WriteFile(filepath.Join(folder, "old.onnx"), nil, 0o600), os.WriteFile(model, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"finetune", "--model", model, "--images", dir, "--maps", folder},
		{"train", "--from", model, "--images", folder},
		{"predict", "--model", model, "--images", folder},
		{"model", "attach", "--model", model, "--images", folder},
	} {
		for out, want := range map[string]string{painted: "lies in the folder of --", filepath.Join(dir, "link", "a.npy"): "lies in the folder of --", device: "no regular file", folder: "is a folder"} {
			var said bytes.Buffer
			if code := run(t.Context(), append(command, "--out", out), &stdio{In: strings.NewReader(""), Out: &said, Err: &said}); code == 0 || !strings.Contains(said.String(), want) {
				t.Errorf("%v --out %s: %d, %s\nwant: %s", command, out, code, said.String(), want)
			}
		}
	}
	if now, err := os.ReadFile(painted); err != nil || string(now) != "painted" {
		t.Errorf("the map is now %q, %v", now, err)
	}
	for _, fine := range []string{"folder/new.npy", "folder/old.onnx", "folder/new.onnx"} {
		if err := refuseOverwriting(withManifest("--out", filepath.Join(dir, fine)), nil, namedFile{"--maps", folder}); err != nil {
			t.Errorf("--out %s: %v", fine, err)
		}
	}
}
