package dataset

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg" // masks come as PNG, JPEG, WebP or TIFF
	_ "image/png"
	"math"
	"os"

	"github.com/abn-studio/studio/internal/attention"
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

// Average lays a grid of height × width cells over a mask and gives each cell the mean of what it
// covers, by area, in [0,1]: a cell half inside the object is 0.5. The mask may have any size.
func Average(mask *image.Gray, height, width int) attention.Map {
	bounds := mask.Bounds()
	columns := shares(bounds.Dx(), width)
	rows := shares(bounds.Dy(), height)
	out := attention.New(height, width)
	sum := make([]float64, height*width)
	for y := range bounds.Dy() {
		line := mask.Pix[mask.PixOffset(bounds.Min.X, bounds.Min.Y+y):]
		for _, r := range rows[y] {
			for x := range bounds.Dx() {
				if line[x] == 0 {
					continue
				}
				for _, c := range columns[x] {
					sum[r.cell*width+c.cell] += float64(line[x]) * r.weight * c.weight
				}
			}
		}
	}
	for i, v := range sum {
		out.Values[i] = float32(math.Min(v/255, 1))
	}
	return out
}

// share is the part of a cell that one pixel covers.
type share struct {
	cell   int
	weight float64
}

// shares says, for each of n pixels, which of k cells it covers and what fraction of the cell.
func shares(n, k int) [][]share {
	out := make([][]share, n)
	for i := range n {
		// Pixel i covers [i·k, (i+1)·k) in units of 1/n cell, so that all borders are integers.
		for at, end := i*k, (i+1)*k; at < end; {
			cell := at / n
			next := min(end, (cell+1)*n)
			out[i] = append(out[i], share{cell, float64(next-at) / float64(n)})
			at = next
		}
	}
	return out
}

// greyOf reports the grey value of a pixel, and whether it is grey at all.
func greyOf(c color.Color) (v uint16, grey bool) {
	r, g, b, a := c.RGBA()
	return uint16(r), r == g && g == b && a == 0xffff
}
