package main

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/confound"
)

// writePlaces draws two places of eight photographs each.
func writePlaces(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for k, place := range []string{"barn", "wood"} {
		for i := range 8 {
			picture := image.NewGray(image.Rect(0, 0, 40, 32))
			for p := range picture.Pix {
				picture.Pix[p] = uint8(90*k + i + p%64)
			}
			writePNG(t, filepath.Join(dir, place, fmt.Sprintf("%d.png", i)), picture)
		}
	}
	return dir
}

// The sets that study make writes are trained on, evaluated and edited as they are, and evaluate says the worst group.
func TestStudyMake(t *testing.T) {
	t.Parallel()
	images, masks := writePatches(t)
	places, dir := writePlaces(t), t.TempDir()
	out := filepath.Join(dir, "confounded")
	flags := []string{"--images", images, "--masks", masks, "--size", "32", "--max-area", "1"}
	arguments := append([]string{"study", "make", "confounded", "--places", places, "--groups", "place", "--out", out, "--json"}, flags...)
	code, text, stderr := runStudio(t, arguments...)
	if code != exitOK {
		t.Fatalf("study make confounded: %s", stderr)
	}
	report := decodeJSON[studyMakeReport](t, text)
	if len(report.Classes) != 3 || report.Classes[2].Home != "barn" || report.Splits[dataset.Train].Pictures != 3*5*6 || report.Splits[dataset.Test].Pictures != 3*4*2 {
		t.Errorf("classes %+v, splits %+v", report.Classes, report.Splits)
	}
	model := filepath.Join(dir, "m.onnx")
	set := []string{"--images", filepath.Join(out, "images")}
	evaluated(t, append([]string{"train", "--arch", "micro", "--size", "32", "--out", model, "--epochs", "1", "--batch", "8", "--seed", "3"}, set...)...)
	set = append(set, "--model", model, "--masks", filepath.Join(out, "masks"), "--json")
	evaluation := decodeJSON[evaluateReport](t, evaluated(t, append([]string{"evaluate"}, set...)...))
	if evaluation.Images != 24 || len(evaluation.Groups) != 6 || evaluation.WorstGroup == nil || !strings.Contains(evaluation.WorstGroup.Group, " on ") {
		t.Errorf("%d images, groups %+v, the worst %+v", evaluation.Images, evaluation.Groups, evaluation.WorstGroup)
	}
	edits := decodeJSON[studyEditsReport](t, evaluated(t, append([]string{"study", "edits", "--cache", filepath.Join(dir, "cache")}, set...)...))
	if edits.Images != report.Pictures() {
		t.Errorf("%d of %d pictures have a mask", edits.Images, report.Pictures())
	}

	again := decodeJSON[studyMakeReport](t, evaluated(t, arguments...))
	if again.Digest != report.Digest {
		t.Errorf("the same command made %s, and before %s", again.Digest, report.Digest)
	}

	decoys := filepath.Join(dir, "decoys")
	said := evaluated(t, append([]string{"study", "make", "decoy", "--decoy", "band", "--classes", "2", "--bare", "--out", decoys}, flags...)...)
	if !strings.Contains(said, "of 2 classes, 2 colours") {
		t.Errorf("decoys: %s", said)
	}
	groups := map[string]bool{}
	read, err := dataset.Open("folder", decoys)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	for _, s := range read.All() {
		groups[s.Group] = true
	}
	if len(groups) != 3 || !groups[confound.Home] || !groups[confound.Bare] {
		t.Errorf("groups of decoys: %v", groups)
	}

	evaluated(t, "train", "--arch", "micro", "--size", "32", "--out", filepath.Join(dir, "d.onnx"), "--epochs", "1", "--batch", "8", "--images", filepath.Join(decoys, "images"))
	study := []string{"study", "rounds", filepath.Join(dir, "d.onnx"), "--images", filepath.Join(decoys, "images"), "--masks", filepath.Join(decoys, "masks"), "--orders", "random", "--edits", "4",
		"--epochs", "1", "--arms", "none", "--seeds", "1", "--within", "away", "--out", filepath.Join(dir, "study")}
	table := evaluated(t, append(study, "--avoid", filepath.Join(decoys, "annotations", "decoys"))...)
	if !strings.Contains(table, "the objects' masks, and where not to look") || !strings.Contains(table, "worst fifth of classes, away") || strings.Contains(table, "failed:") {
		t.Errorf("a study of the decoys:\n%s", table)
	}
	if both := evaluated(t, study...); strings.Count(both, "1 seed, none failed") != 2 { // without marks it is another round
		t.Errorf("with and without marks:\n%s", both)
	}
	if code, _, stderr := runStudio(t, append(study, "--avoid", filepath.Join(dir, "nowhere"))...); code != exitFailure || !strings.Contains(stderr, "nowhere") {
		t.Errorf("marks that are not there: exit %d: %s", code, stderr)
	}

	for name, c := range map[string]struct {
		arguments []string
		want      string
	}{
		"strength":        {[]string{"confounded", "--places", places, "--strength", "2", "--out", filepath.Join(dir, "x")}, "--strength is 2, want 0 to 1"},
		"one class":       {[]string{"decoy", "--classes", "1", "--out", filepath.Join(dir, "x")}, "one class alone"},
		"within":          {[]string{"decoy", "--out", filepath.Join(images, "x")}, "lies in the folder of --images"},
		"another's":       {[]string{"decoy", "--out", places}, "name an empty folder"},
		"another set's":   {[]string{"confounded", "--places", places, "--seed", "9", "--out", out}, "other options"},
		"too few objects": {[]string{"confounded", "--places", places, "--min-area", "0.9", "--out", filepath.Join(dir, "x")}, "widen --min-area and --max-area"},
	} {
		code, _, stderr := runStudio(t, append(append([]string{"study", "make"}, c.arguments...), flags...)...)
		if code != exitFailure || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); err == nil {
		t.Error("a refused command left a folder")
	}
}

// A full disk is said to be that, with what to do, and the folder can be written by the same command once there is room.
func TestStudyMakeOnAFullDisk(t *testing.T) {
	t.Parallel()
	images, masks := writePatches(t)
	out := filepath.Join(t.TempDir(), "out")
	arguments := []string{"study", "make", "decoy", "--images", images, "--masks", masks, "--size", "64", "--max-area", "1", "--out", out}
	full := launchWith(t, []string{fileLimit + "=4096"}, "", arguments...)
	if err := full.ended(); err == nil || !strings.Contains(full.log(), "the disk takes no more") || !strings.Contains(full.log(), "free some room and give the same command again") {
		t.Errorf("%v: %s", err, full.log())
	}
	evaluated(t, arguments...)
}
