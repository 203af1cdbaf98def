//go:build !unix

package disk

import (
	"errors"
	"os"
)

// hold takes a file for this process, which this system cannot.
func hold(*os.File) error { return errors.ErrUnsupported }
