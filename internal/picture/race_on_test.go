//go:build race

package picture

// raceDetector is on: code that it watches allocates more, so that what decoding takes is not what it takes otherwise.
const raceDetector = true
