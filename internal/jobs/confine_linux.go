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

// inspectionAttributes put an inspection into a process group of its own, so that its children are killed with it, and make Linux
// kill it when this process ends.
func inspectionAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

// reserved is the memory, in bytes, that a process maps as writable without using it: the garbage collector's tables, threads' stacks.
const reserved = 1 << 30

// confine limits this process, before it reads its input. Memory is limited twice. The limit set here, on what may be mapped, stops
// even a single huge allocation; the studio watches how much is in use (watchMemory).
func confine(l limits) error {
	// If the machine still runs out of memory, Linux is to kill this process first. Some containers forbid to ask for that.
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

// closeInherited closes the files that the process inherited, except its standard input and outputs. A file marked close-on-exec
// cannot have been inherited, so the process opened it itself, and it stays open.
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

// stepBack lowers the priority of all threads of this process, so that the server answers people first. On Linux each thread has a
// priority, which the threads that it starts inherit.
func stepBack() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, 10) // a thread may have ended
		}
	}
}

// watchMemory calls over once a process uses more than most bytes of memory of its own.
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

// memoryOf returns how much memory a process uses, in bytes, without mapped files.
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
