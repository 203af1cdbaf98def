//go:build race

package jobs

// mappedTimes is how many times a program's memory is mapped: the race detector maps shadow memory for it.
const mappedTimes = 12
