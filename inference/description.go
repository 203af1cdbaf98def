package inference

import (
	"context"
	"errors"
	"fmt"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/ort"
)

// descriptionBytes bounds the descriptions that are kept: 8,000 of 2048 channels.
const descriptionBytes = 64 << 20

// describedImage names an image's description: by extractor and preprocessing, and by the picture.
type describedImage struct{ extractor, preprocessing, image string }

// Describe implements annotator.Describer: g(x) [C, h, w] averaged over the cells, [C]. It is computed once for an image; errors are those of
// Score.
func (s *LiveScorer) Describe(ctx context.Context, version annotator.Version, image annotator.Image) ([]float32, error) {
	description, err := s.describe(ctx, version, image)
	if errors.Is(err, ort.ErrClosed) && !s.networks.isClosed() { // evicted between being found and being run
		description, err = s.describe(ctx, version, image)
	}
	if err != nil {
		return nil, fmt.Errorf("describing image %s by model %.12s: %w", image.Name, version.ModelHash, domainError(err))
	}
	return description, nil
}

func (s *LiveScorer) describe(ctx context.Context, version annotator.Version, image annotator.Image) ([]float32, error) {
	network, err := s.network(ctx, version)
	if err != nil {
		return nil, err
	}
	key := describedImage{version.ExtractorHash, network.preprocessing, image.Hash}
	if kept, ok := s.descriptions.Get(key); ok {
		return kept, nil
	}
	values, err := s.featuresOf(ctx, network, version, image)
	if err != nil {
		return nil, err
	}
	out := make([]float32, network.sizes.Channels)
	cells := len(values) / len(out)
	for c := range out {
		var sum float32
		for _, v := range values[c*cells:][:cells] {
			sum += v
		}
		out[c] = sum / float32(cells)
	}
	s.descriptions.Put(key, out)
	return out, nil
}
