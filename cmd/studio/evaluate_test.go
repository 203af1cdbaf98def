package main

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/measure"
)

// readRows reads what --rows wrote, by model.
func readRows(t *testing.T, path string) map[string][]measure.Row {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := map[string][]measure.Row{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r measure.Row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		rows[r.Model] = append(rows[r.Model], r)
	}
	return rows
}

// mapsOf gives the first pictures of every test class a map, one of them marked «do not look here».
func mapsOf(t *testing.T, images string) string {
	t.Helper()
	dir := t.TempDir()
	pictures, err := filepath.Glob(filepath.Join(images, "test", "*", "*"))
	if err != nil || len(pictures) == 0 {
		t.Fatalf("%v, %d pictures", err, len(pictures))
	}
	for i, p := range pictures[:4] {
		m := attention.New(4, 4)
		m.Values[5+i], m.Values[3] = 1, 0.5
		name := strings.TrimSuffix(strings.TrimPrefix(p, images+string(filepath.Separator)), filepath.Ext(p))
		writeNPY(t, filepath.Join(dir, name+".npy"), m)
	}
	return dir
}

// Every figure and every comparison of evaluate follows from the rows that it writes: they are computed again from the file.
func TestEvaluateFollowsFromItsRows(t *testing.T) {
	t.Parallel()
	images, masks := writePatches(t)
	dir := t.TempDir()
	first, second, rows := filepath.Join(dir, "first.onnx"), filepath.Join(dir, "second.onnx"), filepath.Join(dir, "rows.jsonl")
	for model, epochs := range map[string]string{first: "1", second: "8"} {
		if code, _, stderr := runStudio(t, "train", "--images", images, "--arch", "micro", "--size", "32", "--out", model, "--epochs", epochs, "--batch", "8", "--seed", "3"); code != exitOK {
			t.Fatalf("train: %s", stderr)
		}
	}
	arguments := []string{
		"evaluate", "--model", second, "--compare", first, "--images", images, "--masks", masks, "--maps", mapsOf(t, images), "--curves", "5", "--rows", rows, "--json",
	}
	code, out, stderr := runStudio(t, arguments...)
	if code != exitOK {
		t.Fatalf("evaluate: %s", stderr)
	}
	report := decodeJSON[evaluateReport](t, out)
	by := readRows(t, rows)
	if len(by[first]) != report.Images || len(by[second]) != report.Images {
		t.Fatalf("%d and %d rows of %d images", len(by[first]), len(by[second]), report.Images)
	}
	if diff := cmp.Diff(report.Measures, measure.Table(by[second], len(report.Classes))); diff != "" {
		t.Errorf("the measures do not follow from the rows:\n%s", diff)
	}
	if diff := cmp.Diff(report.Calibration, measure.Reliability(by[second])); diff != "" {
		t.Errorf("the reliability diagram does not follow from the rows:\n%s", diff)
	}
	if diff := cmp.Diff(report.Confusion, measure.ConfusionMatrix(by[second])); diff != "" {
		t.Errorf("the confusion matrix does not follow from the rows:\n%s", diff)
	}
	a, b := measure.Shared(by[second], by[first])
	compared, err := measure.Compare(a, b, len(report.Classes), bootstrapSeed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report.Compared.Measures, compared); diff != "" {
		t.Errorf("the comparison does not follow from the rows:\n%s", diff)
	}

	figures := map[string]measure.Figure{}
	for _, f := range report.Measures {
		figures[f.Name] = f
	}
	for name, images := range map[string]int{
		measure.Accuracy: 12, measure.ECE: 12, measure.WorstFifth: 12, measure.Inside: 12, measure.PointingGame: 12, measure.RelevanceRank: 12, measure.MaskIoU: 12,
		measure.WrongReason: 12, measure.MapDistance: 4, measure.MapSoftIoU: 4, measure.MapSpearman: 4, measure.DeletionAUC: 5, measure.InsertionAUC: 5,
	} {
		f := figures[name]
		if f.Images+f.Undefined != images {
			t.Errorf("%s is of %d images and not defined of %d, want %d together", name, f.Images, f.Undefined, images)
		}
		if f.Unit == measure.Fraction && (f.Value < 0 || f.Value > 1) {
			t.Errorf("%s is %v", name, f.Value)
		}
	}
	if math.Abs(figures[measure.Accuracy].Value-report.Top1) > 1e-12 || math.Abs(figures[measure.Inside].Value-report.Inside.Mean) > 1e-12 || report.Activation == nil {
		t.Errorf("accuracy %v and top1 %v, inside %v and %v, threshold %v", figures[measure.Accuracy].Value, report.Top1, figures[measure.Inside].Value, report.Inside.Mean, report.Activation)
	}
	held := decodeJSON[evaluateReport](t, evaluated(t, append(arguments, "--hold-map")...))
	for _, f := range held.Measures {
		if f.Name == measure.DeletionAUC && f.Value == figures[measure.DeletionAUC].Value {
			t.Error("deletion with the map held is what it is with the map computed anew")
		}
	}
	if text := evaluated(t, arguments[:len(arguments)-1]...); !strings.Contains(text, "Compared with "+first) || !strings.Contains(text, "Expected calibration error") {
		t.Errorf("for people:\n%s", text)
	}
	for _, c := range decodeJSON[evaluateReport](t, evaluated(t, "evaluate", "--model", first, "--compare", first, "--images", images, "--json")).Compared.Measures {
		if c.Difference != 0 || c.P != 1 {
			t.Errorf("a network differs from itself: %+v", c)
		}
	}
	for _, refused := range []struct{ flag, value, says string }{
		{"--hold-map", "", "--curves N"},
		{"--step", "3", "--curves N"},
		{"--curves", "-1", "0 or more"},
		{"--rows", first, "are one file"},
		{"--maps", filepath.Join(dir, "none"), "none"},
	} {
		command := []string{"evaluate", "--model", first, "--images", images, refused.flag}
		if refused.value != "" {
			command[len(command)-1] += "=" + refused.value
		}
		if code, _, stderr := runStudio(t, command...); code == exitOK || !strings.Contains(stderr, refused.says) {
			t.Errorf("%s %s: %d, %s", refused.flag, refused.value, code, stderr)
		}
	}
}

// evaluated is what a command prints that must succeed.
func evaluated(t *testing.T, arguments ...string) string {
	t.Helper()
	code, out, stderr := runStudio(t, arguments...)
	if code != exitOK {
		t.Fatalf("%v: %s", arguments, stderr)
	}
	return out
}
