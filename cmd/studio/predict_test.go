package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/npy"
	"github.com/abn-studio/studio/trainer/architecture"
)

// smallSubject is an untrained network for 14 birds with its manifest, and some pictures of them.
func smallSubject(t *testing.T) (model, images string) {
	t.Helper()
	dir := t.TempDir()
	images = filepath.Join(dir, "images")
	pictures, err := birds(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(images, os.DirFS(pictures)); err != nil {
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
	for _, file := range []string{"test/owl/notes.png", "train/owl/notes.png"} { // refused when the folder is read
		if err := os.WriteFile(filepath.Join(images, file), []byte("no picture"), 0o600); err != nil {
			t.Fatal(err)
		}
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
	if summary.Images != 56 || summary.Top1 == nil || summary.Top5 == nil || *summary.Top5 < *summary.Top1 || len(summary.Broken) != 2 {
		t.Errorf("summary %s, want 56 images with both accuracies and two broken", stdout)
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
			if want := map[string]string{"test/owl/broken.png": "truncated", "test/owl/notes.png": "not a JPEG"}[p.Name]; want == "" || !strings.Contains(p.Error, want) {
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
	if lines != 58 || faults != 2 || float64(hits)/56 != *summary.Top1 {
		t.Errorf("%d lines, %d with errors, %d hits beside top-1 %v", lines, faults, hits, *summary.Top1)
	}
}

// Images of a class that the model does not have are counted by its name: the accuracy is that of the others.
func TestPredictCountsUnknownClasses(t *testing.T) {
	t.Parallel()
	model, images := smallSubject(t)
	if err := os.Rename(filepath.Join(images, "test", "owl"), filepath.Join(images, "test", "crane")); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runStudio(t, "predict", "--model", model, "--images", images, "--split", "test", "--out", filepath.Join(t.TempDir(), "predictions.jsonl"))
	if code != exitOK || !strings.Contains(stdout, "56 images, 52 labelled") ||
		!strings.Contains(stdout, "4 images are of classes that the model does not have (1), and no accuracy counts them: crane") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

// The scores of all K classes agree as lines and as arrays: the softmax of the logits gives the probabilities, and every row has its
// name.
func TestPredictWritesAllClasses(t *testing.T) {
	t.Parallel()
	model, images := smallSubject(t)
	if err := os.WriteFile(filepath.Join(images, "test", "owl", "notes.png"), []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, flags ...string) string {
		out := filepath.Join(dir, name)
		if code, _, stderr := runStudio(t, append([]string{"predict", "--model", model, "--images", images, "--split", "test", "--out", out}, flags...)...); code != exitOK {
			t.Fatalf("%v: %s", flags, stderr)
		}
		return out
	}
	lines := func(path string) (list []prediction) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for d := json.NewDecoder(f); d.More(); {
			var p prediction
			if err := d.Decode(&p); err != nil {
				t.Fatal(err)
			}
			if p.Error == "" {
				list = append(list, p)
			}
		}
		return list
	}
	logits, shares := lines(write("logits.jsonl", "--scores", "logits")), lines(write("shares.jsonl", "--scores", "probabilities"))
	if len(logits) != 56 || len(shares) != 56 {
		t.Fatalf("%d and %d lines", len(logits), len(shares))
	}
	for i, p := range logits {
		sum := 0.0
		for _, v := range p.LogitsPer {
			sum += math.Exp(float64(v))
		}
		for k, v := range p.LogitsPer {
			if d := math.Exp(float64(v))/sum - float64(shares[i].Probabilities[k]); math.Abs(d) > 1e-6 {
				t.Fatalf("%s, class %d: off by %g", p.Name, k, d)
			}
		}
		if len(p.LogitsPer) != 14 || len(p.LogitsAtt) != 14 || p.Probabilities != nil || shares[i].LogitsPer != nil || p.Name != shares[i].Name {
			t.Fatalf("%+v", p)
		}
	}
	archive := func(path string) (map[string]npy.Array, map[string][]string) {
		r, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		arrays, texts := map[string]npy.Array{}, map[string][]string{}
		for _, entry := range r.File {
			content, err := entry.Open()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(content)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimSuffix(entry.Name, ".npy")
			if texts[name] = utf32(data); texts[name] == nil {
				if arrays[name], err = npy.Read(bytes.NewReader(data), 1<<24); err != nil {
					t.Fatal(err)
				}
			}
		}
		return arrays, texts
	}
	arrays, texts := archive(write("logits.npz", "--scores", "logits"))
	per, att, maps := arrays["logits_per"], arrays["logits_att"], arrays["maps"]
	if !slices.Equal(per.Shape, []int{56, 14}) || !slices.Equal(att.Shape, []int{56, 14}) || !slices.Equal(maps.Shape, []int{56, 1, 14, 14}) || len(texts["names"]) != 56 || len(texts["classes"]) != 14 {
		t.Fatalf("shapes %v %v %v, %d names, classes %q", per.Shape, att.Shape, maps.Shape, len(texts["names"]), texts["classes"])
	}
	for i, p := range logits {
		if texts["names"][i] != p.Name || per.Values()[14*i] != float64(p.LogitsPer[0]) || att.Values()[14*i+13] != float64(p.LogitsAtt[13]) || maps.Values()[196*i+7] != float64(p.Map.Values[7]) {
			t.Fatalf("row %d is not that of %s", i, p.Name)
		}
	}
	if !slices.Equal(texts["refused"], []string{"test/owl/notes.png"}) || len(texts["reasons"]) != 1 || !strings.Contains(texts["reasons"][0], "not a JPEG") {
		t.Errorf("refused %q: %q", texts["refused"], texts["reasons"])
	}
	arrays, _ = archive(write("shares.NPZ"))
	if p := arrays["probabilities"]; !slices.Equal(p.Shape, []int{56, 14}) || p.Values()[15] != float64(shares[1].Probabilities[1]) {
		t.Errorf("probabilities %v", p.Shape)
	}
}

// utf32 are the strings of an array of numpy's type U; nil for another type.
func utf32(data []byte) []string {
	_, rest, found := bytes.Cut(data, []byte("'<U"))
	width, err := strconv.Atoi(string(bytes.Split(rest, []byte("'"))[0]))
	if !found || err != nil {
		return nil
	}
	list := []string{}
	for cell := range slices.Chunk(data[10+int(binary.LittleEndian.Uint16(data[8:])):], 4*width) {
		var s []rune
		for c := range slices.Chunk(cell, 4) {
			if r := rune(binary.LittleEndian.Uint32(c)); r != 0 {
				s = append(s, r)
			}
		}
		list = append(list, string(s))
	}
	return list
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
