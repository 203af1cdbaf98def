package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/trainer"
)

// Every figure of study edits follows from the rows that it writes; maps that were painted win over masks, and the second run is the first.
func TestStudyEdits(t *testing.T) {
	t.Parallel()
	images, masks := writePatches(t)
	dir := t.TempDir()
	model, rows := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "rows.jsonl")
	if code, _, stderr := runStudio(t, "train", "--images", images, "--arch", "micro", "--size", "32", "--out", model, "--epochs", "1", "--batch", "8", "--seed", "3"); code != exitOK {
		t.Fatalf("train: %s", stderr)
	}
	arguments := []string{"study", "edits", "--model", model, "--images", images, "--maps", mapsOf(t, images), "--masks", masks, "--cache", filepath.Join(dir, "cache"), "--rows", rows, "--json"}
	code, out, stderr := runStudio(t, arguments...)
	if code != exitOK {
		t.Fatalf("study edits: %s", stderr)
	}
	report := decodeJSON[studyEditsReport](t, out)
	f, err := os.Open(rows)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var read []forecast.RowInPlace
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r forecast.RowInPlace
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		read = append(read, r)
	}
	table, err := trainer.JudgeForecast(read)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report.MapsInPlace, table); diff != "" {
		t.Errorf("the table does not follow from the rows:\n%s", diff)
	}
	if report.Images != 36 || report.Wrong.Images+report.Right.Images != 36 || report.Draws != 5 || len(report.Classes) != 3 {
		t.Errorf("%d images, %d wrong, %d right, %d draws, classes %v", report.Images, report.Wrong.Images, report.Right.Images, report.Draws, report.Classes)
	}
	// What the network answers by itself is what evaluate says of the split.
	right := 0
	for _, r := range read {
		if strings.HasPrefix(r.Image, "test/") && !r.Wrong() {
			right++
		}
	}
	evaluation := decodeJSON[evaluateReport](t, evaluated(t, "evaluate", "--model", model, "--images", images, "--json"))
	if got := evaluation.Top1 * float64(evaluation.Images); int(got+0.5) != right {
		t.Errorf("%d of the test images are right here, %v in evaluate", right, got)
	}
	text := evaluated(t, arguments[:len(arguments)-1]...)
	for _, want := range []string{report.Sentence, "those the network gets wrong", "another image's map", "Edited less another image's map"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
	alone := decodeJSON[studyEditsReport](t, evaluated(t, "study", "edits", "--model", model, "--images", images, "--maps", mapsOf(t, images), "--cache", filepath.Join(dir, "cache"), "--json"))
	if alone.Images != 4 || alone.Verdict != forecast.Unclear {
		t.Errorf("painted maps alone: %d images, %s", alone.Images, alone.Verdict)
	}

	for name, c := range map[string]struct {
		arguments []string
		want      string
	}{
		"no maps":         {[]string{"--model", model, "--images", images}, "give edited ones with --maps, or the objects' masks with --masks"},
		"rows over model": {[]string{"--model", model, "--images", images, "--masks", masks, "--rows", model}, "--rows and --model are one file"},
	} {
		code, _, stderr := runStudio(t, append([]string{"study", "edits"}, c.arguments...)...)
		if code != exitFailure || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
}
