//go:build !amd64 || !(linux || darwin)

package blocked

import (
	"errors"
	"unsafe"
)

// Supported reports whether this processor runs the operators over blocks of so many channels.
func Supported(int64) bool { return false }

// Add fails: the operators are written for x86-64.
func Add(string, string, unsafe.Pointer) error {
	return errors.New("operators over channels in blocks are for x86-64 alone")
}
