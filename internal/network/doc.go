// Package network opens an Attention Branch Network: a file is taken apart once, and the result is shared by everything that
// inspects the network, runs it, trains it or exports it.
//
// # Where things live
//
//	network.go  Network: the graph, its parts, the graphs they make, the manifest; hashes and reports when they are asked for
//	store.go    Store: networks by the hash of their file, those used last kept open
//
// It is the only caller of onnx.FindParts and onnx.Split. Running a network is package inference's, training it package
// trainer's: both take a Network.
package network
