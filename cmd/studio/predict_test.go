package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/trainer/architecture"
)

// smallSubject is an untrained network for 14 birds with its manifest, and some pictures of them.
func smallSubject(t *testing.T) (model, images string) {
	t.Helper()
	dir := t.TempDir()
	images = filepath.Join(dir, "images")
	if err := aviary.Generate(t.Context(), images, aviary.Options{Seed: 1, Train: 1, Validation: 4, Test: 4, HomePercent: 95}, nil); err != nil {
		t.Fatal(err)
	}
	architecture, err := architecture.Named("tiny")
	if err != nil {
		t.Fatal(err)
	}
	network, err := architecture.Build(14, 1)
	if err != nil {
		t.Fatal(err)
	}
	model = filepath.Join(dir, "tiny.onnx")
	if err := network.WriteFile(model); err != nil {
		t.Fatal(err)
	}
	manifest := map[string]any{"resize": 112, "crop": []int{112, 112}, "channels": "RGB", "mean": []float32{0.5, 0.5, 0.5}, "std": []float32{0.5, 0.5, 0.5}}
	var classes []string
	for _, bird := range aviary.Birds() {
		classes = append(classes, bird.Name)
	}
	manifest["classes"] = classes
	data, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tiny.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return model, images
}

// runStudio runs a command and returns its exit code and what it printed.
func runStudio(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &stdio{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return code, stdout.String(), stderr.String()
}

func TestPredict(t *testing.T) {
	t.Parallel()
	model, images := smallSubject(t)
	broken := filepath.Join(images, "test", "owl", "broken.png")
	whole, err := os.ReadFile(filepath.Join(images, "test", "owl", "0000.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "predictions.jsonl")
	code, stdout, stderr := runStudio(t, "predict", "--model", model, "--images", images, "--split", "test", "--out", out, "--json")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var summary struct {
		Images int `json:"images"`
		Top1   *float64
		Top5   *float64
		Broken []brokenImage
	}
	if err := json.Unmarshal([]byte(stdout), &summary); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if summary.Images != 56 || summary.Top1 == nil || summary.Top5 == nil || *summary.Top5 < *summary.Top1 || len(summary.Broken) != 1 {
		t.Errorf("summary %s, want 56 images with both accuracies and one broken", stdout)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, faults, hits := 0, 0, 0
	for scanner := bufio.NewScanner(f); scanner.Scan(); lines++ {
		var p prediction
		if err := json.Unmarshal(scanner.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if p.Error != "" {
			faults++
			if !strings.HasSuffix(p.Name, "broken.png") || !strings.Contains(p.Error, "truncated") {
				t.Errorf("%s: %s", p.Name, p.Error)
			}
			continue
		}
		if p.Map == nil || p.Map.ValidateOn(14, 14) != nil || len(p.Top5) != 5 || p.Top5[0].Class != p.Class || p.Label == "" || p.Correct == nil {
			t.Fatalf("line %s", scanner.Bytes())
		}
		if *p.Correct != (p.Label == p.Class) {
			t.Errorf("%s: label %s, answer %s, correct %v", p.Name, p.Label, p.Class, *p.Correct)
		}
		if *p.Correct {
			hits++
		}
	}
	if lines != 57 || faults != 1 || float64(hits)/56 != *summary.Top1 {
		t.Errorf("%d lines, %d with errors, %d hits beside top-1 %v", lines, faults, hits, *summary.Top1)
	}
}

func TestPredictFailsWithoutLeavings(t *testing.T) {
	t.Parallel()
	model, _ := smallSubject(t)
	dir := t.TempDir()
	text := filepath.Join(dir, "photos", "owl", "a.png")
	if err := os.MkdirAll(filepath.Dir(text), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, []byte("\x89PNG\r\n\x1a\nand then nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.jsonl")
	if code, _, stderr := runStudio(t, "predict", "--model", model, "--images", filepath.Join(dir, "photos"), "--out", out); code != exitFailure || !strings.Contains(stderr, "a.png") {
		t.Errorf("exit code %d, %q: want a failure that names the picture", code, stderr)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("after a failure there are %v (%v)", files, err)
	}
	if code, _, _ := runStudio(t, "predict", "--images", dir, "--out", out); code != exitUsage {
		t.Errorf("without --model the exit code is %d, want %d", code, exitUsage)
	}
}

func TestBenchmarksGiveTheirRatios(t *testing.T) {
	t.Parallel()
	model, images := smallSubject(t)
	for key, args := range map[string][]string{
		"scan_over_bare_ratio":  {"bench", "scan", "--limit", "8", "--batch", "4", "--rounds", "1"},
		"score_over_bare_ratio": {"bench", "score", "--runs", "4"},
	} {
		code, stdout, stderr := runStudio(t, append(args, "--model", model, "--images", images, "--json")...)
		if code != exitOK {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr)
		}
		var figures map[string]any
		if err := json.Unmarshal([]byte(stdout), &figures); err != nil {
			t.Fatalf("%v in %s", err, stdout)
		}
		if ratio, ok := figures[key].(float64); !ok || ratio <= 0 {
			t.Errorf("%v: %s is %v", args, key, figures[key])
		}
	}
}
