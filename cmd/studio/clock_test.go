//go:build !shiftedclock

package main

// clockShifts says whether the programs' clocks can be set, as in a build by .ci/partitions.
const clockShifts = false

func followClock() {}
