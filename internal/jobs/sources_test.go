package jobs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// A source is reached by its name, and nothing outside of it: neither by .. and absolute paths, nor by symbolic links.
func TestSourcesEndWhereTheyEnd(t *testing.T) {
	t.Parallel()
	outside, base := t.TempDir(), t.TempDir()
	for _, dir := range []string{filepath.Join(base, "birds", "2024"), filepath.Join(outside, "secret")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out": outside, "up": "..", "in": "birds", "birds/far": filepath.Join(outside, "secret")} {
		if err := os.Symlink(to, filepath.Join(base, link)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := ParseSources([]string{"nas=" + base, "bucket=s3://birds/all?region=eu-west-1", "top=s3://birds"})
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := filepath.EvalSymlinks(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ source, path, want string }{
		{"nas", "", resolved},
		{"nas", "birds/2024/", filepath.Join(resolved, "birds", "2024")},
		{"nas", "in/2024", filepath.Join(resolved, "birds", "2024")},
		{"bucket", "", "s3://birds/all?region=eu-west-1"},
		{"bucket", "2024/a b?#c", "s3://birds/all/2024/a%20b%3F%23c?region=eu-west-1"},
		{"top", "2024", "s3://birds/2024"},
	} {
		if got, err := s.at(c.source, c.path); err != nil || got != c.want {
			t.Errorf("%s/%s is at %s, %v; want %s", c.source, c.path, got, err, c.want)
		}
	}
	for _, c := range []struct{ source, path, field, says string }{
		{"other", "", "source", "choose from bucket, nas, top"},
		{"", "", "source", "choose from"},
		{"nas", "..", "path", "no path below nas"},
		{"nas", "birds/../..", "path", "no path below nas"},
		{"nas", "birds//2024", "path", "no path below nas"},
		{"nas", "/etc", "path", "no path below nas"},
		{"nas", "./birds", "path", "no path below nas"},
		{"nas", "out", "path", "leads out of nas"},
		{"nas", "out/secret", "path", "leads out of nas"},
		{"nas", "up", "path", "leads out of nas"},
		{"nas", "birds/far", "path", "leads out of nas"},
		{"nas", "nothing", "path", "is not in nas"},
		{"bucket", "../other", "path", "no path below bucket"},
		{"bucket", "/other", "path", "no path below bucket"},
	} {
		at, err := s.at(c.source, c.path)
		var invalid *annotator.ValidationError
		if !errors.As(err, &invalid) || invalid.Field != c.field || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), base) {
			t.Errorf("%s/%s is at %q, %v; want %s %q", c.source, c.path, at, err, c.field, c.says)
		}
	}
	file := filepath.Join(base, "a.txt")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for given, says := range map[string]string{
		base: "want NAME=/folder", "nas=": "want NAME=/folder", "a b=" + base: "a source's name", "x=" + filepath.Join(base, "nothing"): "no such file", "x=" + file: "is no folder",
	} {
		if _, err := ParseSources([]string{given}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("--source %s: %v, want %q", given, err, says)
		}
	}
	if _, err := ParseSources([]string{"nas=" + base, "nas=" + outside}); err == nil || !strings.Contains(err.Error(), "nas is given twice") {
		t.Errorf("a name twice: %v", err)
	}
}
