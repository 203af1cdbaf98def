package study

import (
	"context"

	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/sample"
)

// Forecasted is what a project would have been told before a round (package forecast).
type Forecasted struct {
	Verdict      forecast.Verdict      `json:"verdict"`
	Wrong        int                   `json:"wrong"`         // of the edited images the parent gets wrong
	Edited       float64               `json:"edited"`        // of those become right with the edited map in place, [0,1]
	Shuffled     float64               `json:"shuffled"`      // with another image's, a mean over draws
	Flat         float64               `json:"flat"`          // with a flat map
	OverShuffled forecast.GainInterval `json:"over_shuffled"` // Edited less Shuffled
}

// forecast is what the parent's answers say of the edited images before any training.
func (s *subject) forecast(ctx context.Context, edited []sample.Sample) (*Forecasted, error) {
	sizes := s.running.Sizes()
	dims := [3]int{sizes.Channels, sizes.GridHeight, sizes.GridWidth}
	view := s.store.View(features.Origin{Extractor: s.opened.ExtractorHash(), Preprocessing: s.manifest.PreprocessingHash()}, dims)
	defer view.Close()
	rows, _, err := trainer.Forecast(ctx, trainer.ForecastSpec{
		Network: s.running, Input: [3]int{sizes.ImageChannels, sizes.ImageHeight, sizes.ImageWidth}, Dims: dims, Classes: sizes.Classes,
		Edited: edited, Pixels: s.images.Pixels, View: view, Meter: progress.NewMeter(nil),
	})
	if err != nil {
		return nil, err
	}
	t, err := trainer.JudgeForecast(rows)
	if err != nil {
		return nil, err
	}
	return &Forecasted{
		Verdict: t.Verdict, Wrong: t.Wrong.Images, OverShuffled: t.OverShuffled,
		Edited: t.Wrong.Of(forecast.Edited).Share, Shuffled: t.Wrong.Of(forecast.Shuffled).Share, Flat: t.Wrong.Of(forecast.Flat).Share,
	}, nil
}
