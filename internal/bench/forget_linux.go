package bench

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget drops files from the system's page cache, so that they are next read from the disk. It reports whether it can.
func forget(files []string) (bool, error) {
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return false, err
		}
		_ = f.Sync() // only pages that are on the disk are dropped
		err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		f.Close()
		if err != nil {
			return false, err
		}
	}
	return true, nil
}
