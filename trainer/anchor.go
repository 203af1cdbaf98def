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

// anchors are M° of the training images without an edit.
type anchors struct {
	maps  *keptMaps
	place []int32 // of each training image in maps
}

// at is M° of a training image that has no edit.
func (a *anchors) at(sample int) (attention.Map, error) { return a.maps.at(int(a.place[sample])) }

// takeAnchors computes M° of the training images without an edit, with the parent in evaluation mode, into a file of the round's folder.
func (r *round) takeAnchors(ctx context.Context, parent engine.Engine) error {
	if r.anchorRows() == 0 {
		return nil
	}
	height, width, cells := r.net.grid[0], r.net.grid[1], r.net.cells()
	maps, err := newKeptMaps(r.spec.WorkDir, height, width)
	if err != nil {
		return err
	}
	r.kept = append(r.kept, maps)
	r.anchors = &anchors{maps: maps, place: make([]int32, len(r.train))}
	plain := make([]int32, 0, r.anchorRows())
	for i, s := range r.train {
		if s.Edited.IsZero() {
			r.anchors.place[i] = int32(len(plain))
			plain = append(plain, int32(i))
		}
	}
	in := featureInputs{r.features, r.train}
	size := in.Size()
	inputs := make([]float32, min(measure.BatchSize, len(plain))*size)
	for start := 0; start < len(plain); start += measure.BatchSize {
		batch := plain[start:min(start+measure.BatchSize, len(plain))]
		for k, i := range batch {
			if err := in.Read(ctx, int(i), false, 0, inputs[k*size:(k+1)*size]); err != nil {
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
		if err := maps.add(out.Maps[:len(batch)*cells]); err != nil {
			return err
		}
		r.meter.Advance(progress.EvaluatingParent, start+len(batch))
	}
	return nil
}
