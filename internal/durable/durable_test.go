package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/durable"
)

func TestFilesAreReplacedWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := durable.WriteFile(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	f, err := durable.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("sec"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "first" {
		t.Errorf("half of a file is seen: %q", got)
	}
	if err := f.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("second")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "second" {
		t.Errorf("%q, %v", got, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v is left, %v", left, err)
	}
	if err := durable.WriteFile(filepath.Join(dir, "none", "a"), nil); !os.IsNotExist(err) {
		t.Errorf("in a folder that is not there: %v", err)
	}
}
