package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
)

// The pages are what the rows give: another table or plot would be another study's.
func TestThePagesFollowFromTheRows(t *testing.T) {
	t.Parallel()
	committed := filepath.Join(fixture.Root(), "docs", "studies")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(committed)); err != nil {
		t.Fatal(err)
	}
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		made, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := os.ReadFile(filepath.Join(committed, filepath.Base(path))); err != nil || !bytes.Equal(kept, made) {
			t.Errorf("docs/studies/%s differs from its study's rows (%v): run make generate", filepath.Base(path), err)
		}
	}
}

func TestAPageIsRefused(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"<!-- study nothing -->\n<!-- end of nothing -->": "nothing has no rounds",
		"<!-- study one -->\n":                            "do not end with <!-- end of one -->",
	} {
		if _, err := withStudies([]byte(page), t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", page, err, want)
		}
	}
}
