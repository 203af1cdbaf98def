package main

import (
	"bytes"
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

// The flags are those of manifest.NameFields, with its words.
func TestNamesAreFlags(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{{"model", "inspect"}, {"model", "add"}, {"predict"}, {"bench", "score"}, {"bench", "train"}} {
		code, help, _ := runStudio(t, append(command, "--help")...)
		help = strings.Join(strings.Fields(help), " ")
		for _, f := range manifest.NameFields {
			if code != exitOK || !strings.Contains(help, f.Flag()+"=VALUE "+f.Help) {
				t.Errorf("%v has no %s, %s", command, f.Flag(), f.Help)
			}
		}
	}
}

// Every command refuses a network with two maps and says by which flag to name one; with the flag it accepts it. The networks that
// commands write from it need no flag.
func TestValuesAreNamedByFlags(t *testing.T) {
	t.Parallel()
	model := filepath.Join(fixture.Root(), "onnx", "testdata", "exports", "two-maps.onnx")
	dir := t.TempDir()
	images := threeClasses(t, dir)
	out := filepath.Join(dir, "out.onnx")
	for _, command := range [][]string{
		{"model", "inspect", model},
		{"predict", "--model", model, "--images", images, "--out", filepath.Join(dir, "out.jsonl")},
		{"evaluate", "--model", model, "--images", images},
		{"bench", "score", "--model", model, "--images", images, "--runs", "1"},
		{"bench", "scan", "--model", model, "--images", images, "--rounds", "1"},
		{"bench", "train", "--model", model, "--batch", "2", "--steps", "1"},
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

// threeClasses makes a folder with a picture for each class of the exports in onnx/testdata.
func threeClasses(t *testing.T, dir string) (images string) {
	t.Helper()
	images = filepath.Join(dir, "images")
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
	return images
}

// Networks of several labels at once, of one logit, of averaged probabilities, and whose answers depend on the batch are refused by
// every command that opens one, in the same words.
func TestAnswersAreRefusedOnEveryRoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	images := threeClasses(t, dir)
	maps := filepath.Join(dir, "maps")
	if err := os.Mkdir(maps, 0o755); err != nil {
		t.Fatal(err)
	}
	exports := filepath.Join(fixture.Root(), "onnx", "testdata", "exports")
	labels := filepath.Join(dir, "labels.onnx")
	data, err := os.ReadFile(filepath.Join(exports, "fixed-plain.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(exports, "fixed-plain.json"))
	if err != nil {
		t.Fatal(err)
	}
	own = bytes.Replace(own, []byte("{"), []byte(`{"head": "sigmoid", `), 1)
	for path, content := range map[string][]byte{labels: data, filepath.Join(dir, "labels.json"): own} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for model, says := range map[string]string{
		filepath.Join(exports, "answers-sigmoid.onnx"):   manifest.SeveralLabels,
		filepath.Join(exports, "answers-one-logit.onnx"): manifest.OneLogit,
		labels: manifest.SeveralLabels,
		filepath.Join("testdata", "answers-ensemble.onnx"):   "so they are shares and no logits",
		filepath.Join("testdata", "answers-batch-norm.onnx"): "they depend on which pictures are run together",
	} {
		for _, command := range [][]string{
			{"model", "inspect", model},
			{"predict", "--model", model, "--images", images, "--out", filepath.Join(dir, "out.jsonl")},
			{"evaluate", "--model", model, "--images", images},
			{"finetune", "--model", model, "--images", images, "--maps", maps, "--out", filepath.Join(dir, "out.onnx")},
			{"train", "--from", model, "--images", images, "--epochs", "1", "--out", filepath.Join(dir, "out.onnx")},
		} {
			if code, _, stderr := runStudio(t, command...); code != exitFailure || !strings.Contains(stderr, says) || strings.Contains(stderr, "model attach") {
				t.Errorf("%v: exit code %d: %s", command, code, stderr)
			}
		}
	}
	for _, command := range [][]string{{"model", "inspect"}, {"predict", "--images", images, "--out", filepath.Join(dir, "out.jsonl"), "--model"}, {"evaluate", "--images", images, "--model"}} {
		named := append(append([]string{}, command...), filepath.Join("testdata", "answers-ensemble.onnx"), "--map", "map", "--features", "relu_1", "--logits-att", "att", "--logits-per")
		if code, _, stderr := runStudio(t, append(named, "per")...); code != exitFailure || !strings.Contains(stderr, "so they are shares and no logits") {
			t.Errorf("%v with every part named: exit code %d: %s", command, code, stderr)
		}
		if code, _, stderr := runStudio(t, append(named, "linear")...); code != exitOK {
			t.Errorf("%v with one softmax's input in place of the mean: exit code %d: %s", command, code, stderr)
		}
	}
	if code, stdout, _ := runStudio(t, "model", "inspect", "--json", filepath.Join(exports, "answers-sigmoid.onnx")); code != exitFailure || !strings.Contains(stdout, `"head": "sigmoid"`) {
		t.Errorf("inspect proposes no head: %s", stdout)
	}
	if code, stdout, _ := runStudio(t, "model", "inspect", filepath.Join(exports, "answers-softmax.onnx")); code != exitOK || !strings.Contains(stdout, "softmax, as the graph shows") {
		t.Errorf("inspect proposes no head: %s", stdout)
	}
}
