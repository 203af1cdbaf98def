package web

import "testing"

// skipUnderRace leaves tests to the run without the race detector that work on a model's bytes, one request after the other.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("a model's bytes, one request after the other: the race detector makes it ten times as slow")
	}
}
