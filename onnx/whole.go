package onnx

import (
	"context"
	"fmt"
)

// Whole is m as the studio runs it, with all of its outputs under their own names: in evaluation mode, its batch axis open, every Loop one
// that can be stopped. fixed is the batch size that the file was exported for, 0 where it leaves that open. Height and width are
// those of its input, for a file that leaves them open. It asks for one float32 image of shape (N,C,H,W), and for nothing else: the
// network need be no ABN.
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
