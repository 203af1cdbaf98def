package templates

import (
	"context"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Segmenter is the view model of the page of the studio's segmenter.
type Segmenter struct {
	Now      *annotator.Segmenter // nil: there is none
	MaxBytes int64
	Problem  string
	Field    string // of what was sent that the problem is about: "encoder", "decoder", "data", "pixels"
}

// pixelWays are the ways in which encoders take pixels, as people choose them.
var pixelWays = []struct {
	way   annotator.SegmenterPixels
	words string
}{
	{"", words.Key("as its graph tells")},
	{annotator.PixelsNormalised, words.Key("normalised with SAM’s mean and deviation")},
	{annotator.PixelsBytes, words.Key("0 to 255")},
	{annotator.PixelsUnit, words.Key("0 to 1")},
}

func pixelWords(ctx context.Context, way annotator.SegmenterPixels) string {
	for _, w := range pixelWays {
		if w.way == way {
			return words.Say(ctx, w.words)
		}
	}
	return string(way)
}
