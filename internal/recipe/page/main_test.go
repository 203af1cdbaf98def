package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
)

func TestThePageHasTheTables(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(filepath.Join(fixture.Root(), "docs", "training.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := withTables(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("a table of docs/training.md is out of date: run `make generate` and commit it")
	}
}
