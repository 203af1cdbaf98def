package bench

import (
	"context"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
)

// sameLogits is the largest difference allowed between our logits and PyTorch's, of their range: both decode and resize by themselves.
const sameLogits = 1e-2

// openPyTorch starts the same scan in PyTorch, whose answers about the first batch are checked.
func (c Scan) openPyTorch(ctx context.Context, n *network.Network, subject *openedSubject, running *inference.Network, pixels []float32) (*pytorch, error) {
	m := n.Manifest()
	if fit := m.FitOf(); fit == manifest.FitLonger || fit == manifest.FitBoth && len(m.Resize) == 1 || m.ChannelsOf() != manifest.Channels[0] || m.EXIF || m.CropFloor || !m.Antialiased() {
		return &pytorch{version: "the comparison knows pictures that are resized, cropped in the middle and normalised, in RGB"}, nil
	}
	m.Interpolation = m.InterpolationOf()
	spec := pytorchSpec{Job: "scan", Threads: c.Threads, pytorchPictures: &pytorchPictures{Pictures: subject.pictures, Batch: c.Batch, Manifest: m}}
	count := min(c.Batch, len(subject.pictures))
	want, err := running.Forward(ctx, count, pixels[:count*running.Sizes().Image()])
	if err != nil {
		return nil, err
	}
	return openPyTorch(ctx, c.PyTorch, n, spec, nil, func(theirs []float64) error {
		return sameAnswers("logits of the first pictures", want.LogitsPer, theirs, sameLogits)
	})
}
