// Package onnx is the studio's own small model of an ONNX file: a graph that can be read, written,
// shape-inferred, searched for the parts of an Attention Branch Network, split at them,
// differentiated (package onnx/gradient), and asked where it looks by other methods (package onnx/activation).
//
// # Axes
//
//	N batch, C channels, h×w attention map, H×W image, K classes
//
// # Where things live
//
//	graph.go        Model, Graph, Node, Attribute, Tensor, ValueInfo: the data
//	build.go        making nodes, tensors and shapes in code; copies
//	editor.go       adding to a graph under names that are not used in it
//	access.go       looking things up: attributes, initializers, producers and consumers
//	tensor.go       element types, and decoding a tensor's bytes
//	read*.go        protobuf → Model; unknown fields are kept
//	wire.go         the protobuf wire format, and errors that say where; fields.go has the field numbers
//	limits.go       bounds on what a file may contain
//	external.go     tensors kept in other files, inside the model's folder only
//	write.go        Model → protobuf
//	repack.go       rewriting a file for download: its manifest inside, its large tensors in a second file; pieces.go does it without copying
//	source_paths.go  finding paths of the machine on which a file was exported
//	write_hollow.go  writing a file without the values of large tensors, to open it on the runtime without running it
//	control_flow.go  Loops that can be stopped
//	subgraph.go     what the graphs of control flow capture
//	shape*.go       static shape inference with a symbolic batch axis; shape_rules.go lists the operators
//	parts.go        finding an ABN's map and logits; answer.go tells logits from probabilities and sigmoids
//	candidates.go   finding them if the map is not an output, or the mechanism is neither 1+M nor M
//	mechanism.go    where the map multiplies the features, and the gain
//	gain.go         telling 1+M and M in other words, element by element
//	effect.go       what a cell of 0 and one of 1 do under another gain
//	map_range.go    the least and the largest value that a map can have
//	divide.go       which node and initializer belongs to which part
//	batch.go        making a fixed batch axis symbolic; giving the branches the batch's size
//	batch_axis.go   finding the axes of which a fixed batch size is a factor
//	strided.go      torch's as_strided, replaced by the Reshape that it amounts to
//	evaluation.go   putting a file that was exported in training mode into evaluation mode
//	across_batch.go  nodes by which an image's answer depends on the others of its batch
//	whole.go        a whole file ready to run, with all its outputs
//	widen.go        keeping weights in float32 that are stored in float16 and cast
//	untie.go        giving layers that share one tensor, because their values are equal, a tensor each
//	split.go        one ABN → graphs that run by themselves
//	attach*.go      making an ABN from a plain classifier: where to split, the copied stage, the heads
//	version.go      the same graph with other initializers; the extractor's hash
//	node_metadata.go  what exporters note about a node
//	places.go       where something is in a model, for errors and for visiting tensors
//	inspect.go      what `studio model inspect` prints
//	reasons.go      why a network cannot be used, as of kinds that can be named
//	other_file.go   recognising files that are not ONNX files
//
// Nothing here runs a graph: that is internal/ort's.
package onnx
