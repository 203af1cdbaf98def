package trainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// claimWorkDir makes the folder and locks it against other processes of this machine; ErrBusy where
// one is at work in it. The lock ends with release, or with the process.
func claimWorkDir(dir string) (release func(), err error) {
	if dir == "" {
		return nil, errors.New("no work folder given")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("work folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("work folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("work folder %s: %w", dir, ErrBusy)
		}
		return nil, fmt.Errorf("lock work folder %s: %w", dir, err)
	}
	return func() { lock.Close() }, nil
}
