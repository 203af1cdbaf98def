package onnx

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Bounds on what a file may contain. Anybody can send a model, and a few bytes of it can ask for any amount of memory. What the
// bounds allow must be cheap enough to be done many times: an inspection infers shapes about thirty times. Real networks stay far
// below each bound. All bounds on what is read stand here.
const (
	// maxNodes bounds the nodes of a file, those of control flow and functions included. Large transformers have some thousands.
	maxNodes = 1 << 16
	// maxMessages bounds how many nested messages one file may hold. An empty message is two bytes on disk and
	// hundreds in memory, so a small forged file could otherwise ask for gigabytes. Real graphs hold thousands.
	maxMessages = 1 << 18
	// maxFields bounds the fields of all messages of a file together, numbers in lists included: an empty name is two bytes on
	// disk and many more in a list of names. A tensor's values are one field, however large.
	maxFields = 1 << 22
	// maxDepth bounds how deep graphs may stand in attributes of one another.
	maxDepth = 16
	// maxName bounds the bytes of a name: errors and pages repeat it.
	maxName = 1 << 10
	// maxRank bounds the axes of a value. ONNX Runtime's kernels stop below it.
	maxRank = 16
	// maxFileBytes is the largest file that the format allows, with its tensors decoded.
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
	// maxOutputs bounds the outputs of a graph, since the graph is followed back from each.
	maxOutputs = 1 << 8
	// maxOps bounds the operators that a report counts one by one; ONNX has two hundred.
	maxOps = 250
	// maxListed bounds what a message or a report lists one by one.
	maxListed = 50
)

// MaxElements bounds the elements of a value for one row of a batch, the size of an axis, and each number of a window (kernel,
// stride, dilation, padding, groups): as many float32 as a file of the format can hold. The product of two such numbers fits an int64.
const MaxElements = 1 << 29

// ErrLimit says that a graph goes beyond one of the bounds in limits.go.
var ErrLimit = errors.New("too much")

// Product multiplies sizes; ok is false where one is negative or the product is beyond MaxElements. For the bound a size of 0
// counts as 1, so that the product without that axis is within the bound as well.
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

// bounded refuses a shape with a negative size, too many axes or more than MaxElements elements.
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

// Enumerate joins a list for a message, at most maxListed of it: a message must not grow with the file.
func Enumerate(list []string, separator string) string {
	if more := len(list) - maxListed; more > 0 {
		return strings.Join(list[:maxListed], separator) + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, separator)
}
