//go:build race

package ort_test

// raceDetector says that the race detector is on. It keeps shadow memory, so that resident memory cannot be compared.
const raceDetector = true
