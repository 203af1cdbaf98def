package study

import (
	"context"
	"fmt"
	"io"

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

// Outcome says what the maps of a round were worth over its baseline in accuracy, by the 95% interval over images.
type Outcome string

// The outcomes.
const (
	Better  Outcome = "better"
	Unclear Outcome = "unclear"
	Worse   Outcome = "worse"
)

// Outcomes are all of them.
var Outcomes = []Outcome{Better, Unclear, Worse}

func outcomeOf(d Interval) Outcome {
	switch {
	case d.Low > 0:
		return Better
	case d.High < 0:
		return Worse
	}
	return Unclear
}

// Record counts rounds by what was forecast and what came of it.
type Record map[forecast.Verdict]map[Outcome]int

func (r Record) add(v forecast.Verdict, o Outcome, n int) {
	if r[v] == nil {
		r[v] = map[Outcome]int{}
	}
	r[v][o] += n
}

// Records adds up those of cells.
func Records(cells []Cell) Record {
	all := Record{}
	for _, c := range cells {
		for v, of := range c.Forecasts {
			for o, n := range of {
				all.add(v, o, n)
			}
		}
	}
	return all
}

// Print writes a record as a table in Markdown; nothing of none.
func (r Record) Print(w io.Writer) {
	if len(r) == 0 {
		return
	}
	fmt.Fprint(w, "| painting was forecast to be | rounds | maps clearly better than the baseline | no clear difference | clearly worse |\n|---|---|---|---|---|\n")
	for _, v := range forecast.Verdicts {
		if of := r[v]; of != nil {
			fmt.Fprintf(w, "| %s to pay | %d | %d | %d | %d |\n", v, of[Better]+of[Unclear]+of[Worse], of[Better], of[Unclear], of[Worse])
		}
	}
}
