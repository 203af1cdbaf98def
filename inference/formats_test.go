package inference

import (
	"bytes"
	"image/color"
	"image/png"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/picture"
)

// Every kind of file that is read gives the pixels that PIL's convert("RGB") gives (internal/picture/testdata/make.py).
func TestPicturesAsPILReadsThem(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../internal/picture/testdata/pictures/*.png")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	for _, path := range paths {
		file := strings.TrimSuffix(path, ".png")
		if filepath.Ext(file) == "" { // animated.png, which has a reference of its own
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			want, err := png.Decode(bytes.NewReader(readFile(t, path)))
			if err != nil {
				t.Fatal(err)
			}
			own := func(picture.Header) int64 { return 0 }
			err = decode(t.Context(), bytes.NewReader(readFile(t, file)), own, func(got *raster, h picture.Header) error {
				if size := want.Bounds().Size(); size.X != got.width || size.Y != got.height || h.Width != got.width || h.Height != got.height {
					t.Fatalf("%d×%d, the header says %d×%d, want %v", got.width, got.height, h.Width, h.Height, size)
				}
				sum, most := 0, 0
				for y := range got.height {
					for x := range got.width {
						c := color.NRGBAModel.Convert(want.At(x, y)).(color.NRGBA)
						for i, v := range []uint8{c.R, c.G, c.B} {
							d := int(got.pix[3*(y*got.width+x)+i]) - int(v)
							sum, most = sum+max(d, -d), max(most, d, -d)
						}
					}
				}
				// Lossy WebP is rounded a little differently by libwebp.
				exact := !strings.HasSuffix(file, ".webp") || strings.Contains(file, "lossless")
				t.Logf("mean %.4f, at most %d of 255", float64(sum)/float64(len(got.pix)), most)
				if most > 2 || exact && most > 0 {
					t.Errorf("differs by up to %d of 255", most)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
