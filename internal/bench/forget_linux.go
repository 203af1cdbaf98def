package bench

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget makes the system drop what it remembers of files, so that the next reading is from the disk.
func forget(files []string) (bool, error) {
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return false, err
		}
		_ = f.Sync() // only what is on the disk is dropped
		err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		f.Close()
		if err != nil {
			return false, err
		}
	}
	return true, nil
}
