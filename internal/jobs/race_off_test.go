//go:build !race

package jobs

// raceDetector is whether the race detector watches.
const raceDetector = false
