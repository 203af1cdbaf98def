// Package onnx is the studio's own small model of an ONNX file: a graph that can be read, written,
// shape-inferred, searched for the parts of an Attention Branch Network, split at them, and
// differentiated (package onnx/gradient).
//
// # Axes
//
//	N batch, C channels, h×w attention map, H×W image, K classes
//
// # Where things live
//
//	graph.go      Model, Graph, Node, Attribute, Tensor, ValueInfo: the data
//	build.go      making nodes and tensors in code
//	read.go       protobuf → Model; unknown fields are kept
//	write.go      Model → protobuf
//	shape*.go     static shape inference, with a symbolic batch axis
//	parts.go      finding extractor, attention branch, mechanism, perception branch
//	split.go      one ABN → three graphs
//	manifest.go   how pixels become the input, and what the classes are called
//	inspect.go    what `studio model inspect` says
//
// Nothing here runs a graph: that is internal/ort's.
package onnx
