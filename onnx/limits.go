package onnx

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// What a file may ask for. A model comes from anybody, a few bytes of it can ask for any amount of memory, and whatever these
// bounds allow must be affordable several times over: an inspection infers shapes some thirty times. Real networks stay
// far below each of them. All bounds on what is read have their home here.
const (
	// maxNodes bounds the nodes of a file, those of control flow and functions included. Large transformers have some thousands.
	maxNodes = 1 << 16
	// maxMessages bounds how many nested messages one file may hold. An empty message is two bytes on disk and
	// hundreds in memory, so a small forged file could otherwise ask for gigabytes. Real graphs hold thousands.
	maxMessages = 1 << 18
	// maxFields bounds how many fields all messages of a file may have together, and the numbers in lists: an empty name is two bytes on disk and many
	// more in a list of names. Weights are one field each, however large.
	maxFields = 1 << 22
	// maxDepth bounds how deep graphs may stand in attributes of one another.
	maxDepth = 16
	// maxName bounds the bytes of a name: errors and pages repeat it.
	maxName = 1 << 10
	// maxRank bounds the axes of a value. ONNX Runtime's kernels stop below it.
	maxRank = 16
	// maxFileBytes is what a file of the format can hold, its tensors decoded.
	maxFileBytes = math.MaxInt32
	// trainedRoom is what a trained file takes beside its values: nodes, names, and the manifest and settings in its metadata.
	trainedRoom = 32 << 20
	// maxConstant bounds the elements of one constant that inference computes with; shape arithmetic needs a
	// handful. Initializers are constants whatever their size.
	maxConstant = 1 << 10
	// maxFolded bounds the elements of all constants that one inference computes.
	maxFolded = 1 << 20
	// MaxMade bounds the elements of all constants that differentiating a graph adds to it.
	MaxMade = 1 << 24
	// MaxGradientNodes bounds the nodes that differentiating a graph adds to it.
	MaxGradientNodes = 1 << 16
	// MaxPositions bounds the elements of a kernel that gradients are computed for one by one. The largest that are in use have
	// 51×5; a patch of a vision transformer has 32×32.
	MaxPositions = 1 << 10
	// MaxList bounds what a rule reads of a list of numbers, such as the indices of a Gather.
	MaxList = 1 << 16
	// maxOutputs bounds the outputs of a graph: from each of them the graph is followed back.
	maxOutputs = 1 << 8
	// maxOps bounds the operators that a report counts one by one; ONNX has two hundred.
	maxOps = 250
	// maxListed bounds what a message or a report lists one by one.
	maxListed = 50
)

// MaxElements bounds the elements of a value for one row of a batch, the size of an axis, and each number of a window (kernel,
// stride, dilation, padding, groups): as many float32 as a file of the format can hold. The product of two such numbers fits an int64.
const MaxElements = 1 << 29

// ErrLimit says that a graph asks for more than is computed here, or than any machine could.
var ErrLimit = errors.New("too much")

// Product multiplies sizes; ok is false where one is negative or the product is beyond MaxElements. A size of 0 counts as 1 in
// that bound, so that what is left of a product when an axis goes is within it too.
func Product(sizes ...int64) (product int64, ok bool) {
	product, bound := int64(1), int64(1)
	for _, n := range sizes {
		if n < 0 || n > MaxElements || bound > MaxElements/max(n, 1) {
			return 0, false
		}
		product, bound = product*n, bound*max(n, 1)
	}
	return product, true
}

// bounded reports a shape that is none, or that no machine could hold a value of.
func (s Shape) bounded() error {
	if len(s) > maxRank {
		return fmt.Errorf("%w: %d axes, at most %d are read", ErrLimit, len(s), maxRank)
	}
	known := make([]int64, 0, maxRank)
	for _, d := range s {
		switch {
		case d.Known():
			known = append(known, d.Size)
		case d.Name == "" && d != Unknown():
			return fmt.Errorf("%w: an axis of size %d in %v", ErrShape, d.Size, s)
		}
	}
	if _, ok := Product(known...); !ok {
		return fmt.Errorf("%w: %v has more than %d elements an image", ErrLimit, s, int64(MaxElements))
	}
	return nil
}

// Enumerate joins a list for a message, which must not grow with what somebody sent.
func Enumerate(list []string, separator string) string {
	if more := len(list) - maxListed; more > 0 {
		return strings.Join(list[:maxListed], separator) + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, separator)
}
