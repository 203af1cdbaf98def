//go:build !linux

package embedded

import "syscall"

// dieWithParent does nothing where the system offers nothing: the next start stops an orphan.
func dieWithParent(*syscall.SysProcAttr) {}
