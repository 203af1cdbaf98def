package onnx

import (
	"context"
	"fmt"
)

// Whole is m as the studio runs it: in evaluation mode, with an open batch axis and Loops that can be stopped, and with all
// outputs under their own names. m need not be an ABN, but must have one input, a float32 image (N,C,H,W). height and width are
// used if the file leaves its input's open. fixed is the batch size that the file was exported for, 0 if it left that open.
func Whole(ctx context.Context, m *Model, height, width int) (whole *Model, image *ValueInfo, fixed int64, err error) {
	whole = m.Clone()
	if image, err = findImage(whole, PartNames{Size: &[2]int{height, width}}); err != nil {
		return nil, nil, 0, err
	}
	evaluationMode(whole.Graph)
	if fixed, err = openBatch(ctx, whole, image); err != nil {
		return nil, nil, 0, fmt.Errorf("opening the batch axis: %w", err)
	}
	interruptible(whole)
	return whole, image, fixed, nil
}
