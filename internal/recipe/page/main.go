// Command page writes the table of settings into docs/training.md, from internal/recipe; make generate runs it.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
)

// head is how the table begins in the page.
const head = "| setting | default |"

func main() {
	path := filepath.Join(fixture.Root(), "docs", "training.md")
	old, err := os.ReadFile(path)
	if err == nil {
		var text []byte
		if text, err = withTable(old); err == nil {
			err = os.WriteFile(path, text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the table of settings:", err)
		os.Exit(1)
	}
}

// withTable returns the page with its table replaced by recipe.Markdown.
func withTable(page []byte) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(head))
	_, after, ended := bytes.Cut(rest, []byte("\n\n"))
	if !found || !ended {
		return nil, fmt.Errorf("the page has no table that begins with %q", head)
	}
	return bytes.Join([][]byte{before, []byte(recipe.Markdown()), []byte("\n"), after}, nil), nil
}
