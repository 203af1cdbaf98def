// Package embeddedtest has the data folders of tests that start an embedded PostgreSQL. Where root runs a test, the server runs as
// another user, who must be able to enter them.
package embeddedtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Base is the folder in which data folders are made: the temporary one, or /tmp where others may not enter that.
func Base() string {
	base := os.TempDir()
	if os.Geteuid() == 0 && !open(base) {
		return "/tmp"
	}
	return base
}

// open reports whether every user may enter a folder.
func open(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		if parent := filepath.Dir(dir); parent == dir || parent == "." {
			return true
		}
	}
}

// Folder names a data folder that is not there yet, in one that the server's user can enter and that is removed with the test.
func Folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(Base(), "abn-embedded-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}
