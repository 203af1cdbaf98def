// Package statedict brings a network's weights back to the names that PyTorch gives them, so that a fine-tuned ONNX file can be
// loaded into the module it was exported from.
//
// It undoes what an exporter did: BatchNorms folded into convolutions, layers that share a tensor because their values were
// equal, transposed matrices, names without meaning. Some of this needs the module's own state_dict from before, the reference.
// Nothing is guessed. A tensor whose place is not certain is refused by name: an incomplete state_dict would load with
// strict=False, without an error, and be another network.
//
//	dict.go         a state_dict and its two files; safetensors.go, numpy.go
//	layers.go       which constants of a graph are read together, as what
//	scope.go        which module a node came from, as exporters write it down
//	reference.go    the state_dict of the module, by name, by value and by BatchNorm
//	export.go       Export: the way home, and what it says about it
//	way.go          what the file alone tells of its way home, before anything is trained
//	names.go        without a reference: by name, or not at all
//	match.go        with one: which layer is which module's; norms.go, products.go, loose.go
//	fold.go         what a folded BatchNorm does to weights, and its way back
//	account.go      that nothing is left over
//	verify.go       what was written, folded again, is the network
package statedict
