package inference

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/picture/picturetest"
)

// oriented is a PNG with an EXIF orientation.
func oriented(t *testing.T, pixels image.Image, orientation byte) []byte {
	t.Helper()
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, pixels); err != nil {
		t.Fatal(err)
	}
	return picturetest.PNGChunk(encoded.Bytes(), "eXIf", []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"+string(orientation)+"\x00\x00\x00\x00\x00\x00"))
}

// A mask's map is what the network sees of it: the mask as a picture goes through the preprocessing, and its cells are averaged. That holds
// for every orientation, applied or not, for pictures of any shape, and for clicks.
func TestMapsOfMasksAreWhatTheNetworkSees(t *testing.T) {
	t.Parallel()
	const side, cells = 48, 4
	for _, size := range [][2]int{{64, 80}, {96, 52}, {48, 48}, {60, 36}} {
		mask := image.NewGray(image.Rect(0, 0, size[0], size[1]))
		for y := range size[1] {
			for x := range size[0] {
				if x > size[0]/3 && y < size[1]*x/(2*size[0]) {
					mask.Pix[y*mask.Stride+x] = 255
				}
			}
		}
		dot := image.NewGray(mask.Rect)
		dot.Pix[(size[1]/2-5)*dot.Stride+size[0]/2+9] = 255
		click := [][2]float64{{(float64(size[0]/2+9) + 0.5) / float64(size[0]), (float64(size[1]/2-5) + 0.5) / float64(size[1])}}
		for orientation := byte(1); orientation <= 8; orientation++ {
			for _, exif := range []bool{false, true} {
				p, err := NewPreprocessor(manifest.Manifest{Crop: [2]int{side, side}, Channels: "RGB", EXIF: exif}.Unscaled())
				if err != nil {
					t.Fatal(err)
				}
				seen := func(pixels image.Image) (want [cells * cells]float64) {
					dst := make([]float32, p.Size())
					if err := p.Pixels(t.Context(), bytes.NewReader(oriented(t, pixels, orientation)), dst); err != nil {
						t.Fatal(err)
					}
					one := dst[0]
					for _, v := range dst {
						one = max(one, v)
					}
					for i, v := range dst[:side*side] {
						if one > 0 {
							want[i/side/(side/cells)*cells+i%side/(side/cells)] += float64(v/one) / (side / cells) / (side / cells)
						}
					}
					return want
				}
				header, err := picture.Process().Header(bytes.NewReader(oriented(t, mask, orientation)))
				if err != nil || header.Orientation != int(orientation) {
					t.Fatal(header, err)
				}
				turned, region := p.ViewOfMask(mask, header)
				got := attention.FromMask(turned, region, cells, cells)
				for i, want := range seen(mask) {
					if math.Abs(float64(got.Values[i])-want) > 1e-5 {
						t.Errorf("%v, orientation %d, applied %t: cell %d is %v, and the network sees %v", size, orientation, exif, i, got.Values[i], want)
					}
				}
				clicks, region := p.ViewOfClicks(click, header)
				density := attention.DensityOfClicks(clicks, region, cells, cells, 0.25)
				for i, want := range seen(dot) {
					if (want > 0) != (density.Values[i] == 1) {
						t.Errorf("%v, orientation %d, applied %t: a click makes %v of cell %d, and the network sees %v", size, orientation, exif, density.Values[i], i, want)
					}
				}
			}
		}
	}
}
