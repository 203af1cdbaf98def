// Package engine is what a training asks of whoever computes its steps, and what all of them share.
//
//	engine.go     Engine; the batch it is given, what a step measured, what a forward pass gives
//	batch.go      what a batch must hold, and what it got right
//	optimizer.go  the update of parameters, and running statistics that follow the batch's
//
// It knows no runtime and no graph. Package trainer has two engines: the step as one ONNX graph on ONNX Runtime, and
// Gorgonia's, an independent check of it.
package engine
