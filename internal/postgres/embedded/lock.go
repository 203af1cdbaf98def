package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/internal/lock"
)

// ErrInUse is returned for a data folder that another studio uses.
var ErrInUse = errors.New("the data folder is in use by another studio")

// lockFolder locks the data folder for this process, and writes down which that is.
func lockFolder(dir string) (lock.Hold, error) {
	path := filepath.Join(dir, "studio.lock")
	held, err := lock.Open(path, 0o600)
	if errors.Is(err, lock.ErrHeld) {
		holder, _ := os.ReadFile(path)
		return held, fmt.Errorf("%w: %s is held by process %s; stop that one, or give this one another folder",
			ErrInUse, dir, strings.TrimSpace(string(holder)))
	}
	if err != nil {
		return held, fmt.Errorf("locking %s: %w", dir, err)
	}
	if err = held.Truncate(0); err == nil {
		_, err = fmt.Fprintln(held, os.Getpid())
	}
	if err != nil {
		return held, errors.Join(err, held.Close())
	}
	return held, nil
}
