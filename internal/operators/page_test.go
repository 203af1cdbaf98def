package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
)

func TestThePageIsWhatTheCodeSays(t *testing.T) {
	t.Parallel()
	want, err := page(fixture.Root())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(fixture.Root(), "docs", "operators.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/operators.md is out of date: run `make generate` and commit it")
	}
}
