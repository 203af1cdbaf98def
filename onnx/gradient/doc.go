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
// # A new rule
//
// To let an operator be differentiated:
//
//  1. Its output shapes must be inferred: an entry in shape_rules.go of package onnx. If it needs more than one input to be run, add a
//     node to internal/operators/runs.go.
//  2. Write its rule, func(b *builder, n *onnx.Node, dY string) error, in the rule_*.go of its kind, and enter it in rules.go. It adds
//     nodes for each input's derivative and hands them over by b.give. For a form that it does not cover it returns an error that
//     says which; list such a form in internal/operators/forms.go.
//  3. Add examples to a *_examples_test.go: odd shapes, and every attribute that changes the result. TestGradients compares them with
//     central differences; TestEveryRuleHasAnExample fails for a rule without one.
//  4. If it has weights, name their inputs in trainer/step/selection.go (weightInputs), untie.go of package onnx, and
//     onnx/statedict/layers.go, which brings them back to PyTorch.
//  5. For the Gorgonia engine: a rule_*.go and an entry in operators.go of trainer/gorgonia, and a case in its cases_test.go, without
//     which its TestOperators fails. Until then that engine refuses the network with the node's name.
//  6. make generate writes docs/operators.md.
//
// # What the formulations rest on
//
// Each rule is exact, and written for what ONNX Runtime's CPU kernels are good at: see the comments in
// rule_conv.go and rule_norm.go. At a kink the derivative is PyTorch's: 0 at a Relu's 0 and at either
// end of a Clip, and a MaxPool's gradient goes to the first of equal maxima.
package gradient
