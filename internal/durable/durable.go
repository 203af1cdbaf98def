// Package durable writes the files that people name: whole or not at all, also after a power cut. Caches need no such care and
// write as they like.
package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// mode is what a new file may: its owner writes it, others read it, as far as the umask lets them.
const mode = 0o644

// File is one on its way to its name. Until Finish, what is written lies beside it; Cleanup removes that where Finish was not
// called or failed.
type File struct {
	*renameio.PendingFile
	path string
}

// Create begins a file that replaces path, or is new there.
func Create(path string) (*File, error) {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(mode), renameio.WithTempDir(filepath.Dir(path)))
	if errors.Is(err, fs.ErrNotExist) { // it names the temporary file
		return nil, &fs.PathError{Op: "write in the folder", Path: filepath.Dir(path), Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, err
	}
	return &File{f, path}, nil
}

// Finish gives the file its name, and returns when content and name are on the disk.
func (f *File) Finish() error {
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	_ = folder.Sync() // the name itself; not every file system can
	return folder.Close()
}

// WriteFile makes or replaces a file.
func WriteFile(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write makes or replaces a file with what write writes.
func Write(path string, write func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }()
	if err := write(f); err != nil {
		return err
	}
	return f.Finish()
}

// Sweep removes what killed processes left on its way to names that match a pattern (path/filepath.Match) in a folder. Nobody may
// be writing such a file meanwhile.
func Sweep(dir, pattern string) error {
	left, err := filepath.Glob(filepath.Join(dir, "."+pattern+"[0-9]*"))
	for _, file := range left {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}
