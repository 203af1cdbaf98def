package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
)

const goodManifest = `{"resize": 256, "crop": [224, 224], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "classes": ["a", "b"]}`

func TestManifestErrorsNameTheField(t *testing.T) {
	t.Parallel()
	for field, replace := range map[string][2]string{
		"resize":        {"256", "0"},
		"crop":          {"[224, 224]", "[224, -1]"},
		"interpolation": {`"resize"`, `"interpolation": "box", "resize"`},
		"channels":      {`"resize"`, `"channels": "CMYK", "resize"`},
		"mean":          {`"mean": [0.5, 0.5, 0.5]`, `"mean": [0.5]`},
		"std":           {`"std": [0.5, 0.5, 0.5]`, `"std": [0.5, 0, 0.5]`},
		"classes":       {`["a", "b"]`, `[]`},
		"fit":           {`"resize"`, `"fit": "wide", "resize"`},
		"pad":           {`"resize"`, `"pad": [0, 0, 256], "resize"`},
		"classes[0]":    {`["a", "b"]`, `["` + strings.Repeat("a", 9000) + `", "b"]`},
		"head":          {`"resize"`, `"head": "sigmoid", "resize"`},
		"names.size":    {`"resize"`, `"names": {"size": [32, 32]}, "resize"`},
	} {
		_, err := manifest.Parse([]byte(strings.Replace(goodManifest, replace[0], replace[1], 1)))
		var wrong *manifest.Error
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s wrong: got %v", field, err)
		}
	}
	for field, replace := range map[string][2]string{
		"mean": {`"mean": [0.5, 0.5, 0.5]`, `"mean": [123.675, 116.28, 103.53]`}, "std": {`"std": [0.5, 0.5, 0.5]`, `"std": [58.395, 57.12, 57.375]`},
	} {
		_, err := manifest.Parse([]byte(strings.Replace(goodManifest, replace[0], replace[1], 1)))
		var wrong *manifest.Error
		if !errors.As(err, &wrong) || wrong.Field != field || !strings.Contains(wrong.Reason, "divide by 255") {
			t.Errorf("%s of 0 to 255: got %v", field, err)
		}
	}
	for name, text := range map[string]string{"a typo": strings.Replace(goodManifest, "resize", "resise", 1), "no JSON": "resize=3", "two": goodManifest + goodManifest} {
		if _, err := manifest.Parse([]byte(text)); !errors.Is(err, manifest.ErrManifest) {
			t.Errorf("%s: got %v, want ErrManifest", name, err)
		}
	}
}

func TestLoadManifestLooksBesideTheFileThenInIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "net.v2.onnx")
	entries := map[string]string{}
	metadata := func(key string) (string, bool) { text, ok := entries[key]; return text, ok }
	if _, err := manifest.Load(path, metadata); !errors.Is(err, manifest.ErrManifest) || !strings.Contains(err.Error(), "net.v2.json") {
		t.Errorf("without one: %v, want ErrManifest that says where to put it", err)
	}
	entries[manifest.Key] = goodManifest
	inside, err := manifest.Load(path, metadata)
	if err != nil || inside.Resize.String() != "256" || inside.Interpolation != "bilinear" || inside.Channels != "RGB" {
		t.Errorf("in the metadata: %+v, %v", inside, err)
	}
	if err := os.WriteFile(manifest.Path(path), []byte(strings.Replace(goodManifest, "256", "null", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	beside, err := manifest.Load(path, metadata)
	if err != nil || beside.Resize != nil {
		t.Errorf("beside the file: %+v, %v", beside, err)
	}
}

func TestManifestMustFitTheNetwork(t *testing.T) {
	t.Parallel()
	m, err := manifest.Parse([]byte(goodManifest))
	if err != nil {
		t.Fatal(err)
	}
	fits := manifest.Sizes{Channels: 3, Height: 224, Width: 224, Classes: 2}
	if err := m.Fits(fits); err != nil {
		t.Error(err)
	}
	grey := "L"
	if _, err := m.With(manifest.Overrides{Channels: &grey}); err == nil {
		t.Error("three means for one channel passed")
	}
	for field, change := range map[string]func(*manifest.Sizes){
		"crop":     func(p *manifest.Sizes) { p.Width = 192 },
		"channels": func(p *manifest.Sizes) { p.Channels = 1 },
		"classes":  func(p *manifest.Sizes) { p.Classes = 3 },
	} {
		sizes := fits
		change(&sizes)
		var wrong *manifest.Error
		if err := m.Fits(sizes); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// What is kept is read though it would not be taken any more, and as far as it can be.
func TestStoredReadsWhatWasKept(t *testing.T) {
	t.Parallel()
	m, err := manifest.Stored([]byte(`{"crop": [8, 8], "mean": [123.675], "of_old": true}`))
	if err != nil || m.Crop != (manifest.Crop{8, 8}) || len(m.Mean) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	if why := m.CannotAnswer(); !strings.Contains(why, "mean") {
		t.Errorf("a mean of pixels: %q", why)
	}
	m, err = manifest.Stored([]byte(`{"mean": "0.5", "names": {"map": "m"}}`))
	if !errors.Is(err, manifest.ErrManifest) || m.PartNames().Map != "m" {
		t.Errorf("%+v, %v, want the names and an error", m, err)
	}
	for text, want := range map[string]bool{`{"crop": "wide"}`: true, `{`: false, `{"classes": ["\u0000"]}`: false} {
		if manifest.Keepable([]byte(text)) != want {
			t.Errorf("%s can be kept: %v", text, !want)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(goodManifest))
	f.Add([]byte(`{"crop": [1e9, 1], "classes": [null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := manifest.Parse(data)
		if err != nil {
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("parsed, but %v", err)
		}
	})
}

// A manifest's fields count by their very names, and once.
func TestFieldsAreTakenExactly(t *testing.T) {
	t.Parallel()
	const good = `{"resize": 64, "crop": [56, 56], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "classes": ["a", "b"], "names": {"map": "m"}}`
	if m, err := manifest.Parse([]byte(good)); err != nil || m.Names.Map != "m" {
		t.Fatalf("%+v, %v", m, err)
	}
	for change, want := range map[string][2]string{
		`{"Resize": 64,`:                                {"Resize", "resize is"},
		`{"resize": 32, "resize": 64,`:                  {"resize", "stands twice"},
		`{"resise": 64,`:                                {"resise", "those are resize, fit, crop"},
		`{"names": {"Map": "m"}, "exif": 1`:             {"names.Map", "map is"},
		`{"names": {"map": "m", "map": "n"}, "exif": 1`: {"names.map", "stands twice"},
	} {
		_, err := manifest.Parse([]byte(strings.Replace(good, `{"resize": 64,`, strings.TrimSuffix(change, ",")+",", 1)))
		var wrong *manifest.Error
		if !errors.As(err, &wrong) || wrong.Field != want[0] || !strings.Contains(wrong.Reason, want[1]) {
			t.Errorf("%s: %v, want %s: %s", change, err, want[0], want[1])
		}
	}
}
