//go:build race

package ort_test

// raceDetector is on: it keeps shadow memory of its own, so that resident memory says nothing.
const raceDetector = true
