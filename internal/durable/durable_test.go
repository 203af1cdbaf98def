package durable_test

import (
	"os"
	"path/filepath"
	"strings"
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
	if err := durable.WriteFile(filepath.Join(dir, "none", "a"), nil); !os.IsNotExist(err) || !strings.Contains(err.Error(), "folder "+filepath.Join(dir, "none")+":") {
		t.Errorf("in a folder that is not there: %v", err)
	}
}

func TestSweepRemovesWhatAKilledProcessLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.x", "b.x", "c.y"} {
		if err := durable.WriteFile(filepath.Join(dir, name), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := durable.Create(filepath.Join(dir, name)); err != nil { // and is killed
			t.Fatal(err)
		}
	}
	if err := durable.Sweep(dir, "*.x"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 4 {
		t.Errorf("left %v, %v; want the three files and what is on its way to c.y", left, err)
	}
}
