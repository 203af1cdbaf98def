package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/recipe/recipetest"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
)

// The command line accepts and refuses values as the form, the API and the trainer do, before it opens a file. A command with accepted
// values fails here only because there is no model.
func TestCommandLineJudgesSettingsByTheRecipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	model := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(model, []byte("no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	common := []string{"--model", model, "--images", dir, "--out", filepath.Join(dir, "out")}
	flag := func(c recipetest.Case) string {
		f, _ := recipe.FieldNamed(c.Field)
		return "--" + f.FlagName() + "=" + c.Text
	}
	for _, c := range recipetest.Cases() {
		said := c.Field + " " + c.Refused + "\n"
		code, _, stderr := runStudio(t, append([]string{"finetune", "--maps", dir, "--control", flag(c)}, common...)...)
		if refused := strings.HasSuffix(stderr, said); code != exitFailure || refused != (c.Refused != "") {
			t.Errorf("finetune %s: exit %d, %q, want it to be told %q", flag(c), code, stderr, c.Refused)
		}
		if !slices.Contains([]string{"batch_size", "learning_rate", "momentum"}, c.Field) {
			continue // train and sweep share the flags with finetune
		}
		for name, command := range map[string][]string{
			"train":        {"train", "--images", dir, "--from", model, "--out", filepath.Join(dir, "out"), flag(c)},
			"aviary sweep": append([]string{"aviary", "sweep", flag(c)}, common...),
		} {
			code, _, stderr = runStudio(t, command...)
			if refused := strings.HasSuffix(stderr, said); code != exitFailure || refused != (c.Refused != "") {
				t.Errorf("%s %s: exit %d, %q, want it to be told %q", name, flag(c), code, stderr, c.Refused)
			}
		}
	}
	for arguments, want := range map[string]string{
		"bench train --batch 0":             "batch_size is 0, want 1 to 4096",
		"bench train --batch 1":             "batch_size is 1, and batch statistics need at least 2",
		"bench train --norm group":          `batch_norm is "group", want frozen or batch`,
		"aviary --seed 1 --train 0":         "pictures of each bird for training: 0, want 1",
		"aviary --home-percent 0 --train 8": "percentage at home: 0, want 25",
	} {
		list := strings.Fields(arguments)
		switch list[0] {
		case "train":
			list = append(list, "--images", dir, "--out", filepath.Join(dir, "out"))
		case "aviary":
			list = append(list, "--out", filepath.Join(dir, "birds"))
		}
		if code, _, stderr := runStudio(t, list...); code != exitFailure || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %q, want %q", arguments, code, stderr, want)
		}
	}
}

// A value that is given is used, also a momentum and a seed of 0; the others are defaults.
func TestZeroIsGivenAndUsed(t *testing.T) {
	t.Parallel()
	c := finetuneCommand{settingFlags: finetuneFlags()}
	parser, err := kong.New(&c, withHelpWords())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--momentum=0", "--seed=0", "--model", file, "--images", t.TempDir(), "--maps", "m", "--out", "o"}); err != nil {
		t.Fatal(err)
	}
	s, err := c.settings()
	if err != nil || s.Momentum != 0 || s.Seed != 0 || s.Epochs != 6 || s.BatchSize != 32 || s.EditRepeat != recipe.AutoRepeat {
		t.Errorf("%+v, %v", s, err)
	}
	if left := c.left(); !slices.Equal(left, []string{"gamma", "epochs", "learning_rate", "edit_repeat"}) {
		t.Errorf("left to the studio: %v", left)
	}
}

// What a command has no flag for is its own, and not left to the studio: the sweep sets γ itself.
func TestLeftAreSettingsWithAFlag(t *testing.T) {
	t.Parallel()
	if left := sweepFlags().left(); slices.Contains(left, "gamma") || !slices.Contains(left, "epochs") {
		t.Errorf("the sweep leaves %v", left)
	}
	if left := benchRecipeFlags().left(); !slices.Contains(left, "gamma") {
		t.Errorf("the recipe leaves %v", left)
	}
}

// Epochs that are not given are those of the network's mechanism; epochs that are given stay.
func TestEpochsAreTheMechanisms(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for arguments, want := range map[string][2]int{"": {12, 6}, "--epochs=7": {7, 7}} {
		c := finetuneCommand{settingFlags: finetuneFlags()}
		parser, err := kong.New(&c, withHelpWords())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(append(strings.Fields(arguments), "--model", file, "--images", t.TempDir(), "--maps", "m", "--out", "o")); err != nil {
			t.Fatal(err)
		}
		s, err := c.settings()
		if err != nil {
			t.Fatal(err)
		}
		for i, gain := range []attention.Gain{attention.GainM, attention.GainOnePlusM} {
			if got := trainer.Suggest(&onnx.ABN{Parts: onnx.Parts{Gain: gain}, Branches: &onnx.Model{Graph: &onnx.Graph{}}}, s, c.left()); got.Epochs != want[i] {
				t.Errorf("%q, %s: %d epochs, want %d", arguments, gain, got.Epochs, want[i])
			}
		}
	}
}
