package inference

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// openReal opens a model of fixture.Models.
func openReal(t testing.TB, name string, o ort.Options) *Network {
	t.Helper()
	path := filepath.Join(fixture.Models(t), name)
	model, err := onnx.ReadFile(t.Context(), path+".onnx")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest manifest.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	n, err := openNetwork(t.Context(), model, manifest, NetworkOptions{Session: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// photographs are the pictures of an image folder; an image's ID is its class's place in the manifest.
func photographs(t testing.TB, dir string, classes []string) []ScanImage {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(paths) == 0 {
		t.Skipf("no pictures in %s", dir)
	}
	var out []ScanImage
	for _, path := range paths {
		out = append(out, ScanImage{
			ID: int64(slices.Index(classes, filepath.Base(filepath.Dir(path)))), Name: filepath.Base(path), Hash: path,
			Open: func(context.Context) (io.ReadSeekCloser, error) { return os.Open(path) },
		})
	}
	return out
}

// TestAccuracyOnPhotographs compares with what PyTorch measured on the same files (RESULTS.md beside
// the models): top-1 0.967 and attention branch 0.903 of 300 validation images.
func TestAccuracyOnPhotographs(t *testing.T) {
	t.Parallel()
	network := openReal(t, "abn-mobilenetv2-imagenette", ort.Options{})
	images := photographs(t, filepath.Join(fixture.Data(t), "imagenette-small", "val"), network.Preprocessor.Manifest().Classes)
	start := time.Now()
	results, progress := scanAll(t, network, images, ScanOptions{})
	var hits, hitsAtt int
	for _, r := range results {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Image.Name, r.Err)
			continue
		}
		if int64(r.Class) == r.Image.ID {
			hits++
		}
		if int64(r.AttClass) == r.Image.ID {
			hitsAtt++
		}
	}
	n := float64(len(results))
	t.Logf("top-1 %.4f, attention branch %.4f, %d images in %.1f s: %.1f images/s", float64(hits)/n, float64(hitsAtt)/n,
		len(results), time.Since(start).Seconds(), progress.PerSecond)
	for _, c := range []struct {
		what      string
		got, want float64
	}{{"top-1", float64(hits) / n, 0.967}, {"the attention branch", float64(hitsAtt) / n, 0.903}} {
		if d := c.got - c.want; d > 0.0045 || d < -0.0045 { // one image may fall either way
			t.Errorf("%s is %.4f, want %.3f", c.what, c.got, c.want)
		}
	}
}
