package trainer

import (
	"context"
	"fmt"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// What keeping features as float16 does to the answers on real photographs: nothing that matters.
// STUDIO_ALL_IMAGES=1 takes all of them rather than every twentieth; docs/training.md has the figures.
func TestFloat16FeaturesKeepTheAnswers(t *testing.T) {
	t.Parallel()
	model := filepath.Join(fixture.Models(t), "abn-mobilenetv2-cub60.onnx")
	paths, err := filepath.Glob(filepath.Join(fixture.Data(t), "cub200-2010-60", "images", "*", "*.jpg"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no photographs: %v", err)
	}
	every := 20
	if os.Getenv("STUDIO_ALL_IMAGES") != "" {
		every = 1
	}
	file, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	net, err := openNetwork(t.Context(), nil, file, manifest.Manifest{}, recipe.Settings{}, nil, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer net.close()
	var samples []sample.Sample
	files := map[string]string{}
	for i := 0; i < len(paths); i += every {
		hash := fmt.Sprintf("%064x", i)
		files[hash] = paths[i]
		samples = append(samples, sample.Sample{ID: int64(i), Name: filepath.Base(paths[i]), Hash: hash})
	}
	engine, err := net.newEngine(t.Context(), recipe.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	results := map[features.Precision][]measure.Result{}
	maps := map[features.Precision][]float32{}
	for _, precision := range []features.Precision{features.Float32, features.Float16} {
		store, err := features.Open(t.TempDir(), features.Options{Precision: precision})
		if err != nil {
			t.Fatal(err)
		}
		f := &sampleFeatures{
			&features.Reader{View: store.View(features.Origin{Extractor: net.extractorHash}, net.features), Extractor: net.extractor, Input: net.input, Dims: net.features},
			func(_ context.Context, s sample.Sample, dst []float32) error {
				return decodeTestImage(files[s.Hash], dst)
			},
		}
		if _, err := f.Prepare(t.Context(), samples, false, func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		recorder := &mapRecorder{Forwarder: engine}
		e, err := measure.Evaluate(t.Context(), recorder, featureInputs{f, samples}, samples, net.classes, net.grid[0], net.grid[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		results[precision], maps[precision] = e.Results, recorder.maps
		t.Logf("float%d: %d bytes an image", precision, store.Stats().Bytes/int64(len(samples)))
	}
	flips, confidence, cell := 0, 0.0, 0.0
	for i, r := range results[features.Float16] {
		want := results[features.Float32][i]
		if r.Predicted != want.Predicted {
			flips++
		}
		confidence = max(confidence, math.Abs(r.Confidence-want.Confidence))
	}
	for i, v := range maps[features.Float16] {
		cell = max(cell, math.Abs(float64(v-maps[features.Float32][i])))
	}
	t.Logf("%d images: %d answers differ, confidence by at most %.5f, a map's cell by at most %.5f", len(samples), flips, confidence, cell)
	if flips*500 > len(samples) || confidence > 0.01 || cell > 0.005 {
		t.Errorf("float16 changes %d of %d answers, confidence by %.4f, cells by %.4f", flips, len(samples), confidence, cell)
	}
}

// mapRecorder keeps the maps that pass through it.
type mapRecorder struct {
	measure.Forwarder
	maps []float32
}

func (m *mapRecorder) Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	out, err := m.Forwarder.Forward(ctx, n, inputs)
	m.maps = append(m.maps, out.Maps...)
	return out, err
}

// decodeTestImage reads a photograph of 224×224 pixels as x/127.5 − 1, [3, 224, 224].
func decodeTestImage(path string, dst []float32) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err != nil {
		return err
	}
	for y := range 224 {
		for x := range 224 {
			r, g, b, _ := img.At(x, y).RGBA()
			for c, v := range []uint32{r, g, b} {
				dst[c*224*224+y*224+x] = float32(v>>8)/127.5 - 1
			}
		}
	}
	return nil
}
