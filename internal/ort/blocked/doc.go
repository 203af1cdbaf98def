// Package blocked holds operators of our own for ONNX Runtime: the parts of a training step that the runtime has no kernel
// for over channels in blocks, the layout [N,C/B,H,W,B] of its fastest convolutions, where B is the number of floats in
// a vector register. With them a step stays in that layout from its first convolution to its last gradient.
//
//	BatchNormalization          (x, scale, shift, mean, variance, residual) → (y, mean, variance)
//	BatchNormalizationGradient  (dY, x, scale, shift, mean, variance) → (dX, dScale, dShift)
//	ClipGradient                (y, dY, more) → dX; Relu's and Clip's, any layout
//	ConvWeightGradient          (dY, x) → (dW in the standard layout, dB)
//	ConvInputGradient           (dY, laid weight) → dX, for strides above 1; else it is a convolution of the runtime's
//	LayWeight                   (w, after) → the weight as the runtime's blocked convolution reads it; after is only waited for
//	WinogradWeight              (w, after) → the weight as WinogradConv reads it
//	WinogradConv                (x, laid weight, bias) → y, 3×3 kernels at stride 1; ConvWeightGradient knows the algorithm too
//
// operators.c is what the runtime sees of them: inputs, attributes, and how the work is handed to its threads. The kernels are
// in kernels_body.h and winograd.h, compiled once for AVX-512 (B = 16) and once for AVX2 (B = 8); kernels.h says what each computes.
// Package step writes the operators into a step's graph (trainer/step/blocked.go) and does without them where Supported says no.
//
// The headers of ONNX Runtime that operators.c reads stand in third_party/onnxruntime.
package blocked
