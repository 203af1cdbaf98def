package picture

import (
	"os"
	"strings"
	"testing"
)

// TestSuffixesAreDocumented holds docs/data.md and the messages to the list.
func TestSuffixesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/data.md")
	if err != nil {
		t.Fatal(err)
	}
	all := Suffixes()
	list := "`" + strings.Join(all[:len(all)-1], "`, `") + "` or `" + all[len(all)-1] + "`"
	if !strings.Contains(string(page), list) {
		t.Errorf("docs/data.md does not list the suffixes %s", list)
	}
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	if got, want := strings.ToLower(strings.NewReplacer(" or ", " ", ",", "").Replace(FormatList)), strings.Join(names, " "); got != want {
		t.Errorf("FormatList names %q, the formats are %q", got, want)
	}
}

func TestSuffixesOfNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"a.jpg": true, "a.JFIF": true, "b/a.b.Tiff": true, "a.gif": false, "jpg": false, "a.jpg.txt": false, "": false} {
		if HasSuffix(name) != want {
			t.Errorf("HasSuffix(%q) = %v", name, !want)
		}
	}
	if got := UnreadSuffix("a.GIF"); got != ".gif" {
		t.Errorf("UnreadSuffix(a.GIF) = %q", got)
	}
	if got := UnreadSuffix("a.jpg"); got != "" {
		t.Errorf("UnreadSuffix(a.jpg) = %q", got)
	}
	for _, f := range formats {
		if got := SuffixOf(f.name); !HasSuffix("a" + got) {
			t.Errorf("SuffixOf(%q) = %q", f.name, got)
		}
	}
	if SuffixOf("gif") != "" {
		t.Error("a suffix of a format that is not read")
	}
}
