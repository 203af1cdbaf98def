package trainer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// runningModel runs a file that has no manifest on the pixels that it is given.
func runningModel(t *testing.T, file []byte) (*network.Network, *inference.Network) {
	t.Helper()
	opened, err := network.Read(t.Context(), file, manifest.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	parts := opened.ABN().Parts
	m := manifest.Manifest{Crop: [2]int{parts.ImageHeight, parts.ImageWidth}, Interpolation: "bilinear", Channels: "RGB", Mean: []float32{0, 0, 0}, Std: []float32{1, 1, 1}}
	for class := range parts.Classes {
		m.Classes = append(m.Classes, fmt.Sprint(class))
	}
	if opened, err = network.Read(t.Context(), file, m); err != nil {
		t.Fatal(err)
	}
	running, err := inference.NewNetwork(opened, inference.NetworkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { running.Close() })
	return opened, running
}

// forecastSpec makes all images of a round's spec edited ones, with some cells of each map marked.
func forecastSpec(t *testing.T, spec RoundSpec) (ForecastSpec, *inference.Network) {
	t.Helper()
	opened, running := runningModel(t, spec.Model)
	sizes := running.Sizes()
	store, err := features.Open(filepath.Join(t.TempDir(), "features"), features.Options{Precision: features.Float32})
	if err != nil {
		t.Fatal(err)
	}
	dims := [3]int{sizes.Channels, sizes.GridHeight, sizes.GridWidth}
	view := store.View(features.Origin{Extractor: opened.ExtractorHash()}, dims)
	t.Cleanup(view.Close)
	edited := slices.Clone(spec.Train)
	for i := range edited {
		m := attention.New(sizes.GridHeight, sizes.GridWidth)
		marks := []byte(strings.Repeat(".", len(m.Values)))
		for j := range m.Values {
			m.Values[j] = float32((i+3*j)%7) / 6
		}
		marks[i%len(marks)], marks[(i+1)%len(marks)] = '?', 'x'
		if i%2 == 0 {
			m.Marks = attention.Marks(marks)
		}
		edited[i].Edited = m
	}
	meter := progress.NewMeter(nil)
	meter.Plan(ForecastPlan(len(edited))...)
	return ForecastSpec{
		Network: running, Input: [3]int{sizes.ImageChannels, sizes.ImageHeight, sizes.ImageWidth}, Dims: dims, Classes: sizes.Classes,
		Edited: edited, Pixels: spec.Pixels, View: view, Meter: meter,
	}, running
}

// The answers are the network's to each map by itself, one image at a time, with marks in place as the live score has them; they do not
// depend on the order of the images, and those under edited maps are those of a round's arm map_at_test.
func TestForecastIsTheNetworksAnswer(t *testing.T) {
	t.Parallel()
	for _, name := range fixture.ReferenceModels(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			round := referenceSpec(t, name)
			spec, running := forecastSpec(t, round)
			rows, skipped, err := Forecast(t.Context(), spec)
			if err != nil || len(skipped) > 0 || len(rows) != len(spec.Edited) {
				t.Fatalf("%d rows, %v skipped: %v", len(rows), skipped, err)
			}
			ctx := t.Context()
			sizes := running.Sizes()
			byID := map[int64]sample.Sample{}
			dealt := map[string]bool{}
			for _, s := range spec.Edited {
				byID[s.ID] = s
			}
			for _, r := range rows {
				s := byID[r.ImageID]
				pixels := make([]float32, sizes.Image())
				if err := spec.Pixels(ctx, s, pixels); err != nil {
					t.Fatal(err)
				}
				g, err := running.Features(ctx, 1, pixels)
				if err != nil {
					t.Fatal(err)
				}
				values, _, err := running.Attention(ctx, 1, g)
				if err != nil {
					t.Fatal(err)
				}
				own := attention.Map{Height: sizes.GridHeight, Width: sizes.GridWidth, Values: values}
				class := func(m attention.Map) int {
					logits, err := running.Perception(ctx, 1, g, m.Values)
					if err != nil {
						t.Fatal(err)
					}
					return measure.Argmax(logits)
				}
				inPlace := s.Edited.InPlace(own)
				var sum float64
				for _, v := range inPlace.Values {
					sum += float64(v)
				}
				even := attention.New(own.Height, own.Width)
				for i := range even.Values {
					even.Values[i] = float32(sum / float64(len(even.Values)))
				}
				if r.Own.Predicted != class(own) || r.Edited.Predicted != class(inPlace) || r.Flat.Predicted != class(even) {
					t.Errorf("%s: own %d, edited %d, flat %d, want %d, %d, %d", s.Name, r.Own.Predicted, r.Edited.Predicted, r.Flat.Predicted, class(own), class(inPlace), class(even))
				}
				possible := map[int]bool{}
				for _, other := range spec.Edited {
					if other.ID != s.ID {
						possible[class(other.Edited.InPlace(own))] = true
					}
				}
				for draw, a := range r.Shuffled {
					if !possible[a.Predicted] {
						t.Errorf("%s, draw %d: %d is the answer to no other image's map", s.Name, draw, a.Predicted)
					}
				}
				dealt[r.Image] = len(r.Shuffled) == forecastDraws
			}
			for image, all := range dealt {
				if !all {
					t.Errorf("%s has not %d draws", image, forecastDraws)
				}
			}
			backwards := spec
			backwards.Edited = slices.Clone(spec.Edited)
			slices.Reverse(backwards.Edited)
			again, _, err := Forecast(ctx, backwards)
			if diff := cmp.Diff(rows, again); err != nil || diff != "" {
				t.Errorf("in another order: %v\n%s", err, diff)
			}

			round.Train, round.Settings.Arms, round.Settings.Epochs, round.Settings.Flip = spec.Edited, 0, 1, false
			round.Settings.Arms, _ = arms.Parse(string(arms.MapAtTest))
			round.Settings = completed(round.Settings)
			outcome, err := RunRound(ctx, round, Observer{})
			if err != nil {
				t.Fatal(err)
			}
			compared := 0
			for _, r := range outcome.Rows {
				if r.Set != measure.OfEdited || r.Arm != arms.Parent && r.Arm != arms.MapAtTest {
					continue
				}
				at := slices.IndexFunc(rows, func(of forecast.RowInPlace) bool { return of.Image == r.Image })
				want := rows[at].Own
				if r.Arm == arms.MapAtTest {
					want = rows[at].Edited
				}
				if want.Predicted != r.Predicted || want.Top5 != r.Top5 {
					t.Errorf("%s, %s: %d, the round has %d", r.Image, r.Arm, want.Predicted, r.Predicted)
				}
				compared++
			}
			if compared != 2*len(rows) {
				t.Errorf("%d rows compared with a round's", compared)
			}
		})
	}
}

// What cannot be forecast is said: a picture that cannot be read is left out, one edit has no other's map, and a map on another grid is
// refused.
func TestForecastLeavesOut(t *testing.T) {
	t.Parallel()
	spec, _ := forecastSpec(t, referenceSpec(t, fixture.ReferenceModels(t)[0]))
	read, bad := spec.Pixels, spec.Edited[1].Hash
	spec.Pixels = func(ctx context.Context, s sample.Sample, dst []float32) error {
		if s.Hash == bad {
			return errors.New("no picture")
		}
		return read(ctx, s, dst)
	}
	rows, skipped, err := Forecast(t.Context(), spec)
	if err != nil || len(rows) != len(spec.Edited)-1 || len(skipped) != 1 || skipped[0].Sample.Hash != bad {
		t.Errorf("%d rows, %v skipped: %v", len(rows), skipped, err)
	}
	spec.Edited = spec.Edited[:1]
	if rows, _, err = Forecast(t.Context(), spec); err != nil || len(rows) != 1 || len(rows[0].Shuffled) != 0 {
		t.Errorf("one edit: %+v, %v", rows, err)
	}
	spec.Edited = []sample.Sample{spec.Edited[0]}
	spec.Edited[0].Edited = attention.New(3, 3)
	if _, _, err := Forecast(t.Context(), spec); !errors.Is(err, attention.ErrGrid) {
		t.Errorf("a map on another grid: %v", err)
	}
	if _, err := JudgeForecast(nil); err == nil {
		t.Error("a table of no rows")
	}
}
