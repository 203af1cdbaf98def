package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/study"
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
	var rows []study.SweepRow
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
