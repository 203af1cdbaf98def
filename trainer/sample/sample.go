package sample

import (
	"context"
	"fmt"
	"hash"

	"github.com/abn-studio/studio/internal/attention"
)

// Sample is one image of a run, with its label and its maps.
type Sample struct {
	ID    int64  // the caller's; outcomes name images by it
	Name  string // for messages
	Hash  string // SHA-256 of the image file, lower-case hex: keys the feature store
	Label int    // class index, 0 … K−1
	Group string // subgroup for worst-group accuracy; "" if unknown
	// Cluster is the same for images that belong together (of one patient, object or video): intervals draw them together. "" for none.
	Cluster string
	Edited  attention.Map // M′, a person's approved map on the model's grid; zero if there is none
	Mask    attention.Map // the object's mask averaged to the model's grid; zero if unknown
}

// Check refuses samples that cannot be trained on: labels outside 0 … classes−1, a missing hash, and maps or masks that are not
// on the grid of height × width (attention.ErrGrid, ErrValue). The error names the image.
func Check(samples []Sample, classes, height, width int) error {
	for _, s := range samples {
		if s.Label < 0 || s.Label >= classes {
			return fmt.Errorf("image %s: label %d, but the model has the classes 0 to %d", s.Name, s.Label, classes-1)
		}
		if s.Hash == "" {
			return fmt.Errorf("image %s: no hash", s.Name)
		}
		if !s.Edited.IsZero() {
			if err := s.Edited.ValidateOn(height, width); err != nil {
				return fmt.Errorf("edited map of image %s: %w", s.Name, err)
			}
		}
		if !s.Mask.IsZero() {
			if err := s.Mask.ValidateOn(height, width); err != nil {
				return fmt.Errorf("mask of image %s: %w", s.Name, err)
			}
		}
	}
	return nil
}

// Write writes everything of samples that a training depends on to h, so that a run can be identified by the hash.
func Write(h hash.Hash, samples []Sample) {
	for _, s := range samples {
		fmt.Fprintf(h, "%d %s %d %d %d\n", s.ID, s.Hash, s.Label, s.Edited.Height, s.Edited.Width)
		h.Write(s.Edited.Bytes())
		h.Write([]byte(s.Edited.Marks))
	}
}

// Inputs gives the inputs of a run's samples.
type Inputs interface {
	// Size is the length of one input: C·h·w, or 3·H·W.
	Size() int
	// Read writes the input of a sample, or of its mirror image, to dst. Augmentation depends on the epoch, so that it differs
	// each time.
	Read(ctx context.Context, sample int, mirrored bool, epoch int, dst []float32) error
}
