// Package fault has the points at which a test stops a process and kills it: where something is half done. Outside of tests nobody parks
// there, and a point costs one comparison.
package fault

// Point is a place where half of something is done.
type Point string

// The points. Each stands in one function that everything of its kind goes through; which of them it is a test tells by the callers.
const (
	BeforeCommit Point = "before-commit" // of a transaction of package postgres: all of it is written, none of it holds
	AfterCommit  Point = "after-commit"  // it holds, and whoever asked for it has not been told
	BlobStored   Point = "blob-stored"   // a file is in the blob store, and no row refers to it
	HalfWritten  Point = "half-written"  // of a file that package durable writes, a part is on the disk, without the file's name
)

var park func(Point)

// Park makes every point call f, in place of going on at once. It is for the tests' own processes, before they begin to work.
func Park(f func(Point)) { park = f }

// At is a point.
func At(p Point) {
	if park != nil {
		park(p)
	}
}
