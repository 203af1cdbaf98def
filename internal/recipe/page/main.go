// Command page writes the tables of settings and of arms into docs/training.md, from internal/recipe and internal/arms; make generate
// runs it.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
)

// tables are those of the page, by how they begin in it.
var tables = []struct{ head, text string }{
	{"| setting | default |", recipe.Markdown()},
	{"| arm | what it is |", arms.Markdown()},
}

func main() {
	path := filepath.Join(fixture.Root(), "docs", "training.md")
	old, err := os.ReadFile(path)
	if err == nil {
		var text []byte
		if text, err = withTables(old); err == nil {
			err = os.WriteFile(path, text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the tables of docs/training.md:", err)
		os.Exit(1)
	}
}

// withTables returns the page with its tables replaced.
func withTables(page []byte) ([]byte, error) {
	for _, t := range tables {
		before, rest, found := bytes.Cut(page, []byte(t.head))
		_, after, ended := bytes.Cut(rest, []byte("\n\n"))
		if !found || !ended {
			return nil, fmt.Errorf("the page has no table that begins with %q", t.head)
		}
		page = bytes.Join([][]byte{before, []byte(t.text), []byte("\n"), after}, nil)
	}
	return page, nil
}
