package templates_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every header of a table has a name, if only for who listens to the page; and where what is selected takes the place of a page's head, it
// takes that of its h1, too.
func TestHeadingsHaveNames(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.templ")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	empty, bar := regexp.MustCompile(`<th[^>]*>\s*</th>`), regexp.MustCompile(`(?s)<div [^>]*data-selected hidden>.*?</div>`)
	bars := 0
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := empty.FindString(string(file)); found != "" {
			t.Errorf("%s: %s has no name: say it in an element of the class visually-hidden", name, found)
		}
		for _, found := range bar.FindAllString(string(file), -1) {
			if bars++; !strings.Contains(found, "<h1") {
				t.Errorf("%s: while something is selected the page has no h1", name)
			}
		}
	}
	if bars < 3 {
		t.Errorf("%d bars of what is selected: does the test still find them?", bars)
	}
}
