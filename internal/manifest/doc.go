// Package manifest says how pixels become a network's input and what its classes are called: the one thing an ONNX file
// does not tell by itself.
//
// # Where things live
//
//	manifest.go  Manifest and PartNames: the fields, and what follows from them
//	read.go      where a manifest stands, and reading it: Parse for what comes from outside, Stored for what was kept
//	check.go     what makes one wrong, by the field's name: by itself, or for a network (Fits)
//	head.go      how logits become an answer, and which networks are refused for it
//	preprocessing.go  the hash of what decides how pixels become input
//	words.go     the words and ranges that fields are chosen from, and what stands for a field that is left out
//	scale.go     whether mean and std are of x/255
//	compose.go   a manifest made of what people have; from_*.go read each kind, object.go their fields
//	names.go     the values of the graph that a person may name
//	override.go  what a command line says over a manifest
//
// It is a leaf. The domain, pages, training and the runtime read manifests with it, and none of them has a struct or checks of
// its own.
package manifest
