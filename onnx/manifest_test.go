package onnx_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

const goodManifest = `{"resize": 256, "crop": [224, 224], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "classes": ["a", "b"]}`

func TestManifestErrorsNameTheField(t *testing.T) {
	t.Parallel()
	for field, replace := range map[string][2]string{
		"resize":        {"256", "0"},
		"crop":          {"[224, 224]", "[224, -1]"},
		"interpolation": {`"resize"`, `"interpolation": "lanczos", "resize"`},
		"channels":      {`"resize"`, `"channels": "CMYK", "resize"`},
		"mean":          {`"mean": [0.5, 0.5, 0.5]`, `"mean": [0.5]`},
		"std":           {`"std": [0.5, 0.5, 0.5]`, `"std": [0.5, 0, 0.5]`},
		"classes":       {`["a", "b"]`, `[]`},
		"classes[1]":    {`["a", "b"]`, `["a", "a"]`},
		"classes[0]":    {`["a", "b"]`, `["` + strings.Repeat("a", 9000) + `", "b"]`},
		"names.size":    {`"resize"`, `"names": {"size": [32, 32]}, "resize"`},
	} {
		_, err := onnx.ParseManifest([]byte(strings.Replace(goodManifest, replace[0], replace[1], 1)))
		var wrong *onnx.ManifestError
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s wrong: got %v", field, err)
		}
	}
	for field, replace := range map[string][2]string{
		"mean": {`"mean": [0.5, 0.5, 0.5]`, `"mean": [123.675, 116.28, 103.53]`}, "std": {`"std": [0.5, 0.5, 0.5]`, `"std": [58.395, 57.12, 57.375]`},
	} {
		_, err := onnx.ParseManifest([]byte(strings.Replace(goodManifest, replace[0], replace[1], 1)))
		var wrong *onnx.ManifestError
		if !errors.As(err, &wrong) || wrong.Field != field || !strings.Contains(wrong.Reason, "divide by 255") {
			t.Errorf("%s of 0 to 255: got %v", field, err)
		}
	}
	for name, text := range map[string]string{"a typo": strings.Replace(goodManifest, "resize", "resise", 1), "no JSON": "resize=3", "two": goodManifest + goodManifest} {
		if _, err := onnx.ParseManifest([]byte(text)); !errors.Is(err, onnx.ErrManifest) {
			t.Errorf("%s: got %v, want ErrManifest", name, err)
		}
	}
}

func TestLoadManifestLooksBesideTheFileThenInIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "net.v2.onnx")
	m := &onnx.Model{}
	if _, err := onnx.LoadManifest(path, m); !errors.Is(err, onnx.ErrManifest) || !strings.Contains(err.Error(), "net.v2.json") {
		t.Errorf("without one: %v, want ErrManifest that says where to put it", err)
	}
	m.SetMetadata(onnx.ManifestKey, goodManifest)
	inside, err := onnx.LoadManifest(path, m)
	if err != nil || *inside.Resize != 256 || inside.Interpolation != "bilinear" || inside.Channels != "RGB" {
		t.Errorf("in the metadata: %+v, %v", inside, err)
	}
	if err := os.WriteFile(onnx.ManifestPath(path), []byte(strings.Replace(goodManifest, "256", "null", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	beside, err := onnx.LoadManifest(path, m)
	if err != nil || beside.Resize != nil {
		t.Errorf("beside the file: %+v, %v", beside, err)
	}
}

func TestManifestMustFitTheNetwork(t *testing.T) {
	t.Parallel()
	m, err := onnx.ParseManifest([]byte(goodManifest))
	if err != nil {
		t.Fatal(err)
	}
	fits := onnx.Parts{ImageChannels: 3, ImageHeight: 224, ImageWidth: 224, Classes: 2}
	if err := m.ValidateFor(&fits); err != nil {
		t.Error(err)
	}
	grey := "L"
	if _, err := m.With(onnx.ManifestOverrides{Channels: &grey}); err == nil {
		t.Error("three means for one channel passed")
	}
	for field, change := range map[string]func(*onnx.Parts){
		"crop":     func(p *onnx.Parts) { p.ImageWidth = 192 },
		"channels": func(p *onnx.Parts) { p.ImageChannels = 1 },
		"classes":  func(p *onnx.Parts) { p.Classes = 3 },
	} {
		parts := fits
		change(&parts)
		var wrong *onnx.ManifestError
		if err := m.ValidateFor(&parts); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestManifestsOfTheRealModelsFit(t *testing.T) {
	t.Parallel()
	for _, path := range fixture.RealABNs() {
		m := mustRead(t, path)
		manifest, err := onnx.LoadManifest(path, m)
		if err != nil {
			t.Fatal(err)
		}
		if err := manifest.ValidateFor(&takeApart(t, m).Parts); err != nil {
			t.Error(err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(goodManifest))
	f.Add([]byte(`{"crop": [1e9, 1], "classes": [null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := onnx.ParseManifest(data)
		if err != nil {
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("parsed, but %v", err)
		}
	})
}
