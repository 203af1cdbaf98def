package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
)

// A manifest is made from another library's files and a folder's classes, and every command can read it.
func TestManifestFromOtherLibraries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("preprocessor_config.json", `{"image_processor_type": "ViTImageProcessor", "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "size": {"height": 32, "width": 48}, "resample": 3}`)
	out := filepath.Join(dir, "abn.json")
	if code, _, errs := runStudio(t, "model", "manifest", "--from", config, "--out", out); code != exitFailure || !strings.Contains(errs, "--classes") {
		t.Errorf("without classes: exit status %d, %s", code, errs)
	}
	for name, text := range map[string]string{"broken.json": `{"crop": [8, 8],}`, "empty.json": ""} {
		if code, _, errs := runStudio(t, "model", "manifest", "--from", write(name, text)); code != exitFailure || !strings.Contains(errs, name) {
			t.Errorf("%s: exit status %d, %s", name, code, errs)
		}
	}
	classes := write("classes.txt", "dog\ncat\n")
	code, said, errs := runStudio(t, "model", "manifest", "--from", config, "--classes", classes, "--out", out)
	if code != exitOK || !strings.Contains(said, "resize 32×48, crop 32×48, bicubic RGB") {
		t.Fatalf("exit status %d: %s%s", code, said, errs)
	}
	m, err := manifest.ReadFile(out)
	if err != nil || strings.Join(m.Classes, " ") != "dog cat" || m.FitOf() != manifest.FitBoth {
		t.Errorf("%+v, %v", m, err)
	}
	picture, err := os.ReadFile(filepath.Join(fixture.Root(), "inference", "testdata", "resize", "picture.png"))
	if err != nil {
		t.Fatal(err)
	}
	write("pictures/owl/a.png", string(picture))
	write("pictures/auk/a.png", string(picture))
	code, said, errs = runStudio(t, "model", "manifest", "--from", config, "--classes", filepath.Join(dir, "pictures"))
	if m, err := manifest.Parse([]byte(said)); code != exitOK || err != nil || strings.Join(m.Classes, " ") != "auk owl" {
		t.Errorf("of a folder: exit status %d, %v, %v, %s", code, m.Classes, err, errs)
	}
	if code, _, errs := runStudio(t, "model", "manifest", "--from", config, "--classes", classes, "--out", config); code != exitFailure || !strings.Contains(errs, "--from") {
		t.Errorf("over what it reads: exit status %d, %s", code, errs)
	}
}
