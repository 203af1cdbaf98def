package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inspectionAttributes put an inspection into a group of its own, which is killed as one, and end it with this process.
func inspectionAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

// reserved is what a process has mapped to write to and does not use: the collector's tables, the stacks of threads.
const reserved = 1 << 30

// confine limits the process it is called by, before that has read anything. Memory is limited twice: by what may be mapped,
// here, which stops even a single huge request; and by what is in use, which the studio watches (watchMemory).
func confine(l limits) error {
	// Where the machine runs out of memory all the same, this process is the one to go. Some containers forbid it.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	var errs []error
	for _, limit := range []struct {
		what  string
		kind  int
		value int64
	}{
		{"memory", unix.RLIMIT_DATA, l.memory*mappedTimes + reserved},
		{"processor time", unix.RLIMIT_CPU, 4*int64(l.time/time.Second) + 1}, // of several threads; the studio looks at the clock
		{"files written", unix.RLIMIT_FSIZE, 0},
		{"core files", unix.RLIMIT_CORE, 0},
		{"open files", unix.RLIMIT_NOFILE, 64},
	} {
		if err := unix.Setrlimit(limit.kind, &unix.Rlimit{Cur: uint64(limit.value), Max: uint64(limit.value)}); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", limit.what, err))
		}
	}
	stepBack()
	return errors.Join(append(errs, closeInherited())...)
}

// closeInherited closes the files that came with the process, but for its input and outputs. Its own are those marked to be
// closed on exec: with that mark they could not have been inherited.
func closeInherited() error {
	entries, _ := os.ReadDir("/proc/self/fd") // without /proc none are found: the studio marks what it opens itself
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			if err := unix.Close(fd); err != nil {
				return fmt.Errorf("closing an inherited file: %w", err)
			}
		}
	}
	return nil
}

// stepBack lowers this process's priority, so that the server answers people first. Linux keeps a priority for each thread, and new
// threads take that of the thread that made them.
func stepBack() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, 10) // a thread may have ended
		}
	}
}

// watchMemory calls over once a process uses more than a number of bytes for itself.
func watchMemory(ctx context.Context, pid int, most int64, over func()) {
	ticker := time.NewTicker(rssEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if used, err := memoryOf(pid); err == nil && used > most*mappedTimes {
				over()
				return
			}
		}
	}
}

// memoryOf is what a process uses of memory that it shares with no file.
func memoryOf(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, resident, shared int64
	if _, err := fmt.Sscan(strings.TrimSpace(string(text)), &size, &resident, &shared); err != nil {
		return 0, err
	}
	return (resident - shared) * int64(os.Getpagesize()), nil
}
