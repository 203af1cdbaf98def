// Package ort runs ONNX graphs on ONNX Runtime. It is a thin, safe layer over
// github.com/yalue/onnxruntime_go: it finds the shared library, shares Go slices with the runtime
// without copying them, stops a run when a context ends, and adds to the runtime's errors what was being done.
//
//	locate.go   where the shared library is
//	runtime.go  loading it, once per process, and what it computes on
//	provider.go execution providers: CUDA and others, by name
//	session.go  a graph ready to run
//	tensor.go   a Go slice as the runtime sees it
//
// Everything is safe for concurrent use except that two runs must not write the same tensor.
package ort
