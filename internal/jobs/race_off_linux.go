//go:build !race

package jobs

// mappedTimes is 1 but where the race detector takes memory of its own.
const mappedTimes = 1
