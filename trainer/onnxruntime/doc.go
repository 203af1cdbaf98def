// Package onnxruntime trains on ONNX Runtime: a training step is one graph that it runs.
//
//	engine.go      Engine: buffers that the graph reads parameters from and writes gradients to, and the update between two steps
//	evaluation.go  the forward pass on the same parameters
//	block_size.go  whether this machine has the runtime's convolutions over blocks of channels
//
// Package trainer/step makes the graphs, and internal/ort runs them.
package onnxruntime
