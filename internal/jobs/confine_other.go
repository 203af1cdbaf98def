//go:build !linux

package jobs

import (
	"context"
	"errors"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inspectionAttributes put an inspection into a process group of its own, so that its children are killed with it. It ends with this
// process because its standard input then ends.
func inspectionAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

// confine limits this process. macOS does not enforce a limit of memory, so the process checks its own use.
func confine(l limits) error {
	go func() {
		for range time.Tick(rssEvery) {
			var u unix.Rusage
			if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
				continue
			}
			used := int64(u.Maxrss)
			if runtime.GOOS != "darwin" { // which counts bytes, others kilobytes
				used <<= 10
			}
			if used > l.memory {
				_, _ = os.Stderr.WriteString("out of memory\n")
				os.Exit(1)
			}
		}
	}()
	most := uint64(4*int64(l.time/time.Second) + 1)
	return errors.Join(
		unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: most, Max: most}),
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}),
		unix.Setpriority(unix.PRIO_PROCESS, 0, 10),
	)
}

// watchMemory does nothing: the process watches itself.
func watchMemory(context.Context, int, int64, func()) {}
