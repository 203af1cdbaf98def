package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
)

func TestThePageHasTheDrawing(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(filepath.Join(fixture.Root(), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := withDrawing(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the drawing of states in docs/architecture.md is out of date: run `make generate` and commit it")
	}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	want := `
version  (new)              ──▶ candidate          add
                            ──▶ active             add (first or at once)
         candidate          ──▶ active             activate
         active             ──▶ archived           replace
         archived           ──▶ active             activate
`
	if diff := cmp.Diff(want, "\n"+draw("version", annotator.VersionStates, annotator.VersionTransitions)); diff != "" {
		t.Error(diff)
	}
	if edits := draw("edit", annotator.EditStates, annotator.EditTransitions); !strings.Contains(edits, "         taken-back         the end\n") {
		t.Errorf("an approved edit does not end:\n%s", edits)
	}
	if _, err := withDrawing([]byte("# A page\n")); err == nil {
		t.Error("a page without a drawing got one")
	}
}
