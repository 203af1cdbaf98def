// Package gorgonia trains on Gorgonia, an independent check of the engine on ONNX Runtime.
//
// It is separate because Gorgonia is no longer developed: no other package imports it, and package trainer imports this one in a
// single file. docs/adr/0006 says what of the engine is Gorgonia's: the graph, its differentiation and most operators.
//
//	engine.go     Engine, and what it lacks to train a network
//	network.go    what is trained, whatever the size of a batch
//	step.go       the step for one size of batches: losses, and gradients by Gorgonia; rows.go  what a batch's rows weigh in them
//	builder.go    an ONNX graph's nodes as Gorgonia's; operators.go  the table of operators that it can build
//	rule_*.go     how each is built: curve, matrix, norm, pointwise, pool, shape; broadcast.go  the axes that one operand repeats
//	op.go         operators that Gorgonia lacks, most of them linear maps with their transposes:
//	              layout.go, window.go, product.go, spread_product.go
//	program.go    running a graph of Gorgonia's
//
// Every operator is tested against ONNX Runtime and onnx/gradient (cases_test.go lists them), the engine as a whole by package
// trainer's tests.
package gorgonia
