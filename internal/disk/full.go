package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/abn-studio/studio/annotator"
)

// Full makes an error of a disk that takes no more (full, quota used up, file too large for it, read-only) an
// annotator.ErrFull, and leaves others as they are.
func Full(err error) error {
	if errors.Is(err, annotator.ErrFull) {
		return err
	}
	for _, number := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EROFS} {
		if errors.Is(err, number) {
			var at *fs.PathError
			if errors.As(err, &at) { // who reads this may not be who runs the server: no folder of it is named
				err = at.Err
			}
			return fmt.Errorf("%w (%w)", annotator.ErrFull, err)
		}
	}
	return err
}
