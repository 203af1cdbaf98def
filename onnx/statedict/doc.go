// Package statedict brings a network's weights back to the names that PyTorch gives them, so that a fine-tuned ONNX file can be
// loaded into the module it was exported from.
//
// What an exporter did is undone: BatchNorms that were folded into convolutions, layers that share a tensor because their values
// were equal, transposed matrices, names that mean nothing. Where that needs the module's own state_dict, the reference is it.
// Nothing is guessed: a tensor whose place cannot be told, and one that would not be the network's, are refused by name, since
// half a state_dict loads with strict=False and is another network without a word.
//
//	dict.go         a state_dict and its two files; safetensors.go, numpy.go
//	layers.go       which constants of a graph are read together, as what
//	scope.go        which module a node came from, as exporters write it down
//	reference.go    the state_dict of the module, by name, by value and by BatchNorm
//	export.go       Export: the way home, and what it says about it
//	names.go        without a reference: by name, or not at all
//	match.go        with one: which layer is which module's; norms.go, products.go, loose.go
//	fold.go         what a folded BatchNorm does to weights, and its way back
//	account.go      that nothing is left over
//	verify.go       what was written, folded again, is the network
package statedict
