package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
)

// writeRound trains a little network on patches and writes maps for it.
func writeRound(t *testing.T) (model, images, maps string) {
	t.Helper()
	images, _ = writePatches(t)
	dir := t.TempDir()
	model, maps = filepath.Join(dir, "patches.onnx"), filepath.Join(dir, "maps")
	if code, _, stderr := runStudio(t, "train", "--images", images, "--arch", "micro", "--size", "32", "--out", model, "--epochs", "2", "--batch", "8"); code != exitOK {
		t.Fatalf("train: %s", stderr)
	}
	for c := range 3 {
		m := attention.New(4, 4)
		m.Values[5] = 1
		writeNPY(t, filepath.Join(maps, fmt.Sprintf("train%d-0.npy", c)), m)
	}
	return model, images, maps
}

// After kill -9 in the middle of a fine-tuning the same command continues, and writes the same file as without the kill.
func TestFinetuneSurvivesKill(t *testing.T) {
	t.Parallel()
	model, images, maps := writeRound(t)
	command := func(out string) []string {
		return []string{"finetune", "--model", model, "--images", images, "--maps", maps, "--out", out, "--cache", filepath.Join(filepath.Dir(model), "cache"),
			"--epochs", "16", "--batch", "8", "--lr", "0.002", "--optimizer", "adamw", "--clip-norm", "5", "--patience", "16", "--balanced", "--json"}
	}
	whole, cut := filepath.Join(t.TempDir(), "whole.onnx"), filepath.Join(t.TempDir(), "cut.onnx")
	p := launch(t, command(cut)...)
	eventually(t, "two checkpoints", func() bool {
		_, err := os.Stat(filepath.Join(cut+".work", "candidate-1.checkpoint"))
		return err == nil
	})
	p.kill(t)
	_ = p.ended()
	if _, err := os.Stat(cut); !os.IsNotExist(err) {
		t.Fatalf("it was done before it was killed: %v", err)
	}
	code, out, stderr := runStudio(t, command(cut)...)
	if code != exitOK {
		t.Fatal(stderr)
	}
	resumed := decodeJSON[finetuneReport](t, out)
	if code, out, stderr = runStudio(t, command(whole)...); code != exitOK {
		t.Fatal(stderr)
	}
	want := decodeJSON[finetuneReport](t, out)
	if resumed.ModelHash != want.ModelHash || len(resumed.Curve) != len(want.Curve) {
		t.Errorf("killed and resumed it made %s, uninterrupted %s", resumed.ModelHash, want.ModelHash)
	}
	if !want.HeldBack || want.Validation != 2 || want.Images != 22 || len(want.Runs) != 1 || len(want.Warnings) != 1 || want.Settings.Optimizer != "adamw" {
		t.Errorf("%d validate (held back %v), %d train, runs %+v, warnings %q", want.Validation, want.HeldBack, want.Images, want.Runs, want.Warnings)
	}
}

func TestFinetuneThatDivergesWritesNothing(t *testing.T) {
	t.Parallel()
	model, images, maps := writeRound(t)
	out := filepath.Join(t.TempDir(), "tuned.onnx")
	command := []string{"finetune", "--model", model, "--images", images, "--maps", maps, "--out", out, "--cache", filepath.Join(filepath.Dir(model), "cache"),
		"--epochs", "10", "--batch", "8", "--schedule", "constant", "--warm-up", "0", "--lr"}
	code, _, stderr := runStudio(t, append(command, "100")...)
	if code != exitFailure {
		t.Fatalf("a learning rate of 100: exit code %d", code)
	}
	for _, want := range []string{"candidate", "learning rate", "no model was written", "begins anew"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q does not say %q", stderr, want)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a model was written: %v", err)
	}
	if _, err := os.Stat(out + ".work"); err != nil {
		t.Error(err)
	}
	// With another learning rate it is another run, which begins from the start in the same folder.
	if code, text, stderr := runStudio(t, append(command, "0.001")...); code != exitOK || !strings.Contains(text, "engine ort, sgd") {
		t.Errorf("a learning rate of 0.001: exit code %d, %q, %s", code, text, stderr)
	}
}

func TestTrainThatDivergesWritesNothing(t *testing.T) {
	t.Parallel()
	images, _ := writePatches(t)
	out := filepath.Join(t.TempDir(), "patches.onnx")
	code, _, stderr := runStudio(t, "train", "--images", images, "--arch", "micro", "--size", "32", "--out", out, "--epochs", "40", "--batch", "4",
		"--lr", "100", "--schedule", "constant", "--clip-norm", "1e6")
	if code != exitFailure || !strings.Contains(stderr, "train diverged at step") || !strings.Contains(stderr, "no model was written") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a model was written: %v", err)
	}
}
