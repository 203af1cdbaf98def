//go:build race

package jobs

// raced is whether the race detector watches.
const raced = true
