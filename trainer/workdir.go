package trainer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/abn-studio/studio/internal/lock"
)

// lockFile is locked by the process that uses a work folder.
const lockFile = "lock"

// TakeOver renames a work folder, with the checkpoints in it. A frozen process that was using it cannot write into it when it
// wakes up, since it knows the old name only, and its lock does not block the new owner.
func TakeOver(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("take over a work folder: %w", err)
	}
	if err := os.Remove(filepath.Join(to, lockFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take over a work folder: %w", err)
	}
	return nil
}

// awaitWorkDir is claimWorkDir that waits while another process uses the folder.
func awaitWorkDir(ctx context.Context, dir string) (release func(), err error) {
	for {
		if release, err = claimWorkDir(dir); !errors.Is(err, ErrBusy) {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(busyPoll):
		}
	}
}

// busyPoll is the time between two attempts to claim a busy folder.
const busyPoll = 200 * time.Millisecond

// claimWorkDir makes the folder and locks it against other processes of this machine; ErrBusy if one of them uses it. The lock
// ends with release, or with the process.
func claimWorkDir(dir string) (release func(), err error) {
	if dir == "" {
		return nil, errors.New("no work folder given")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("work folder: %w", err)
	}
	held, err := lock.Open(filepath.Join(dir, lockFile), 0o644)
	if errors.Is(err, lock.ErrHeld) {
		return nil, fmt.Errorf("work folder %s: %w", dir, ErrBusy)
	}
	if err != nil {
		return nil, fmt.Errorf("lock work folder %s: %w", dir, err)
	}
	return func() { held.Close() }, nil
}
