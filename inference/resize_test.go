package inference

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
)

// Each way of resizing that a manifest can say gives the pixels of PIL or torchvision, to 1/255 in the mean (testdata/resize/make.py).
func TestResizingIsTorchvisions(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("testdata", "resize")
	aliased := new(bool)
	for name, m := range map[string]manifest.Manifest{
		"both-bilinear":            {Resize: manifest.Size{20, 24}, Crop: manifest.Crop{20, 24}},
		"both-bicubic":             {Resize: manifest.Size{20, 24}, Crop: manifest.Crop{20, 24}, Interpolation: "bicubic"},
		"both-lanczos":             {Resize: manifest.Size{20, 24}, Crop: manifest.Crop{20, 24}, Interpolation: "lanczos"},
		"both-nearest":             {Resize: manifest.Size{20, 24}, Crop: manifest.Crop{20, 24}, Interpolation: "nearest"},
		"both-bilinear-aliased":    {Resize: manifest.Size{20, 24}, Crop: manifest.Crop{20, 24}, Antialias: aliased},
		"both-bicubic-aliased":     {Resize: manifest.Size{20, 24}, Crop: manifest.Crop{20, 24}, Antialias: aliased, Interpolation: "bicubic"},
		"larger-bilinear-aliased":  {Resize: manifest.Size{70, 90}, Crop: manifest.Crop{70, 90}, Antialias: aliased},
		"larger-bicubic-aliased":   {Resize: manifest.Size{70, 90}, Crop: manifest.Crop{70, 90}, Antialias: aliased, Interpolation: "bicubic"},
		"ties-nearest":             {Resize: manifest.Size{20, 24}, Crop: manifest.Crop{20, 24}, Interpolation: "nearest"},
		"ties-nearest-aliased":     {Resize: manifest.Size{20, 24}, Crop: manifest.Crop{20, 24}, Interpolation: "nearest", Antialias: aliased},
		"sevenths-nearest":         {Resize: manifest.Size{28, 49}, Crop: manifest.Crop{28, 49}, Interpolation: "nearest"},
		"sevenths-nearest-aliased": {Resize: manifest.Size{28, 49}, Crop: manifest.Crop{28, 49}, Interpolation: "nearest", Antialias: aliased},
		"border-bilinear":          {Resize: manifest.Shorter(27), Fit: manifest.FitLonger, Crop: manifest.Crop{27, 27}, Pad: []int{124, 116, 104}},
		"longer-bilinear-padded":   {Resize: manifest.Shorter(24), Fit: manifest.FitLonger, Crop: manifest.Crop{24, 24}, Pad: []int{124, 116, 104}},
	} {
		of := "picture.png"
		if start, _, _ := strings.Cut(name, "-"); start == "ties" || start == "sevenths" {
			of = "picture-" + start + ".png"
		}
		picture, err := os.ReadFile(filepath.Join(dir, of))
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewPreprocessor(m)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, p.Size())
		if err := p.Pixels(t.Context(), bytes.NewReader(picture), got); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := png.Decode(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		var sum, most float64
		plane := m.Crop[0] * m.Crop[1]
		for y := range m.Crop[0] {
			for x := range m.Crop[1] {
				r, g, b, _ := want.At(x, y).RGBA()
				for c, v := range []uint32{r, g, b} {
					off := math.Abs(255*float64(got[c*plane+y*m.Crop[1]+x]) - float64(v>>8))
					sum, most = sum+off, max(most, off)
				}
			}
		}
		if mean := sum / float64(3*plane); mean > 0.5 || most > 3 {
			t.Errorf("%s is off by %.2f of 255 in the mean, %.0f at most", name, mean, most)
		}
	}
}

// What is seen is where it was: of a squeezed picture all, of a padded one more than there is.
func TestViewOfEachFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		m    manifest.Manifest
		want [4]float64
	}{
		"both":            {manifest.Manifest{Resize: manifest.Size{224, 224}, Crop: manifest.Crop{224, 224}}, [4]float64{0, 0, 400, 300}},
		"both and a crop": {manifest.Manifest{Resize: manifest.Size{256, 256}, Crop: manifest.Crop{128, 128}}, [4]float64{100, 75, 200, 150}},
		"longer":          {manifest.Manifest{Resize: manifest.Shorter(200), Fit: manifest.FitLonger, Crop: manifest.Crop{200, 200}}, [4]float64{0, -50, 400, 400}},
	} {
		p, err := NewPreprocessor(c.m)
		if err != nil {
			t.Fatal(err)
		}
		v := p.View(400, 300, 1)
		if got := [4]float64{v.X, v.Y, v.Width, v.Height}; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
