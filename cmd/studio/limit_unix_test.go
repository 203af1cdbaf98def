//go:build unix

package main

import (
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

// limitFiles simulates a full disk if fileLimit is set.
func limitFiles() {
	bytes, err := strconv.ParseUint(os.Getenv(fileLimit), 10, 64)
	if err != nil {
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // writing then fails, as on a full disk, and does not end the process
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes}); err != nil {
		panic(err)
	}
}
