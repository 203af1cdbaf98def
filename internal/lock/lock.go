// Package lock holds files for one process: data and work folders, and files on their way, whose owner another process must be able
// to see alive. The kernel lets go when the process ends, however it does, also in another container.
package lock

import (
	"errors"
	"os"
)

// ErrHeld is returned for a file that another process, or another part of this one, holds.
var ErrHeld = errors.New("another process holds the file")

// Hold is an open file that is held.
type Hold struct {
	*os.File
}

// Open takes the file at path, which it makes where it is not there; ErrHeld where somebody has it.
func Open(path string, mode os.FileMode) (Hold, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, mode)
	if err != nil {
		return Hold{}, err
	}
	if err := Take(file); err != nil {
		return Hold{}, errors.Join(err, file.Close())
	}
	return Hold{file}, nil
}

// Close lets go of the file. Closing alone would not: a process that is just being started has all files of its parent open until it
// runs its own program, and would hold this one until then.
func (h Hold) Close() error {
	return errors.Join(Release(h.File), h.File.Close())
}
