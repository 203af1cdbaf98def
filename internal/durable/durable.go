// Package durable writes files that must not be lost or cut short: under its name, a file is whole or absent, also after a power
// cut. Caches do without it, since their files can be made again.
package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/abn-studio/studio/internal/fault"
)

// mode is the permissions of a written file before the umask is applied: its owner may read and write it, others may read it.
const mode = 0o644

// File is a file that is being written. Its bytes go to a temporary file in the same folder until Finish gives it its name. Cleanup
// removes the temporary file; it does nothing after a Finish that succeeded.
type File struct {
	*renameio.PendingFile
	path string
}

// Create begins to write the file path, which Finish makes or replaces. The error is a *fs.PathError that names the folder if there
// is none.
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
	if err := write(&parted{File: f}); err != nil {
		return err
	}
	return f.Finish()
}

// parted is a file between whose parts a test may kill the process.
type parted struct {
	*File
	begun bool
}

func (p *parted) Write(b []byte) (int, error) {
	if p.begun {
		fault.At(fault.HalfWritten)
	}
	p.begun = true
	return p.File.Write(b)
}

// Sweep removes the temporary files that killed processes left in the folder dir, of files whose names match pattern
// (path/filepath.Match). No process may be writing a file of such a name meanwhile.
func Sweep(dir, pattern string) error {
	left, err := filepath.Glob(filepath.Join(dir, "."+pattern+"[0-9]*"))
	for _, file := range left {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}
