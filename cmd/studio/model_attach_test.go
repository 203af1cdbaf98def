package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
)

// writeClassifier writes a plain classifier of 32×32 pixels and four classes with random values, without a manifest.
func writeClassifier(t *testing.T, path string) {
	t.Helper()
	g := &onnx.Graph{Name: "classifier", Inputs: []*onnx.ValueInfo{onnx.NewValue("input", onnx.Float, onnx.BatchOf(3, 32, 32))}, Outputs: []*onnx.ValueInfo{onnx.NewValue("scores", onnx.Float, nil)}}
	rng := rand.New(rand.NewPCG(5, 5))
	weight := func(name string, dims ...int64) string {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(rng.NormFloat64()) * 0.3
		}
		g.Initializers = append(g.Initializers, onnx.NewFloat32(name, dims, data))
		return name
	}
	x := "input"
	for i, layer := range []struct{ in, out, stride int64 }{{3, 8, 2}, {8, 8, 1}, {8, 16, 2}, {16, 16, 1}} {
		name := "conv" + string(rune('1'+i))
		g.Nodes = append(g.Nodes,
			onnx.NewNode("Conv", name, []string{x, weight(name+".weight", layer.out, layer.in, 3, 3)}, []string{name + ".y"}, onnx.IntsAttr("pads", 1, 1, 1, 1), onnx.IntsAttr("strides", layer.stride, layer.stride)),
			onnx.NewNode("Relu", "relu"+name[4:], []string{name + ".y"}, []string{name + ".r"}))
		x = name + ".r"
	}
	g.Nodes = append(g.Nodes, onnx.NewNode("GlobalAveragePool", "pool", []string{x}, []string{"p"}), onnx.NewNode("Flatten", "flatten", []string{"p"}, []string{"f"}),
		onnx.NewNode("Gemm", "fc", []string{"f", weight("fc.weight", 16, 4)}, []string{"scores"}))
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 13}}, Graph: g}
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
}

// A classifier is given an attention branch, trained with its extractor frozen, and measured, all by command.
func TestAttachAndTrainFrozen(t *testing.T) {
	t.Parallel()
	images, _ := writePatches(t)
	dir := t.TempDir()
	classifier, abn, trained := filepath.Join(dir, "classifier.onnx"), filepath.Join(dir, "abn.onnx"), filepath.Join(dir, "trained.onnx")
	writeClassifier(t, classifier)

	code, out, stderr := runStudio(t, "model", "attach", "--model", classifier, "--images", images, "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5", "--out", abn, "--json")
	if code != exitOK {
		t.Fatalf("attach: %s", stderr)
	}
	attached := decodeJSON[attachReport](t, out)
	if attached.Cut.Node != "relu2" || attached.Cut.Height != 16 || attached.Classes != 3 || attached.Was != 4 || attached.HeadKept || len(attached.Candidates) != 8 {
		t.Errorf("attach: %+v", attached)
	}
	for _, training := range attached.Training {
		if !training.OK {
			t.Errorf("attach: %+v", training)
		}
	}
	beside, err := manifest.ReadFile(filepath.Join(dir, "abn.json"))
	if err != nil || !slices.Equal(beside.Classes, []string{"class0", "class1", "class2"}) || beside.Crop != [2]int{32, 32} {
		t.Errorf("manifest %+v, %v", beside, err)
	}

	code, out, stderr = runStudio(t, "train", "--images", images, "--from", abn, "--frozen", "--out", trained, "--cache", filepath.Join(dir, "cache"),
		"--epochs", "25", "--batch", "8", "--lr", "0.05", "--flip", "--json")
	if code != exitOK {
		t.Fatalf("train: %s", stderr)
	}
	report := decodeJSON[trainReport](t, out)
	if report.Images != 24 || report.Classes != 3 || !report.Frozen || report.From != abn || report.Evaluation.Images != 12 || report.Evaluation.Top1 < 0.6 {
		t.Errorf("train: %d images, %+v", report.Images, report.Evaluation)
	}
	hashes := map[string]bool{}
	for _, path := range []string{abn, trained} {
		m, err := onnx.ReadFile(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := network.Open(t.Context(), m, manifest.Manifest{})
		if err != nil {
			t.Fatal(err)
		}
		hashes[opened.ExtractorHash()] = true
	}
	if len(hashes) != 1 {
		t.Error("the frozen extractor has changed")
	}
	if kept, err := filepath.Glob(filepath.Join(dir, "cache", "*")); err != nil || len(kept) == 0 {
		t.Errorf("no features are kept: %v", err)
	}
	if code, _, stderr = runStudio(t, "evaluate", "--model", trained, "--images", images); code != exitOK {
		t.Errorf("evaluate: %s", stderr)
	}
}

func TestAttachKeepsAHeadThatFits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	classifier, abn := filepath.Join(dir, "classifier.onnx"), filepath.Join(dir, "abn.onnx")
	writeClassifier(t, classifier)
	names := filepath.Join(dir, "classes.txt")
	if err := os.WriteFile(names, []byte("cat\ndog\n\nhorse\n cow \n"), 0o644); err != nil {
		t.Fatal(err)
	}
	beside := `{"resize": null, "crop": [32, 32], "mean": [0, 0, 0], "std": [1, 1, 1], "classes": ["dog", "cat", "cow", "horse"]}`
	if err := os.WriteFile(filepath.Join(dir, "classifier.json"), []byte(beside), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := runStudio(t, "model", "attach", "--model", classifier, "--classes", names, "--out", abn, "--gain", "M")
	if code != exitOK || !strings.Contains(out, "the classifier's last layer is kept") || !strings.Contains(out, "→") || !strings.Contains(out, "relu2 (Relu, 8×16×16)") {
		t.Errorf("%s%s", out, stderr)
	}
	written, err := manifest.ReadFile(filepath.Join(dir, "abn.json"))
	if err != nil || !slices.Equal(written.Classes, []string{"dog", "cat", "cow", "horse"}) { // the layer's order
		t.Errorf("%+v, %v", written, err)
	}
}

func TestAttachAndTrainRefuse(t *testing.T) {
	t.Parallel()
	images, _ := writePatches(t)
	dir := t.TempDir()
	classifier, out := filepath.Join(dir, "classifier.onnx"), filepath.Join(dir, "out.onnx")
	writeClassifier(t, classifier)
	pixels := []string{"--mean", "0,0,0", "--std", "1,1,1"}
	for _, test := range []struct {
		want string
		args []string
	}{
		{"give --mean and --std", []string{"model", "attach", "--model", classifier, "--out", out, "--images", images}},
		{"the names of the 4 classes are not known", append([]string{"model", "attach", "--model", classifier, "--out", out}, pixels...)},
		{"these are: conv1 (Conv, 8×16×16)", append([]string{"model", "attach", "--model", classifier, "--out", out, "--images", images, "--at", "fc"}, pixels...)},
		{"--frozen goes with --from", []string{"train", "--images", images, "--arch", "micro", "--frozen", "--out", out}},
		{"can't be used together", []string{"train", "--images", images, "--arch", "micro", "--from", classifier, "--out", out}},
		{"--arch=STRING or --from=FILE", []string{"train", "--images", images, "--out", out}},
		{"classifier.json", []string{"train", "--images", images, "--from", classifier, "--out", out}},
	} {
		code, _, stderr := runStudio(t, test.args...)
		if code == exitOK || !strings.Contains(stderr, test.want) {
			t.Errorf("%v: exit %d, %s, want %s", test.args, code, stderr, test.want)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a file was written: %v", err)
	}
}
