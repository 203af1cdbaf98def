// Package step writes a training step of an Attention Branch Network as a graph.
//
//	source.go     Source, the network that a step trains or the part of it that is run, and its Sizes
//	selection.go  which tensors a strategy trains; rates.go  at which rates; parameters.go  copied out of the file
//	graph.go      Graph, the step: forward pass, losses, gradients and the batch's statistics. Build makes it of a network's graph
//	forward.go    the forward pass on the same parameters
//	losses.go     L_att, L_per, L_map and L_anchor as nodes
//	passes.go     what a pass is: the way from a network's graph to its step is a list of them
//	simplify.go   two nodes that are one
//	statistics.go BatchNorm on batch statistics for providers that lack it
//	fuse.go       what one operator over blocks of channels does for several
//	blocked.go    values in the layout that the runtime's fastest convolutions read
//	survey.go     what the last passes look up in a graph
//
// It runs nothing and knows no engine: trainer/onnxruntime runs the graphs, trainer/gorgonia takes Source and Select and builds a
// step of its own. To see the graph behind each pass:
//
//	go test ./trainer/step -run TestPasses -v
package step
