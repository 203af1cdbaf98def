package dataset_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset"
)

// Text that a database cannot store is refused when a table or list is read, with line and column, so that a dry run finds it too.
func TestTablesHoldText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ format, file, content, want string }{
		"Windows-1252":  {"csv", "images.csv", "file,class\na.png,Zaunk\xf6nig\n", "line 2, column class"},
		"a NUL":         {"csv", "images.csv", "file,class,group\na.png,wren,x\n\na.png,wren,\"a\x00\"\n", "line 4, column group"},
		"a long label":  {"csv", "images.csv", "file,label\na.png," + strings.Repeat("a", 300_000) + "\n", "line 2, column label"},
		"no UTF-16":     {"csv", "images.csv", "file,class\na.png,\xff\xfef\x00i\n", "line 2, column class"},
		"no header":     {"csv", "images.csv", "file,class\na.png,wren,\xff\n", "line 2, column 3"},
		"metadata.csv":  {"folder", "metadata.csv", "file,group\ntrain/wren/a.png,Gr\xfcn\n", "line 2, column group"},
		"a list of CUB": {"cub", "lists/train.txt", "001.Wren/a.png\n\xff\n", "line 2 of lists/train.txt"},
	} {
		dir := t.TempDir()
		for _, picture := range []string{"a.png", "train/wren/a.png", "images/001.Wren/a.png"} {
			write(t, filepath.Join(dir, picture), "\x89PNG\r\n\x1a\n")
		}
		write(t, filepath.Join(dir, c.file), c.content)
		if c.format == "cub" {
			write(t, filepath.Join(dir, "lists/test.txt"), "")
		} else if err := os.RemoveAll(filepath.Join(dir, "images")); err != nil {
			t.Fatal(err)
		}
		says := "UTF-8"
		if name == "a long label" {
			says = "longer than"
		}
		_, err := dataset.Open(c.format, dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
