// Package gradient differentiates ONNX graphs in reverse mode: ONNX in, ONNX out. Append adds to a
// graph the nodes that compute a scalar's derivative by any of its values, so that whatever runs the
// graph forward also trains it; no training build of a runtime is needed.
//
// # Axes
//
//	N batch, C input channels, O output channels, H×W input, h×w output, k kernel, g groups
//
// In the rules Y = f(X) is a node of the graph, dY the derivative of the loss by Y (Y's shape), dX
// the one by X. A mask is 0 or 1 per element.
//
// # Where things live
//
//	append.go        Append: the walk from the loss back to the asked values
//	unsupported.go   what cannot be differentiated, said before training starts
//	builder.go       adding nodes and constants under fresh names
//	opset.go         Raise: the same graph on the operator set the rules are written for
//	static.go        values that are known without running the graph (pads, axes, bounds)
//	broadcast.go     summing a gradient back to the shape that was broadcast
//	geometry.go      windows of convolutions and pools: strides, pads, dilation, leftovers
//	rules.go         the table: one rule per operator
//	rule_*.go        the rules; rule_blocked.go those of AppendBlocked, for engines with operators of their own
//
// # What the formulations rest on
//
// Each rule is exact, and written for what ONNX Runtime's CPU kernels are good at: see the comments in
// rule_conv.go and rule_norm.go. At a kink the derivative is PyTorch's: 0 at a Relu's 0 and at either
// end of a Clip, and a MaxPool's gradient goes to the first of equal maxima.
package gradient
