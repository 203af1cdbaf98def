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
//	editor.go       adding to a graph under names that nothing in it has
//	access.go       looking things up: attributes, initializers, producers and consumers
//	tensor.go       element types, and decoding a tensor's bytes
//	read*.go        protobuf → Model; unknown fields are kept
//	wire.go         the protobuf wire format, and errors that say where
//	external.go     tensors kept in other files, inside the model's folder only
//	write.go        Model → protobuf
//	repack.go       a file as it is handed out: with its manifest, its large values beside it; pieces.go, of which nothing is copied
//	source_paths.go  what in it tells where on somebody's machine it was made
//	write_hollow.go  the same without the values of large tensors, for what is opened and never run
//	control_flow.go  Loops that can be stopped
//	subgraph.go     what the graphs of control flow capture
//	shape*.go       static shape inference with a symbolic batch axis; shape_rules.go lists the operators
//	parts.go        finding an ABN's map and logits
//	candidates.go   the same where the map is no output, or does to the features what has no name
//	mechanism.go    where the map multiplies the features, and the gain
//	effect.go       what a cell of 0 and one of 1 do under a gain without a name
//	map_range.go    between what a map's values are
//	divide.go       which node and initializer belongs to which part
//	batch.go        opening a fixed batch axis; the batch's size for those behind the extractor
//	batch_axis.go   where a file of a fixed batch has it multiplied into an axis
//	strided.go      torch's as_strided read as the Reshape that it is
//	evaluation.go   a file exported in training mode, run in evaluation mode
//	across_batch.go  nodes by which an image's answer depends on the others of its batch
//	whole.go        a file as it is run, with all its outputs
//	untie.go        layers that the file gives one tensor because their values are equal
//	split.go        one ABN → graphs that run by themselves
//	attach*.go      an ABN of a plain classifier: where to split, the copied stage, the heads
//	version.go      the same graph with other initializers; the extractor's hash
//	node_metadata.go  what exporters note about a node
//	inspect.go      what `studio model inspect` says
//	reasons.go      networks that are none for the studio, by their own name
//	other_file.go   files that are no ONNX files, by what they are
//
// Nothing here runs a graph: that is internal/ort's.
package onnx
