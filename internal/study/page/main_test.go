package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
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

// A study of two numbers of edits makes a page with its tables, both plots, and how its forecasts turned out.
func TestAStudyMakesAPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "few", "answers"), 0o755); err != nil {
		t.Fatal(err)
	}
	var rounds strings.Builder
	for _, edits := range []int{20, 60} {
		file := fmt.Sprintf("answers/%d.csv.gz", edits)
		fmt.Fprintf(&rounds, `{"network":"n","identity":"n","gain":"M","strategy":"both","order":"confident","hand":"exact","edits":%d,"seed":1,"used":%d,"classes":2,"rows":%q,`+
			`"forecast":{"verdict":"likely","wrong":30,"edited":0.4,"shuffled":0.1},"figures":{"control":{"attention_inside":0.2},"candidate":{"attention_inside":0.75,"deletion_auc":0.1}}}`+"\n", edits, edits, file)
		var table bytes.Buffer
		packed := gzip.NewWriter(&table)
		fmt.Fprintln(packed, "set,image,group,cluster,label,parent,control,candidate")
		for i := range 40 {
			fmt.Fprintf(packed, "test,%d.png,,bird %d,%d,%d,%d,%d\n", i, i/2, i%2, 0, 0, i%2) // the candidate is always right
		}
		if err := packed.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "few", filepath.FromSlash(file)), table.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"few/rounds.jsonl": rounds.String(), "few.md": "# Few\n<!-- study few -->\nold\n<!-- end of few -->\nand on\n", "README.md": "<!-- forecasts -->\nold<!-- end of forecasts -->\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // again it is the same
		if err := write(dir); err != nil {
			t.Fatal(err)
		}
		for name, wants := range map[string][]string{
			"few.md":         {"(few.svg)", "(few-curves.svg)", "n, M·g, strategy both, 20 edits", "| Candidate (the maps) | 100.0 | +50.0 (", "| 0.75 |", "| Deletion |", "40.0% became right with the edited map in place and 10.0%", "and on"},
			"README.md":      {"| likely to pay | 2 | 2 | 0 | 0 |\n<!-- end"},
			"few.svg":        {"<svg", "the candidate"},
			"few-curves.svg": {"<svg", "edits"},
		} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range wants {
				if !strings.Contains(string(text), want) || strings.Contains(string(text), "old") {
					t.Errorf("%s has no %q:\n%.2000s", name, want, text)
				}
			}
		}
	}
}

func TestAPageIsRefused(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"<!-- study nothing -->\n<!-- end of nothing -->": "nothing has no rounds",
		"<!-- study one -->\n":                            "do not end with <!-- end of one -->",
	} {
		if _, _, err := withStudies([]byte(page), t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", page, err, want)
		}
	}
}
