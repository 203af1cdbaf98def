// Package engine defines what computes the steps of a training, and has what all engines share.
//
//	engine.go      Engine; the batch it is given, what a step measured, what a forward pass gives
//	batch.go       what a batch must hold, and what it got right
//	parameters.go  values and momenta copied into an engine's own parameters
//	optimizer.go   the update of parameters, and running statistics that follow the batch's
//
// It knows no runtime and no graph. There are two engines: trainer/onnxruntime runs the step as one ONNX graph,
// trainer/gorgonia checks it independently. What their tests share is in enginetest.
package engine
