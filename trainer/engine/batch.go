package engine

import (
	"fmt"
	"slices"
)

// Check refuses a batch that does not fit a network with this input [C, h, w], map [h, w] and number of classes.
func (b Batch) Check(inputDims, mapDims []int64, classes int64) error {
	input, cells := 1, 1
	for _, d := range inputDims {
		input *= int(d)
	}
	for _, d := range mapDims {
		cells *= int(d)
	}
	switch {
	case b.Size < 1:
		return fmt.Errorf("a batch of %d", b.Size)
	case len(b.Inputs) != b.Size*input:
		return fmt.Errorf("%d input values for %d rows of %v", len(b.Inputs), b.Size, inputDims)
	case len(b.Labels) != b.Size:
		return fmt.Errorf("%d labels for %d rows", len(b.Labels), b.Size)
	case len(b.HasEdit) != b.Size:
		return fmt.Errorf("%d edit marks for %d rows", len(b.HasEdit), b.Size)
	case len(b.Edited) != b.Size*cells:
		return fmt.Errorf("%d values of edited maps for %d rows of %v", len(b.Edited), b.Size, mapDims)
	case (b.Known != nil || b.Avoided != nil) && (len(b.Known) != b.Size*cells || len(b.Avoided) != b.Size*cells):
		return fmt.Errorf("%d and %d marks of cells for %d rows of %v", len(b.Known), len(b.Avoided), b.Size, mapDims)
	case b.Weights != nil && len(b.Weights) != b.Size:
		return fmt.Errorf("%d weights for %d rows", len(b.Weights), b.Size)
	case b.Anchored != nil && len(b.Anchored) != b.Size:
		return fmt.Errorf("%d anchor marks for %d rows", len(b.Anchored), b.Size)
	}
	for i, anchored := range b.Anchored {
		if anchored != 0 && b.HasEdit[i] != 0 {
			return fmt.Errorf("row %d is both edited and anchored", i)
		}
	}
	for i, label := range b.Labels {
		if label < 0 || label >= classes {
			return fmt.Errorf("row %d has label %d of %d classes", i, label, classes)
		}
	}
	return nil
}

// Marks returns Known and Avoided, each row's cells being known where the batch has no marks.
func (b Batch) Marks() (known, avoided []float32) {
	if b.Known != nil {
		return b.Known, b.Avoided
	}
	known, avoided = make([]float32, len(b.Edited)), make([]float32, len(b.Edited))
	for i := range known {
		known[i] = 1
	}
	return known, avoided
}

// RowWeights returns Weights, each 1 where the batch has none.
func (b Batch) RowWeights() []float32 {
	if b.Weights != nil {
		return b.Weights
	}
	return slices.Repeat([]float32{1}, b.Size)
}

// Hits counts the rows of logits [N, K] whose largest value, the first of several equal ones, is at the label. labels is [N], not
// empty.
func Hits(logits []float32, labels []int64) int {
	classes, count := len(logits)/len(labels), 0
	for i, label := range labels {
		row := logits[i*classes : (i+1)*classes]
		best := 0
		for k, v := range row {
			if v > row[best] {
				best = k
			}
		}
		if int64(best) == label {
			count++
		}
	}
	return count
}
