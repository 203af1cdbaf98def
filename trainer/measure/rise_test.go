package measure_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/sbinet/npyio/npz"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/measure"
)

// TestCurvesAgreeWithRISE computes deletion and insertion of a reference network, whose attention branch looks anew at each changed picture,
// and compares every score and both areas with what RISE's own code says (testdata/rise.py).
func TestCurvesAgreeWithRISE(t *testing.T) {
	t.Parallel()
	if err := ort.Init(os.Getenv("STUDIO_ORT_LIB")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/rise.json")
	if err != nil {
		t.Fatal(err)
	}
	type curve struct {
		AUC    float64
		Scores []float64
	}
	var want struct {
		Cases []struct {
			Network             string
			Picture             int
			Strength            float32
			Deletion, Insertion curve
			Kernel              []float64
		}
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for _, c := range want.Cases {
		run, pictures := reference(t, c.Network)
		s := run.Sizes()
		picture := pictures[c.Picture*s.Image():][:s.Image()]
		for i := range picture {
			picture[i] *= c.Strength
		}
		out, err := run.Forward(t.Context(), 1, picture)
		if err != nil {
			t.Fatal(err)
		}
		class := measure.Argmax(out.LogitsPer)
		order := measure.Order(measure.Upsample(attention.Map{Height: s.GridHeight, Width: s.GridWidth, Values: out.Maps}, s.ImageHeight, s.ImageWidth))
		prober := func(ctx context.Context, n int, pixels []float32) ([]float32, error) {
			out, err := run.Forward(ctx, n, pixels)
			run.Probabilities(out.LogitsPer)
			return out.LogitsPer, err
		}
		for name, way := range map[string]struct {
			start, finish []float32
			want          curve
		}{
			"deletion":  {picture, make([]float32, s.Image()), c.Deletion},
			"insertion": {measure.Blur(picture, s.ImageHeight, s.ImageWidth), picture, c.Insertion},
		} {
			curves, err := measure.Replacing(t.Context(), prober, way.start, way.finish, order, s.ImageWidth, []int{class})
			if err != nil {
				t.Fatal(err)
			}
			scores := curves[0]
			if len(scores) != len(way.want.Scores) {
				t.Fatalf("%s: %d scores, RISE has %d", name, len(scores), len(way.want.Scores))
			}
			for i, v := range scores {
				if math.Abs(v-way.want.Scores[i]) > 1e-2 { // pixels whose interpolated values are equal but for rounding may take each other's place
					t.Fatalf("%s of picture %d: score %d is %v, RISE's %v", name, c.Picture, i, v, way.want.Scores[i])
				}
			}
			if got := measure.AUC(scores); math.Abs(got-way.want.AUC) > 2e-4 {
				t.Errorf("%s of picture %d: area %v, RISE's %v", name, c.Picture, got, way.want.AUC)
			}
		}
		// The blur of a single 1 is the kernel; a sum over one axis of it is the other axis.
		dot := make([]float32, 21*21)
		dot[10*21+10] = 1
		blurred := measure.Blur(dot, 21, 21)
		for y, want := range c.Kernel {
			var sum float64
			for x := range 21 {
				sum += float64(blurred[(5+y)*21+x])
			}
			if math.Abs(sum-want) > 1e-6 {
				t.Errorf("row %d of the blur's kernel sums to %v, RISE's to %v", y, sum, want)
			}
		}
	}
}

// reference opens a reference network, with its pictures.
func reference(t *testing.T, name string) (*inference.Network, []float32) {
	t.Helper()
	model, err := onnx.ReadFile(t.Context(), filepath.Join(fixture.Reference(t), name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	shape := model.Graph.Feeds()[0].Shape
	opened, err := network.Open(t.Context(), model, manifest.Manifest{Crop: [2]int{int(shape[2].Size), int(shape[3].Size)}, Channels: "RGB"})
	if err != nil {
		t.Fatal(err)
	}
	run, err := inference.NewNetwork(opened, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Close() })
	archive, err := npz.Open(filepath.Join(fixture.Reference(t), name+".npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var pictures []float32
	if err := archive.Read("image.npy", &pictures); err != nil {
		t.Fatal(err)
	}
	return run, pictures
}
