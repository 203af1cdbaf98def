package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	points, err := readLinesOf[recipePoint](results)
	if err != nil || len(points) != 6 {
		t.Fatalf("%d results, %v", len(points), err)
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
