package confound

import (
	"image"
	"image/color"

	"github.com/abn-studio/studio/internal/random"
)

// Colour is one that decoys have.
type Colour struct {
	Name string
	RGB  [3]uint8
}

// Colours are those of decoys.
var Colours = []Colour{
	{"red", [3]uint8{230, 60, 50}}, {"blue", [3]uint8{60, 160, 230}}, {"yellow", [3]uint8{250, 200, 40}}, {"green", [3]uint8{70, 190, 90}},
	{"purple", [3]uint8{170, 80, 200}}, {"orange", [3]uint8{250, 140, 40}}, {"cyan", [3]uint8{40, 200, 200}}, {"pink", [3]uint8{240, 120, 180}},
	{"brown", [3]uint8{120, 90, 60}}, {"white", [3]uint8{240, 240, 240}},
}

// shapes are the thickness of each shape, as a share of the side, if Options says none: a frame covers 27% of the picture, a band 20%, a
// patch 14%, a ruler 14%.
var shapes = map[string]float64{Frame: 0.0725, Band: 0.2, Patch: 0.375, Ruler: 0.14}

// drawDecoy draws a decoy into a square picture and takes what it covers out of the object's mask. It returns the decoy's own mask. Its
// thickness varies by a tenth, and where it can be in several places, so does the place.
func drawDecoy(picture *image.RGBA, object *image.Gray, shape string, thickness float64, c Colour, r *random.Stream) *image.Gray {
	side := picture.Rect.Dx()
	mask := image.NewGray(picture.Rect)
	if thickness == 0 {
		thickness = shapes[shape]
	}
	t := rounded(thickness * float64(side))
	t = max(1, r.Between(t-t/10, t+t/10))
	fill := func(area image.Rectangle, rgb [3]uint8) {
		area = area.Intersect(picture.Rect)
		for y := area.Min.Y; y < area.Max.Y; y++ {
			for x := area.Min.X; x < area.Max.X; x++ {
				picture.SetRGBA(x, y, color.RGBA{rgb[0], rgb[1], rgb[2], 255})
				mask.Pix[mask.PixOffset(x, y)], object.Pix[object.PixOffset(x, y)] = 255, 0
			}
		}
	}
	switch shape {
	case Frame:
		for _, edge := range edges(side, t) {
			fill(edge, c.RGB)
		}
	case Band:
		fill(edges(side, t)[r.Below(2)], c.RGB)
	case Patch:
		margin := side / 40
		x, y := margin, margin
		if r.Below(2) == 1 {
			x = side - margin - t
		}
		if r.Below(2) == 1 {
			y = side - margin - t
		}
		fill(image.Rect(x, y, x+t, y+t), c.RGB)
	case Ruler:
		at := r.Below(4)
		fill(edges(side, t)[at], c.RGB)
		step, wide := max(4, side/28), max(1, side/150)
		for i, s := 0, step/2; s < side; i, s = i+1, s+step {
			long := t * 2 / 5
			if i%5 == 0 {
				long = t * 7 / 10
			}
			fill(tick(side, t, at, s, wide, long), [3]uint8{30, 30, 30})
		}
	}
	return mask
}

// edges are the strips of t pixels along the top, bottom, left and right of a square.
func edges(side, t int) [4]image.Rectangle {
	return [4]image.Rectangle{image.Rect(0, 0, side, t), image.Rect(0, side-t, side, side), image.Rect(0, 0, t, side), image.Rect(side-t, 0, side, side)}
}

// tick is a line across a ruler's strip, at s along it, from the edge that is towards the picture.
func tick(side, t, edge, s, wide, long int) image.Rectangle {
	switch edge {
	case 0:
		return image.Rect(s, t-long, s+wide, t)
	case 1:
		return image.Rect(s, side-t, s+wide, side-t+long)
	case 2:
		return image.Rect(t-long, s, t, s+wide)
	}
	return image.Rect(side-t, s, side-t+long, s+wide)
}
