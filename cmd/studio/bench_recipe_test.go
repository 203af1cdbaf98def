package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/study"
)

// A recipe is tried on the demo's network and on a classifier under both mechanisms; a second call finds all of it done.
func TestBenchRecipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	images, results := filepath.Join(dir, "images"), filepath.Join(dir, "results.jsonl")
	if code, _, log := runStudio(t, "aviary", "--out", images, "--train", "4", "--validation", "4", "--test", "4", "--pool", "4"); code != exitOK {
		t.Fatal(log)
	}
	classifier := filepath.Join(dir, "classifier.onnx")
	writeClassifier(t, classifier)
	manifest := `{"resize": 32, "crop": [32, 32], "interpolation": "bilinear", "channels": "RGB", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "classes": ["a", "b", "c", "d"]}`
	if err := os.WriteFile(filepath.Join(dir, "classifier.json"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	arguments := []string{"bench", "recipe", shippedModel(t, dir), classifier, "--images", images, "--edits", "2,0", "--limit", "40", "--training", "1", "--epochs", "1", "--out", results}
	code, first, log := runStudio(t, arguments...)
	if code != exitOK {
		t.Fatal(log)
	}
	for subject, edits := range map[string]string{"| aviary | | 1 |": "| 2 |", "| classifier | M | 1 |": "| 2 |", "| classifier | 1+M | 1 |": "| all ("} {
		rows := 0
		for line := range strings.Lines(first) {
			if strings.HasPrefix(strings.ReplaceAll(line, "|  |", "| |"), subject) {
				rows++
			}
		}
		if rows != 2 || !strings.Contains(first, edits) {
			t.Errorf("%q has %d rows in\n%s", subject, rows, first)
		}
	}
	points := outcomes(t, results)
	if len(points) != 6 {
		t.Fatalf("%d results", len(points))
	}
	for _, p := range points {
		if p.Error == "" && (p.Inside.Candidate <= 0 || p.Rate == 0 || p.Edits == 2 && p.Used != 2 || p.Edits == 0 && p.Used <= 2) {
			t.Errorf("%+v", p)
		}
	}
	if code, again, log := runStudio(t, arguments...); code != exitOK || again != first || log != "" {
		t.Errorf("again: exit %d, log %q\n%s", code, log, again)
	}
	if code, _, log := runStudio(t, append(arguments, "--seeds", "0")...); code != exitFailure || !strings.Contains(log, "--seeds is 0, want at least 1") {
		t.Errorf("no seeds: exit %d, %s", code, log)
	}
}

// outcomes reads a file of results.
func outcomes(t *testing.T, path string) (list []study.RecipePoint) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var p study.RecipePoint
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		list = append(list, p)
	}
	return list
}

// Two files with the same name in different folders are two networks. A copy of a file is the same network, and is not run again.
func TestBenchRecipeTellsNetworksApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	images, results := filepath.Join(dir, "images"), filepath.Join(dir, "results.jsonl")
	if code, _, log := runStudio(t, "aviary", "--out", images, "--train", "4", "--validation", "4", "--test", "4", "--pool", "4"); code != exitOK {
		t.Fatal(log)
	}
	var paths []string
	for i, folder := range []string{"one", "two", "copy"} {
		folder = filepath.Join(dir, folder)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		path := shippedModel(t, folder)
		paths = append(paths, path)
		if i == 1 { // it sees larger pictures of the same
			manifest := strings.TrimSuffix(path, ".onnx") + ".json"
			text, err := os.ReadFile(manifest)
			if err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatal(err)
			}
			m["resize"] = 120
			if text, err = json.Marshal(m); err == nil {
				err = os.WriteFile(manifest, text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	try := func(networks ...string) string {
		t.Helper()
		arguments := append([]string{"bench", "recipe"}, networks...)
		code, out, log := runStudio(t, append(arguments, "--images", images, "--edits", "2", "--limit", "20", "--epochs", "1", "--out", results)...)
		if code != exitOK {
			t.Fatal(log)
		}
		return out
	}
	table := try(paths[0], paths[1])
	if points := outcomes(t, results); len(points) != 2 || points[0].Accuracy == points[1].Accuracy && points[0].AttentionBranch == points[1].AttentionBranch {
		t.Errorf("two networks give %+v", points)
	}
	for _, name := range []string{"| one/aviary |", "| two/aviary |"} {
		if strings.Count(table, name) != 1 {
			t.Errorf("no %q in\n%s", name, table)
		}
	}
	try(paths[2], paths[1], paths[0])
	if n := len(outcomes(t, results)); n != 2 {
		t.Errorf("what was done is done again: %d results", n)
	}
}
