package trainer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// How often a forecast deals the maps out anew, and from which seed.
const (
	forecastDraws = 5
	forecastSeed  = 1
)

// Branches is an ABN whose branches can be run apart (inference.Network).
type Branches interface {
	features.Extractor
	// Attention computes M(x) [n, 1, h, w] from features [n, C, h, w].
	Attention(ctx context.Context, n int, features []float32) (maps, logits []float32, err error)
	// Perception computes logits [n, K] from features [n, C, h, w] and maps [n, 1, h, w].
	Perception(ctx context.Context, n int, features, maps []float32) ([]float32, error)
}

// ForecastSpec is everything a forecast needs.
type ForecastSpec struct {
	Network Branches
	Input   [3]int // 3, H, W
	Dims    [3]int // C, h, w, of the features
	Classes int    // K
	Edited  []sample.Sample
	Pixels  PixelReader
	View    *features.View // keeps features; the caller closes it
	Meter   *progress.Meter
}

// ForecastPlan is what Forecast has to do.
func ForecastPlan(edited int) []progress.Plan {
	return []progress.Plan{{Stage: progress.Features, Total: edited, Each: featurePrior}, {Stage: progress.Evaluating, Total: edited, Each: evaluatePrior}}
}

// Forecast answers the edited images with the network's own map, the edited one, those of other images and a flat one in place, without
// any training. The rows are in the order of the images' hashes, and so are the maps before they are dealt out: the same images and maps
// give the same answers, whoever lists them in whichever order. Images that cannot be read are left out.
func Forecast(ctx context.Context, spec ForecastSpec) (rows []forecast.RowInPlace, skipped []Problem, err error) {
	if err := sample.Check(spec.Edited, spec.Classes, spec.Dims[1], spec.Dims[2]); err != nil {
		return nil, nil, err
	}
	edited := slices.SortedStableFunc(slices.Values(spec.Edited), func(a, b sample.Sample) int {
		return cmp.Or(cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.Name, b.Name))
	})
	reader := &sampleFeatures{&features.Reader{View: spec.View, Extractor: spec.Network, Input: spec.Input, Dims: spec.Dims}, spec.Pixels}
	prepared := preparation{meter: spec.Meter, later: len(edited)}
	spec.Meter.Begin(progress.Features, 0)
	if skipped, err = prepared.of(ctx, reader, edited, false); err != nil {
		return nil, nil, err
	}
	edited = slices.DeleteFunc(edited, func(s sample.Sample) bool {
		return slices.ContainsFunc(skipped, func(p Problem) bool { return p.Sample.ID == s.ID })
	})
	f := forecasting{ForecastSpec: spec, features: reader, edited: edited}
	for draw := range forecastDraws {
		if dealt, _, why := shuffledMaps(edited, arms.ShuffledAcross, int64(forecastSeed+draw)); why == "" {
			f.dealt = append(f.dealt, dealt)
		}
	}
	spec.Meter.Expect(progress.Evaluating, len(edited), 0)
	for start := 0; start < len(edited); start += measure.BatchSize {
		if err := f.batch(ctx, start, min(start+measure.BatchSize, len(edited))); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return nil, nil, err
		}
		spec.Meter.Advance(progress.Evaluating, len(f.rows))
	}
	return f.rows, skipped, nil
}

// forecasting is a forecast under way.
type forecasting struct {
	ForecastSpec
	features *sampleFeatures
	edited   []sample.Sample
	dealt    [][]sample.Sample // of each draw the samples with other images' maps
	rows     []forecast.RowInPlace
}

// batch answers the images from start to end.
func (f *forecasting) batch(ctx context.Context, start, end int) error {
	size, n := f.features.Size(), end-start
	inputs := make([]float32, n*size)
	for i, s := range f.edited[start:end] {
		if err := f.features.Read(ctx, s, false, inputs[i*size:(i+1)*size]); err != nil {
			return fmt.Errorf("image %s: %w", s.Name, err)
		}
	}
	own, _, err := f.Network.Attention(ctx, n, inputs)
	if err != nil {
		return fmt.Errorf("attention branch: %w", err)
	}
	h, w := f.Dims[1], f.Dims[2]
	mapOf := func(i int) attention.Map {
		return attention.Map{Height: h, Width: w, Values: own[i*h*w : (i+1)*h*w]}
	}
	answers := func(in func(i int) attention.Map) ([]forecast.AnswerInPlace, error) {
		maps := make([]float32, 0, n*h*w)
		for i := range n {
			maps = append(maps, in(i).Values...)
		}
		logits, err := f.Network.Perception(ctx, n, inputs, maps)
		if err != nil {
			return nil, fmt.Errorf("perception branch: %w", err)
		}
		out := make([]forecast.AnswerInPlace, n)
		for i, s := range f.edited[start:end] {
			r := measure.Result{}.WithScores(s, logits[i*f.Classes:(i+1)*f.Classes])
			out[i] = forecast.AnswerInPlace{Predicted: r.Predicted, Confidence: r.Confidence, Top5: r.Top5}
		}
		return out, nil
	}
	edited := func(i int) attention.Map { return f.edited[start+i].Edited.InPlace(mapOf(i)) }
	byOwn, err := answers(mapOf)
	if err != nil {
		return err
	}
	byEdited, err := answers(edited)
	if err != nil {
		return err
	}
	byFlat, err := answers(func(i int) attention.Map { return flat(edited(i)) })
	if err != nil {
		return err
	}
	var byDraw [][]forecast.AnswerInPlace
	for _, dealt := range f.dealt {
		drawn, err := answers(func(i int) attention.Map { return dealt[start+i].Edited.InPlace(mapOf(i)) })
		if err != nil {
			return err
		}
		byDraw = append(byDraw, drawn)
	}
	for i, s := range f.edited[start:end] {
		row := forecast.RowInPlace{ImageID: s.ID, Image: s.Name, Label: s.Label, Own: byOwn[i], Edited: byEdited[i], Flat: byFlat[i], Shuffled: []forecast.AnswerInPlace{}}
		for _, drawn := range byDraw {
			row.Shuffled = append(row.Shuffled, drawn[i])
		}
		f.rows = append(f.rows, row)
	}
	return nil
}

// flat is a map that has a map's mean in every cell.
func flat(m attention.Map) attention.Map {
	out := attention.New(m.Height, m.Width)
	var sum float64
	for _, v := range m.Values {
		sum += float64(v)
	}
	for i := range out.Values {
		out.Values[i] = float32(sum / float64(len(m.Values)))
	}
	return out
}

// JudgeForecast makes the table of a forecast's rows.
func JudgeForecast(rows []forecast.RowInPlace) (forecast.MapsInPlace, error) {
	if len(rows) == 0 {
		return forecast.MapsInPlace{}, errors.New("no image with an edited map can be read")
	}
	return forecast.TableOf(rows, measure.PairedMeans), nil
}
