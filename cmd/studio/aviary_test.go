package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset/aviary"
)

// TestAviaryDrawsAndSweeps draws a small Aviary and sweeps the shipped network on it, twice: the second
// time nothing is left to run.
func TestAviaryDrawsAndSweeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	call := func(arguments ...string) (out, log string, code int) {
		var outBuffer, logBuffer bytes.Buffer
		code = run(t.Context(), arguments, &stdio{In: strings.NewReader(""), Out: &outBuffer, Err: &logBuffer})
		return outBuffer.String(), logBuffer.String(), code
	}
	images := filepath.Join(dir, "images")
	out, log, code := call("aviary", "--out", images, "--train", "4", "--validation", "4", "--test", "4", "--pool", "4", "--json")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, log)
	}
	var drawn aviaryReport
	if err := json.Unmarshal([]byte(out), &drawn); err != nil {
		t.Fatal(err)
	}
	if drawn.Images != 4*14*4 || drawn.Splits["train"] != 56 || drawn.Splits["pool"] != 56 || len(drawn.Classes) != 14 {
		t.Errorf("drawn: %+v", drawn)
	}
	if _, log, code := call("aviary", "--out", images, "--test", "5"); code != exitFailure || !strings.Contains(log, "steps of 4") {
		t.Errorf("an uneven test split: exit %d: %s", code, log)
	}

	model := shippedModel(t, dir)
	sweep := []string{"aviary", "sweep", "--model", model, "--images", images, "--out", filepath.Join(dir, "sweep.jsonl"),
		"--edits", "2,4", "--gammas", "1", "--seeds", "1", "--strategies", "both", "--epochs", "1", "--json"}
	first, log, code := call(sweep...)
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, log)
	}
	var rows []sweepRow
	if err := json.Unmarshal([]byte(first), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 || rows[0].Gamma != 0 || rows[1].Gamma != 1 || rows[3].Used != 4 {
		t.Errorf("rows %+v, want γ = 0 and 1 for 2 and 4 edits", rows)
	}
	again, log, code := call(sweep...)
	if code != exitOK || again != first || log != "" {
		t.Errorf("again: exit %d, log %q, the same answer: %v", code, log, again == first)
	}
}

func TestSweepSummary(t *testing.T) {
	t.Parallel()
	moved := 1.25
	point := func(gamma float64, seed int64, accuracy, away float64) sweepPoint {
		return sweepPoint{Source: "train", Strategy: "both", MapLoss: "l2", Edits: 60, Used: 60, AttTop1: 0.55, Drift: &moved, Gamma: gamma, Seed: seed, Anchor: 0.3, Optimizer: "sgd", Accuracy: accuracy, Away: away}
	}
	rows := summarizeSweep([]sweepPoint{
		point(1, 1, 0.5, 0.4), point(0, 1, 0.4, 0.3), point(1, 2, 0.7, 0.5), point(0, 2, 0.5, 0.4),
		point(1, 3, 0.9, 0.9), // its control is not there
	})
	if len(rows) != 2 {
		t.Fatalf("%d rows, want 2", len(rows))
	}
	got := rows[1]
	if got.Seeds != 2 || !close3(got.Accuracy, 0.6) || !close3(got.Gain, 0.15) || !close3(got.GainError, 0.05) || !close3(got.GainAway, 0.1) || !close3(got.GainAwayError, 0) {
		t.Errorf("row %+v", got)
	}
	var table strings.Builder
	printSweep(&table, rows)
	if !strings.Contains(table.String(), "| train | both | 60 | 0.3 | 1 | 2 | 60.0 | 0.0 | 45.0 | 55.0 | 0.00 | 1.25 | +15.0 ± 5.0 | +10.0 ± 0.0 |") {
		t.Errorf("table:\n%s", table.String())
	}
}

func close3(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }

// shippedModel writes the demo's network and its manifest to a folder.
func shippedModel(t *testing.T, dir string) string {
	t.Helper()
	file, manifest, err := aviary.Model()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "aviary.onnx")
	if err := writeTrained(path, file, manifest); err != nil {
		t.Fatal(err)
	}
	return path
}
