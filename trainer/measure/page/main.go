// Command page writes the table of measures into docs/measures.md, from trainer/measure; make generate runs it.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/trainer/measure"
)

// head is how the table begins in the page.
const head = "| measure | range, better |"

func main() {
	path := page()
	old, err := os.ReadFile(path)
	if err == nil {
		var text []byte
		if text, err = withTable(old); err == nil {
			err = os.WriteFile(path, text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the table of measures:", err)
		os.Exit(1)
	}
}

func page() string { return filepath.Join(fixture.Root(), "docs", "measures.md") }

// withTable returns the page with its table replaced by measure.Markdown.
func withTable(page []byte) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(head))
	_, after, ended := bytes.Cut(rest, []byte("\n\n"))
	if !found || !ended {
		return nil, fmt.Errorf("the page has no table that begins with %q", head)
	}
	return bytes.Join([][]byte{before, []byte(measure.Markdown()), []byte("\n"), after}, nil), nil
}
