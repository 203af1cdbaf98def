package main

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/measure"
)

// writePatches draws pictures of 32×32 pixels in which a patch's colour tells the class, with masks
// of the patch in a folder of their own.
func writePatches(t *testing.T) (images, masks string) {
	t.Helper()
	dir := t.TempDir()
	images, masks = filepath.Join(dir, "images"), filepath.Join(dir, "masks")
	rng := rand.New(rand.NewPCG(1, 1))
	classes := []color.NRGBA{{255, 40, 40, 255}, {40, 255, 40, 255}, {40, 40, 255, 255}}
	for split, n := range map[string]int{"train": 8, "test": 4} {
		for c, tint := range classes {
			for i := range n {
				picture, mask := image.NewNRGBA(image.Rect(0, 0, 32, 32)), image.NewGray(image.Rect(0, 0, 32, 32))
				for p := range 32 * 32 {
					g := uint8(rng.IntN(120))
					picture.SetNRGBA(p%32, p/32, color.NRGBA{g, g, g, 255})
				}
				x0, y0 := rng.IntN(16), rng.IntN(16)
				for p := range 16 * 16 {
					picture.SetNRGBA(x0+p%16, y0+p/16, tint)
					mask.SetGray(x0+p%16, y0+p/16, color.Gray{255})
				}
				name := filepath.Join(split, fmt.Sprint("class", c), fmt.Sprintf("%s%d-%d.png", split, c, i))
				writePNG(t, filepath.Join(images, name), picture)
				writePNG(t, filepath.Join(masks, name), mask)
			}
		}
	}
	return images, masks
}

func writePNG(t *testing.T, path string, picture image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, picture); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// writeNPY writes a map as numpy would.
func writeNPY(t *testing.T, path string, m attention.Map) {
	t.Helper()
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", m.Height, m.Width)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	data := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	data = append(append(data, header...), m.Bytes()...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func decodeJSON[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// A network is trained from pictures, measured, taught with maps, and measured again, all by command.
// A search for γ is told as a table, with the γ that was chosen and those whose training came apart.
func TestSearchedGammaIsTold(t *testing.T) {
	t.Parallel()
	found := trainer.GammaSearch{Gamma: 1, Epochs: 2, Tries: []trainer.GammaTry{
		{Gamma: 0.3, Validation: trainer.Validation{Loss: 0.5, Accuracy: 0.75}}, {Gamma: 1, Validation: trainer.Validation{Loss: 0.25, Accuracy: 0.8}}, {Gamma: 3, Diverged: true},
	}}
	want := "γ searched on 9 training images held back, epochs each: 2\n     0.3  loss 0.5000, accuracy 75.0%\n       1  loss 0.2500, accuracy 80.0%, chosen\n       3  came apart\n"
	if got := searchedGamma(found, 9, true); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTrainEvaluateFinetune(t *testing.T) {
	t.Parallel()
	images, masks := writePatches(t)
	dir := t.TempDir()
	model := filepath.Join(dir, "patches.onnx")
	code, out, stderr := runStudio(t, "train", "--images", images, "--arch", "micro", "--size", "32", "--out", model, "--epochs", "20", "--batch", "8", "--seed", "3", "--json")
	if code != exitOK {
		t.Fatalf("train: %s", stderr)
	}
	trained := decodeJSON[trainReport](t, out)
	if trained.Images != 24 || trained.Classes != 3 || trained.Steps != 60 || trained.Evaluation.Images != 12 {
		t.Errorf("train: %+v", trained)
	}
	if last := trained.Curve[len(trained.Curve)-1]; last.Accuracy < 0.8 {
		t.Errorf("after 20 epochs the network knows %.2f of its training pictures", last.Accuracy)
	}
	if _, err := os.Stat(model + ".work"); !os.IsNotExist(err) {
		t.Errorf("the work folder is still there: %v", err)
	}

	code, out, stderr = runStudio(t, "evaluate", "--model", model, "--images", images, "--masks", masks, "--json")
	if code != exitOK {
		t.Fatalf("evaluate: %s", stderr)
	}
	before := decodeJSON[evaluateReport](t, out)
	if before.Images != 12 || before.Split != "test" || math.Abs(before.Top1-trained.Evaluation.Top1) > 1e-9 || before.Top5 != 1 {
		t.Errorf("evaluate: %+v, train had %+v", before, trained.Evaluation)
	}
	if before.Inside == nil || before.Inside.Images != 12 || math.Abs(before.Inside.Area-0.25) > 1e-6 {
		t.Errorf("attention inside: %+v", before.Inside)
	}

	maps := filepath.Join(dir, "maps")
	for c := range 3 {
		m := attention.New(4, 4)
		m.Values[5] = 1
		writeNPY(t, filepath.Join(maps, fmt.Sprintf("train%d-0.npy", c)), m)
	}
	tuned := filepath.Join(dir, "tuned.onnx")
	arguments := []string{"finetune", "--model", model, "--images", images, "--maps", maps, "--masks", masks, "--strategy", "both", "--gamma", "1", "--epochs", "4",
		"--batch", "8", "--seed", "2", "--cache", filepath.Join(dir, "cache"), "--out", tuned, "--control", "--json"}
	code, out, stderr = runStudio(t, arguments...)
	if code != exitOK {
		t.Fatalf("finetune: %s", stderr)
	}
	report := decodeJSON[finetuneReport](t, out)
	if report.Images != 24 || report.Edits != 3 || report.FeatureMisses != 36 || report.Split != "test" || report.Settings.Gamma != 1 {
		t.Errorf("finetune: %+v", report)
	}
	moved := false
	for _, m := range report.Measures {
		moved = moved || m.Name == "map_distance" && m.Candidate < m.Control
	}
	if !moved {
		t.Errorf("the maps are no closer to those given: %+v", report.Measures)
	}
	code, out, stderr = runStudio(t, "evaluate", "--model", tuned, "--images", images, "--json")
	if code != exitOK {
		t.Fatalf("evaluate the tuned model: %s", stderr)
	}
	if after := decodeJSON[evaluateReport](t, out); after.Top1 != report.Candidate.Top1 {
		t.Errorf("the file has %.3f, the round said %.3f", after.Top1, report.Candidate.Top1)
	}
	candidate, err := onnx.ReadFile(t.Context(), tuned)
	if err != nil {
		t.Fatal(err)
	}
	if edits, _ := candidate.MetadataValue("abn.edits"); edits != "3" {
		t.Errorf("lineage says %q edits", edits)
	}
	if _, err := os.Stat(report.ControlOut); err != nil {
		t.Error(err)
	}
	// Run again: the features are cached, and the same seed makes the same file.
	first := report.ModelHash
	if code, out, stderr = runStudio(t, arguments...); code != exitOK {
		t.Fatal(stderr)
	}
	if again := decodeJSON[finetuneReport](t, out); again.ModelHash != first || again.FeatureMisses != 0 {
		t.Errorf("again: %s with %d features computed, want %s with none", again.ModelHash, again.FeatureMisses, first)
	}
	checkBadMaps(t, model, images)
	checkArms(t, model, images, masks, maps)
}

// checkArms runs finetune with every arm and two seeds: what it reports of the arms follows from the rows that it writes.
func checkArms(t *testing.T, model, images, masks, maps string) {
	t.Helper()
	dir := t.TempDir()
	rows := filepath.Join(dir, "rows.jsonl")
	arguments := []string{"finetune", "--model", model, "--images", images, "--maps", maps, "--masks", masks, "--epochs", "2", "--batch", "8", "--seed", "2",
		"--cache", filepath.Join(dir, "cache"), "--out", filepath.Join(dir, "tuned.onnx"), "--arms", "all", "--seeds", "2", "--rows", rows}
	code, out, stderr := runStudio(t, append(arguments, "--json")...)
	if code != exitOK {
		t.Fatalf("finetune with arms: %s", stderr)
	}
	report := decodeJSON[finetuneReport](t, out)
	if report.Arms == nil || report.ControlOut == "" || report.Headline != report.Arms.Headline {
		t.Fatalf("arms %+v, %q", report.Arms, report.Headline)
	}
	data, err := os.ReadFile(rows)
	if err != nil {
		t.Fatal(err)
	}
	var all []measure.ArmRow
	for line := range strings.Lines(string(data)) {
		all = append(all, decodeJSON[measure.ArmRow](t, line))
	}
	again, err := measure.JudgeArms(all, measure.Judging{Choose: true, Edits: report.Edits, LeftOut: report.Arms.LeftOut, Seed: report.Settings.Seed})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report.Arms, again); diff != "" {
		t.Errorf("the comparison does not follow from the rows:\n%s", diff)
	}
	if code, out, stderr = runStudio(t, arguments...); code != exitOK {
		t.Fatalf("finetune with arms: %s", stderr)
	}
	for _, want := range []string{report.Headline, "Maps shuffled across classes", "Maps shuffled within the class is left out: no class has two edited images", "Edited map at test time", "on 3 edited images", ", the baseline"} {
		if !strings.Contains(out, want) {
			t.Errorf("the report does not say %q:\n%s", want, out)
		}
	}
	code, _, stderr = runStudio(t, append(arguments, "--arms", "control_refit")...)
	if code != exitFailure || !strings.Contains(stderr, "control_refit without candidate_refit") {
		t.Errorf("half a pair: exit %d, %s", code, stderr)
	}
}

// checkBadMaps runs finetune with maps it must refuse by name.
func checkBadMaps(t *testing.T, model, images string) {
	t.Helper()
	good := attention.New(4, 4)
	nan, large := good.Clone(), good.Clone()
	nan.Values[3], large.Values[9] = float32(math.NaN()), 1.5
	for name, c := range map[string]struct {
		m    attention.Map
		file string
		want []string
	}{
		"grid":    {attention.New(7, 7), "train0-1.npy", []string{"train0-1", "7×7", "4×4"}},
		"NaN":     {nan, "train0-1.npy", []string{"train0-1", "row 0, column 3", "NaN"}},
		"1.5":     {large, "train0-1.npy", []string{"train0-1", "row 2, column 1", "1.5"}},
		"no such": {good, "nobody.npy", []string{"nobody", "none of the 1 maps"}},
	} {
		maps := t.TempDir()
		writeNPY(t, filepath.Join(maps, c.file), c.m)
		code, _, stderr := runStudio(t, "finetune", "--model", model, "--images", images, "--maps", maps, "--out", filepath.Join(maps, "out.onnx"), "--cache", filepath.Join(maps, "cache"))
		if code != exitFailure {
			t.Errorf("%s: exit code %d", name, code)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: %q does not say %q", name, stderr, want)
			}
		}
	}
}
