package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/lock"
)

// TemporaryFolder is a folder for what a process needs only while it runs. A file beside it, of the same name and ".lock", is held
// by the process, so that another can tell when the folder was left behind.
type TemporaryFolder struct {
	Path string
	lock *os.File
}

// NewTemporaryFolder makes a folder for this process alone in the system's folder for such (TMPDIR), called prefix and a number. It
// first removes those of the same prefix whose process is gone, however it ended.
func NewTemporaryFolder(prefix string) (*TemporaryFolder, error) {
	if _, err := SweepTemporaryFolders(prefix); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", prefix+"*.lock")
	if err != nil {
		return nil, Full(err)
	}
	_ = lock.Take(file) // where that is not possible, age alone tells
	f := &TemporaryFolder{Path: strings.TrimSuffix(file.Name(), ".lock"), lock: file}
	if err := os.Mkdir(f.Path, 0o700); err != nil {
		return nil, errors.Join(Full(err), f.Close())
	}
	return f, nil
}

// Close removes the folder and all that is in it. nil is no folder.
func (f *TemporaryFolder) Close() error {
	if f == nil {
		return nil
	}
	// The folder first: one without a file beside it would be told by its age alone.
	err := os.RemoveAll(f.Path)
	if err == nil {
		err = os.Remove(f.lock.Name())
	}
	return errors.Join(err, f.lock.Close())
}

// SweepTemporaryFolders removes the folders of a prefix whose process is gone, and returns how many. What another user made
// stays.
func SweepTemporaryFolders(prefix string) (removed int, err error) {
	dir := os.TempDir()
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		return 0, err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		switch {
		case !strings.HasPrefix(entry.Name(), prefix):
		case entry.Type().IsRegular() && strings.HasSuffix(path, ".lock"):
			if !left(path) || os.RemoveAll(strings.TrimSuffix(path, ".lock")) != nil {
				continue
			}
			if os.Remove(path) == nil {
				removed++
			}
		case entry.IsDir(): // without a file beside it: of a version before there was one
			if _, err := os.Lstat(path + ".lock"); !errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > old && os.RemoveAll(path) == nil {
				removed++
			}
		}
	}
	return removed, nil
}
