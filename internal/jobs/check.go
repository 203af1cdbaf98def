package jobs

import (
	"context"
	"slices"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/measure"
)

var _ annotator.Checking = (*Catalog)(nil)

// CheckMap implements annotator.Checking: the share inside the mask on the map's grid (measure.Inside), beside the mask's share of it, and
// the pointing game on the pixels of the network's input (measure.Pointing). Of a marked map the values count: a cell that its painter does
// not know, or that is to be avoided, is 0.
func (c *Catalog) CheckMap(ctx context.Context, v annotator.Version, image annotator.Image, m attention.Map) (score annotator.CheckScore, ok bool, err error) {
	manifest, err := v.ReadManifest()
	if err != nil {
		return score, false, err
	}
	mask, err := c.Mask(ctx, v, image)
	if err != nil || slices.Max(mask.Values) == 0 {
		return score, false, err
	}
	onPixels := v
	onPixels.GridHeight, onPixels.GridWidth = manifest.Crop[0], manifest.Crop[1]
	pixels, err := c.Mask(ctx, onPixels, image)
	if err != nil {
		return score, false, err
	}
	mean := attention.NewMean(m.Height, m.Width)
	mean.Add(m)
	said := mean.Map()
	score.Inside = said.InsideFraction(mask)
	for _, share := range mask.Values {
		score.Area += float64(share) / float64(len(mask.Values))
	}
	if hit, defined := measure.Pointing(measure.Upsample(said, pixels.Height, pixels.Width), pixels, measure.PointingTolerance); defined {
		score.Pointing = &hit
	}
	return score, true, nil
}
