//go:build shiftedclock

package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// clockShifts says whether the programs' clocks can be set. In a build by .ci/partitions package time has a variable Shift, by how many
// seconds time.Now is off: for all of the program, libraries included, as on a machine whose clock is wrong. Spans of time are right, since
// Go measures them by another clock.
const clockShifts = true

// followClock sets the clock to what the file of clockFile says, again and again.
func followClock() {
	file := os.Getenv(clockFile)
	if file == "" {
		return
	}
	look := func() {
		text, _ := os.ReadFile(file)
		seconds, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // none: right
		time.Shift.Store(seconds)
	}
	look()
	go func() {
		for range time.Tick(100 * time.Millisecond) {
			look()
		}
	}()
}
