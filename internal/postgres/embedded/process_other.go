//go:build !linux

package embedded

import "syscall"

// dieWithParent does nothing: this system cannot end a process with its parent. The next start stops an orphan.
func dieWithParent(*syscall.SysProcAttr) {}
