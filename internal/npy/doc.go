// Package npy reads and writes numpy's arrays as they lie in files: one array (.npy) or a zip of them by name (.npz). The files are
// somebody else's: a shape is checked against a limit before memory is asked for.
//
//	npy.go      a header, one array
//	archive.go  .npz: several arrays by name
package npy
