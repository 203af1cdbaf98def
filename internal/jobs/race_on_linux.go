//go:build race

package jobs

// mappedTimes is how many times what the program takes the race detector takes.
const mappedTimes = 12
