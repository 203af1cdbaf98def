package dataset

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg" // masks come as PNG, JPEG, WebP or TIFF
	_ "image/png"
	"os"

	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// maxMaskPixels bounds a mask before it is decoded: a forged header must not ask for gigabytes.
const maxMaskPixels = 100_000_000

// Mask reads an object's mask: any PNG, JPEG, WebP or TIFF, as grey, 255 inside and 0 outside. A
// palette or 1-bit mask of the values 0 and 1 is read by what its colours show, except where that
// is too dark to see (at most 1 of 255): then 1 counts as inside.
func Mask(path string) (*image.Gray, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading mask: %w", err)
	}
	defer f.Close()
	config, _, err := image.DecodeConfig(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("reading mask %s: %w", path, err)
	}
	if config.Width < 1 || config.Height < 1 || config.Width > maxMaskPixels/config.Height {
		return nil, fmt.Errorf("reading mask %s: %d×%d pixels are more than the %d that are read", path, config.Width, config.Height, maxMaskPixels)
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, fmt.Errorf("reading mask: %w", err)
	}
	picture, _, err := image.Decode(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("reading mask %s: %w", path, err)
	}
	grey, ok := picture.(*image.Gray)
	if !ok || grey.Rect.Min != (image.Point{}) {
		bounds := picture.Bounds()
		grey = image.NewGray(image.Rect(0, 0, bounds.Dx(), bounds.Dy()))
		draw.Draw(grey, grey.Rect, picture, bounds.Min, draw.Src)
	}
	stretchDark(grey)
	return grey, nil
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
