package trainer

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
)

// The anchor keeps the maps of images without an edit near the parent's:
//
//	L_anchor = α · (1/|A|) Σ_{i∈A} d(M°_i, M_i)    A: the rows of the batch without an edit
//
// M°_i is the parent's map of the image, d the form of L_map, α Settings.Anchor. γ does not scale it, so that the control (γ = 0)
// is anchored as much as the candidate, and candidate − control is still what the edits were worth. The target of an augmented
// row is the parent's map of the image without augmentation, mirrored and cut as an edited map is.

// anchorRows is how many maps takeAnchors computes.
func (r *round) anchorRows() int {
	if r.spec.Settings.Anchor == 0 {
		return 0
	}
	return len(r.train) - len(r.edited)
}

// takeAnchors computes M° of the training images without an edit, with the parent in evaluation mode. These N·h·w numbers stay in
// memory during the round.
func (r *round) takeAnchors(ctx context.Context, parent engine.Engine) error {
	if r.anchorRows() == 0 {
		return nil
	}
	r.anchors = make([]attention.Map, len(r.train))
	var plain []int
	for i, s := range r.train {
		if s.Edited.IsZero() {
			plain = append(plain, i)
		}
	}
	height, width, cells := r.net.grid[0], r.net.grid[1], r.net.cells()
	in := featureInputs{r.features, r.train}
	size := in.Size()
	maps := make([]float32, len(plain)*cells)
	inputs := make([]float32, min(measure.BatchSize, len(plain))*size)
	for start := 0; start < len(plain); start += measure.BatchSize {
		batch := plain[start:min(start+measure.BatchSize, len(plain))]
		for k, i := range batch {
			if err := in.Read(ctx, i, false, 0, inputs[k*size:(k+1)*size]); err != nil {
				return fmt.Errorf("image %s: %w", r.train[i].Name, err)
			}
		}
		out, err := parent.Forward(ctx, len(batch), inputs[:len(batch)*size])
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return fmt.Errorf("the parent's maps: %w", err)
		}
		copy(maps[start*cells:], out.Maps)
		for k, i := range batch {
			at := (start + k) * cells
			r.anchors[i] = attention.Map{Height: height, Width: width, Values: maps[at : at+cells : at+cells]}
		}
		r.meter.Advance(progress.EvaluatingParent, start+len(batch))
	}
	return nil
}
