package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/abn-studio/studio/internal/lock"
)

// Temporary makes a file on its way to somewhere, in a folder for such files alone, which is made where it is not there. It
// holds the file: the kernel lets go when the process ends, however it does, also in another container. The file must stay
// open until it has been renamed or removed.
func Temporary(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "*")
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			f, err = os.CreateTemp(dir, "*")
		}
	}
	if err != nil {
		return nil, Full(err)
	}
	_ = lock.Take(f) // where that is not possible, age alone tells
	return f, nil
}

// Between its creation and being held a file is young; where files cannot be held, one this old was left behind.
const (
	young = time.Minute
	old   = 24 * time.Hour
)

// SweepTemporary removes the files of a folder for files on their way whose process is gone, and returns how many.
func SweepTemporary(dir string) (removed int, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		if left(path) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return removed, err
			}
			removed++
		}
	}
	return removed, nil
}

// left reports whether no process holds a file any more.
func left(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || time.Since(info.ModTime()) < young {
		return false
	}
	switch err := lock.Take(f); {
	case err == nil:
		return lock.Release(f) == nil
	case errors.Is(err, lock.ErrHeld):
		return false
	default:
		return time.Since(info.ModTime()) > old
	}
}
