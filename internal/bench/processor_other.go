//go:build !unix

package bench

// processorSeconds is not asked for here: ratios of processor time are absent.
func processorSeconds() float64 { return 0 }
