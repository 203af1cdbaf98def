package fingerprint

import (
	"image"
	"image/color"
	"math"
	"math/bits"
	"slices"
)

// Fingerprint is 64 bits of what a picture looks like: two pictures of few different bits look alike. Zero is that of a picture
// with nothing to go by (Of), and resembles none.
type Fingerprint uint64

// Bound is the most bits in which the fingerprints of near duplicates usually differ, MaxBound the most that can be asked for. ADR 25
// has what each finds, and what it takes for a copy that is none.
const (
	Bound    = 8
	MaxBound = 12
)

// Distance counts the bits in which two fingerprints differ, 0 to 64.
func Distance(a, b Fingerprint) int { return bits.OnesCount64(uint64(a ^ b)) }

const (
	side = 32 // of the small grey picture
	low  = 8  // frequencies along each axis that are looked at
	// flat is the least standard deviation, of 255, of a picture that has something to go by. What is below is noise.
	flat = 2.0
)

// Of computes the fingerprint of a picture as its EXIF orientation (1 to 8; others count as 1) shows it: averaged to 32×32 grey
// values, of whose cosine transform the 8×8 lowest frequencies, each above or below their median, are the bits (pHash). It is 0
// for a picture of one colour, which has nothing to go by.
func Of(picture image.Image, orientation int) Fingerprint {
	small := shrink(picture)
	if deviation(small) < flat {
		return 0
	}
	found := spectrum(upright(small, orientation))
	sorted := slices.Sorted(slices.Values(found[:]))
	median := (sorted[len(sorted)/2-1] + sorted[len(sorted)/2]) / 2
	var f Fingerprint
	for i, v := range found {
		if v > median {
			f |= 1 << i
		}
	}
	return f
}

// grid is a small grey picture, rows from the top.
type grid [side * side]float64

// deviation is the standard deviation of the grey values.
func deviation(g *grid) float64 {
	var sum, squares float64
	for _, v := range g {
		sum += v
		squares += v * v
	}
	mean := sum / float64(len(g))
	return math.Sqrt(max(0, squares/float64(len(g))-mean*mean))
}

// shrink averages the grey values of each of 32×32 equal parts of a picture, whose borders may lie within pixels.
func shrink(picture image.Image) *grid {
	bounds := picture.Bounds()
	width, height := bounds.Dx(), bounds.Dy()
	out := new(grid)
	if width == 0 || height == 0 {
		return out
	}
	grey := greys(picture)
	row, sums := make([]uint8, width), make([]float64, width+1)
	var cells [side]float64
	part, share := float64(width)/side, float64(side)/float64(height)
	for y := range height {
		grey(y, row)
		for x, v := range row {
			sums[x+1] = sums[x] + float64(v)
		}
		left := 0.0
		for i := range cells { // the sum up to a place within a pixel is a straight line
			at := float64(i+1) * part
			whole := min(int(at), width)
			right := sums[whole]
			if whole < width {
				right += (at - float64(whole)) * float64(row[whole])
			}
			cells[i], left = right-left, right
		}
		top, bottom := float64(y)*share, float64(y+1)*share
		for j := int(top); j < side && float64(j) < bottom; j++ {
			weight := (min(bottom, float64(j+1)) - max(top, float64(j))) / part
			for i, v := range cells {
				out[j*side+i] += weight * v
			}
		}
	}
	return out
}

// greys returns what reads a row of grey values: quickly for the kinds that decoders return.
func greys(picture image.Image) func(y int, row []uint8) {
	bounds := picture.Bounds()
	switch p := picture.(type) {
	case *image.YCbCr:
		return func(y int, row []uint8) { copy(row, p.Y[p.YOffset(bounds.Min.X, bounds.Min.Y+y):]) }
	case *image.Gray:
		return func(y int, row []uint8) { copy(row, p.Pix[p.PixOffset(bounds.Min.X, bounds.Min.Y+y):]) }
	case *image.RGBA:
		return func(y int, row []uint8) { rgb(p.Pix[p.PixOffset(bounds.Min.X, bounds.Min.Y+y):], row) }
	case *image.NRGBA:
		if p.Opaque() {
			return func(y int, row []uint8) { rgb(p.Pix[p.PixOffset(bounds.Min.X, bounds.Min.Y+y):], row) }
		}
	}
	return func(y int, row []uint8) {
		for x := range row {
			row[x] = color.GrayModel.Convert(picture.At(bounds.Min.X+x, bounds.Min.Y+y)).(color.Gray).Y
		}
	}
}

// rgb makes grey values of pixels of four bytes (ITU-R 601-2, as color.GrayModel).
func rgb(pixels, row []uint8) {
	for x := range row {
		p := pixels[4*x : 4*x+3 : 4*x+3]
		row[x] = uint8((uint32(p[0])*19595 + uint32(p[1])*38470 + uint32(p[2])*7471 + 1<<15) >> 16)
	}
}

// upright turns a picture as an EXIF orientation wants it shown.
func upright(g *grid, orientation int) *grid {
	if orientation < 2 || orientation > 8 {
		return g
	}
	out := new(grid)
	for y := range side {
		for x := range side {
			sx, sy := x, y
			if orientation >= 5 { // 5 to 8 exchange the axes
				sx, sy = y, x
			}
			if orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8 {
				sx = side - 1 - sx
			}
			if orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7 {
				sy = side - 1 - sy
			}
			out[y*side+x] = g[sy*side+sx]
		}
	}
	return out
}

// cosines[u][x] is cos(π·(x+½)·u/32).
var cosines = func() (c [low + 1][side]float64) {
	for u := range c {
		for x := range side {
			c[u][x] = math.Cos(math.Pi * (float64(x) + 0.5) * float64(u) / side)
		}
	}
	return c
}()

// spectrum is the lowest frequencies of the cosine transform.
func spectrum(g *grid) (out [low * low]float64) {
	var rows [low + 1][side]float64 // by horizontal frequency
	for u := range rows {
		for y := range side {
			var sum float64
			for x, c := range cosines[u] {
				sum += c * g[y*side+x]
			}
			rows[u][y] = sum
		}
	}
	for v := range low {
		for u := range low {
			across, down := u, v
			if u == 0 && v == 0 { // the mean says nothing of the picture: a further frequency takes its place
				across, down = low, low
			}
			var sum float64
			for y, c := range cosines[down] {
				sum += c * rows[across][y]
			}
			out[v*low+u] = sum
		}
	}
	return out
}
