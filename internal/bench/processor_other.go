//go:build !unix

package bench

// processorSeconds is 0 where the system's call is not used: ratios of processor time are then left out.
func processorSeconds() float64 { return 0 }
