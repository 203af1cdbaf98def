//go:build unix

package lock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Take takes a file for this process; ErrHeld where another has it.
func Take(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrHeld
	}
	return err
}

// Release lets go of a file, also where a process that is just being started has it open too.
func Release(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }
