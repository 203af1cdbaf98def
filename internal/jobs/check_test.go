package jobs

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A mask of the left half of a picture of 64 × 48, on a grid of 2 × 3: the first column is inside, half of the second, nothing of the third.
func TestCheckMap(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	blobs, err := blob.Open(ctx, t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	put := func(columns int) string {
		mask := image.NewGray(image.Rect(0, 0, 64, 48))
		for y := range 48 {
			for x := range columns {
				mask.Pix[y*mask.Stride+x] = 255
			}
		}
		var encoded bytes.Buffer
		if err := png.Encode(&encoded, mask); err != nil {
			t.Fatal(err)
		}
		hash, _, err := blobs.Put(ctx, &encoded)
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	version := annotator.Version{Manifest: pgtest.NewVersion(0).Manifest, GridHeight: 2, GridWidth: 3}
	of := annotator.Image{MaskHash: put(32), Width: 64, Height: 48}
	yes, no := true, false
	for name, c := range map[string]struct {
		m        attention.Map
		inside   float64
		pointing *bool
	}{
		"inside":                          {attention.Map{Values: []float32{1, 0, 0, 0, 0, 0}}, 1, &yes},
		"at its edge":                     {attention.Map{Values: []float32{0, 1, 0, 0, 0, 0}}, 0.5, &yes}, // the middle of the picture
		"outside":                         {attention.Map{Values: []float32{0, 0, 1, 0, 0, 0}}, 0, &no},    // 22 pixels from the mask
		"even":                            {attention.Map{Values: []float32{1, 1, 1, 1, 1, 1}}, 0.5, nil},
		"outside, which he does not know": {attention.Map{Values: []float32{0.5, 0, 1, 0, 0, 0}, Marks: "..?..."}, 1, &yes},
	} {
		c.m.Height, c.m.Width = 2, 3
		got, ok, err := NewCatalog(blobs, nil, 1).CheckMap(ctx, version, of, c.m)
		if err != nil || !ok {
			t.Fatalf("%s: %v, %v", name, ok, err)
		}
		if math.Abs(got.Inside-c.inside) > 1e-6 || math.Abs(got.Area-0.5) > 1e-6 {
			t.Errorf("%s: %v inside, of %v, want %v of 0.5", name, got.Inside, got.Area, c.inside)
		}
		if (got.Pointing == nil) != (c.pointing == nil) || c.pointing != nil && *got.Pointing != *c.pointing {
			t.Errorf("%s: pointing %v, want %v", name, got.Pointing, c.pointing)
		}
	}
	of.MaskHash = put(0)
	if _, ok, err := NewCatalog(blobs, nil, 1).CheckMap(ctx, version, of, pgtest.Map(1)); ok || err != nil {
		t.Errorf("an empty mask scores: %v, %v", ok, err)
	}
	of.MaskHash = pgtest.Hash(1)
	if _, _, err := NewCatalog(blobs, nil, 1).CheckMap(ctx, version, of, pgtest.Map(1)); err == nil {
		t.Error("a mask that is not there scores")
	}
}
