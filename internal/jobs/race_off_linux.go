//go:build !race

package jobs

// mappedTimes is how many times a program's memory is mapped: once, without the race detector.
const mappedTimes = 1
