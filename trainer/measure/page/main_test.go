package main

import (
	"bytes"
	"os"
	"testing"
)

func TestThePageHasTheTable(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(page())
	if err != nil {
		t.Fatal(err)
	}
	want, err := withTable(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/measures.md differs from trainer/measure: run make generate")
	}
}
