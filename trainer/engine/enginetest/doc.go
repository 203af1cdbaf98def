// Package enginetest holds what the tests of training engines share: networks, batches, and comparisons.
//
//	networks.go  networks of our own making, the published families, and any from a file
//	batches.go   batches of noise for a network
//	archive.go   the runs of the reference networks, made with PyTorch (fixture.Reference)
//	compare.go   what two engines measured, and parameters
package enginetest
