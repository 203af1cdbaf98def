//go:build unix

package lock_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/abn-studio/studio/internal/lock"
)

// A process that is being started has its parent's files open for a moment: what the parent let go of is free all the same.
func TestAFileIsFreeOnceItIsLetGo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lock.Open(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	child, err := syscall.Dup(int(first.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(child)
	if _, err := lock.Open(path, 0o600); !errors.Is(err, lock.ErrHeld) {
		t.Fatalf("a file that is held was taken: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := lock.Open(path, 0o600)
	if err != nil {
		t.Fatalf("a file that was let go of: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}
