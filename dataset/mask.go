package dataset

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"

	"github.com/abn-studio/studio/internal/picture"
)

// Mask reads an object's mask for use, which must not keep it: any picture that package picture reads, as grey, 255 inside
// and 0 outside. A palette or 1-bit mask of the values 0 and 1 is read by what its colours show, except where that
// is too dark to see (at most 1 of 255): then 1 counts as inside.
func Mask(ctx context.Context, path string, use func(*image.Gray) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading mask: %w", err)
	}
	defer f.Close()
	own := func(h picture.Header) int64 { return h.Pixels() }
	err = picture.Process().Decode(ctx, f, own, func(_ context.Context, decoded image.Image, _ picture.Header) error {
		grey, ok := decoded.(*image.Gray)
		if !ok || grey.Rect.Min != (image.Point{}) {
			bounds := decoded.Bounds()
			grey = image.NewGray(image.Rect(0, 0, bounds.Dx(), bounds.Dy()))
			draw.Draw(grey, grey.Rect, decoded, bounds.Min, draw.Src)
		}
		stretchDark(grey)
		return use(grey)
	})
	if err != nil {
		return fmt.Errorf("reading mask %s: %w", path, err)
	}
	return nil
}

// stretchDark reads a mask that holds class indices 0 and 1 rather than shades.
func stretchDark(mask *image.Gray) {
	for _, v := range mask.Pix {
		if v > 1 {
			return
		}
	}
	for i, v := range mask.Pix {
		mask.Pix[i] = v * 255
	}
}

func isBlack(mask *image.Gray) bool {
	for _, v := range mask.Pix {
		if v != 0 {
			return false
		}
	}
	return true
}

// greyOf reports the grey value of a pixel, and whether it is grey at all.
func greyOf(c color.Color) (v uint16, grey bool) {
	r, g, b, a := c.RGBA()
	return uint16(r), r == g && g == b && a == 0xffff
}
