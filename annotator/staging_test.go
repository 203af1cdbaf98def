package annotator

import (
	"errors"
	"strings"
	"testing"
)

func TestPathsOfStagedFilesStayBelowTheirFolder(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", ".", "..", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "a\x00b", "a\xff", strings.Repeat("d/", 600) + "x", strings.Repeat("n", 256)} {
		var invalid *ValidationError
		if err := checkStagedFiles([]StagedFile{{Path: bad}}); !errors.As(err, &invalid) || invalid.Field != "files" {
			t.Errorf("the path %q: %v", bad, err)
		}
	}
	for name, files := range map[string][]StagedFile{
		"none":               nil,
		"twice":              {{Path: "a"}, {Path: "b"}, {Path: "a"}},
		"a file in a file":   {{Path: "a/b"}, {Path: "a"}},
		"deep in a file":     {{Path: "a-b"}, {Path: "a/b/c/d"}, {Path: "a/b"}},
		"less than no bytes": {{Path: "a", Bytes: -1}},
	} {
		if err := checkStagedFiles(files); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := checkStagedFiles([]StagedFile{{Path: "train/auk/1.png", Bytes: 3}, {Path: "train/auk.txt"}, {Path: "…/ä b.png"}, {Path: "..x"}}); err != nil {
		t.Errorf("good paths: %v", err)
	}
}

func TestSlugOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Birds": "birds", "Seabirds of Skåne": "seabirds-of-skane", " 3 × Éclair! ": "3-eclair", "鳥": "", "--": "", strings.Repeat("ab ", 40): strings.TrimSuffix(strings.Repeat("ab-", 20), "-"),
	} {
		got := SlugOf(name)
		if got != want || got != "" && (len(got) > BoundSlug.Most || !slugPattern.MatchString(got)) {
			t.Errorf("SlugOf(%q) = %q, want %q", name, got, want)
		}
	}
}
