package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/trainer/architecture"
)

// docs/training.md and --help describe every architecture.
func TestArchitecturesAreListed(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile(filepath.Join(fixture.Root(), "docs", "training.md"))
	if err != nil {
		t.Fatal(err)
	}
	code, help, _ := runStudio(t, "train", "--help")
	if code != exitOK {
		t.Fatalf("exit %d", code)
	}
	for _, name := range architecture.Names() {
		a, err := architecture.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		few, err := a.Parameters(10)
		if err != nil {
			t.Fatal(err)
		}
		many, err := a.Parameters(1000)
		if err != nil {
			t.Fatal(err)
		}
		gain := map[bool]string{true: "(1+M)·g", false: "M·g"}[a.Gain == "1+M"]
		grid := a.Grid(a.ImageSize)
		row := fmt.Sprintf("| %s | %d×%d | %d×%d | %s | %.1f | %.1f |", name, a.ImageSize, a.ImageSize, grid, grid, gain, float64(few)/1e6, float64(many)/1e6)
		if !strings.Contains(string(docs), row) {
			t.Errorf("docs/training.md has no row %s", row)
		}
		if !strings.Contains(help, fmt.Sprintf("\n    %s ", name)) || !strings.Contains(help, fmt.Sprintf("%.1f M, %5.1f M", float64(few)/1e6, float64(many)/1e6)) {
			t.Errorf("--help does not list %s", name)
		}
	}
}
