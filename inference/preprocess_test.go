package inference

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npy"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
)

// fixtures are made with torchvision's Resize(256) and CenterCrop(224).
func torchvision(t testing.TB, change func(*manifest.Manifest)) *Preprocessor {
	t.Helper()
	m := manifest.Manifest{Resize: manifest.Shorter(256), Crop: [2]int{224, 224}, Interpolation: "bilinear", Channels: "RGB"}
	if change != nil {
		change(&m)
	}
	p, err := NewPreprocessor(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pictures(t testing.TB) []string {
	t.Helper()
	arrays, err := filepath.Glob(filepath.Join(fixture.Reference(t), "preprocess", "*.npy"))
	if err != nil || len(arrays) == 0 {
		t.Fatalf("no pictures in %s/preprocess (%v)", fixture.Reference(t), err)
	}
	for i := range arrays {
		arrays[i] = strings.TrimSuffix(arrays[i], ".npy")
	}
	return arrays
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPreprocessAgreesWithTorchvision(t *testing.T) {
	t.Parallel()
	p := torchvision(t, nil)
	for _, path := range pictures(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(path + ".npy")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var want []uint8
			if err := npy.Read(f, &want); err != nil {
				t.Fatal(err)
			}
			view, err := viewOf(t, p, readFile(t, path))
			if err != nil {
				t.Fatal(err)
			}
			if len(view.pix) != len(want) {
				t.Fatalf("%d values, want %d", len(view.pix), len(want))
			}
			var sum, signed, worst float64
			for i, v := range view.pix {
				d := float64(v) - float64(want[i])
				sum += math.Abs(d)
				signed += d
				worst = max(worst, math.Abs(d))
			}
			n := float64(len(want))
			t.Logf("mean |difference| %.4f, mean difference %+.4f, largest %.0f (of 255)", sum/n, signed/n, worst)
			if sum/n > 1 {
				t.Errorf("mean |difference| is %.3f/255, want at most 1", sum/n)
			}
			if math.Abs(signed/n) > 0.3 {
				t.Errorf("mean difference is %+.3f/255, want at most 0.3 either way", signed/n)
			}
		})
	}
}
