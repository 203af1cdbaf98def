package trainer

import "fmt"

// check compares a batch with a network whose input is [C, h, w] and whose map is [h, w].
func (b Batch) check(inputDims, mapDims []int64, shape lossShape) error {
	input := 1
	for _, d := range inputDims {
		input *= int(d)
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
	case len(b.Edited) != b.Size*int(shape.cells):
		return fmt.Errorf("%d values of edited maps for %d rows of %v", len(b.Edited), b.Size, mapDims)
	case b.Anchored != nil && len(b.Anchored) != b.Size:
		return fmt.Errorf("%d anchor marks for %d rows", len(b.Anchored), b.Size)
	}
	for i, anchored := range b.Anchored {
		if anchored != 0 && b.HasEdit[i] != 0 {
			return fmt.Errorf("row %d is both edited and anchored", i)
		}
	}
	for i, label := range b.Labels {
		if label < 0 || label >= shape.classes {
			return fmt.Errorf("row %d has label %d of %d classes", i, label, shape.classes)
		}
	}
	return nil
}
