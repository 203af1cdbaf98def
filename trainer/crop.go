package trainer

import (
	"math"
	"math/rand/v2"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
)

// A random resized crop keeps a window of the network's view and stretches it to the whole view again, as torchvision's
// RandomResizedCrop does. The view is the result of the manifest's own resize and crop. An edited map covers the view, so it can
// be cut by the same window.

// window is a part of a view, in pixels.
type window struct{ left, top, width, height int }

// A window's ratio of width to height is drawn between these, uniformly on a logarithmic scale. After windowDraws windows that
// do not fit into the view, the centre is taken.
const (
	leastRatio    = 3.0 / 4
	largestRatio  = 4.0 / 3
	windowDraws   = 10
	uniformLevels = 1 << 53
)

// cropper draws windows of a view of height × width pixels that keep at least a share of its area.
type cropper struct {
	least         float64 // Settings.Crop, in (0,1]
	height, width int
}

// newCropper is nil if settings have no crops. view is the network's input, [3, H, W].
func newCropper(s recipe.Settings, view [3]int) *cropper {
	if s.Crop == 0 {
		return nil
	}
	return &cropper{least: s.Crop, height: view[1], width: view[2]}
}

// window is the window of a row. It depends on the row's draw only.
func (c *cropper) window(draw uint64) window {
	rng := rand.NewPCG(draw, 0)
	uniform := func(low, high float64) float64 {
		return low + (high-low)*float64(rng.Uint64()>>11)/uniformLevels
	}
	upTo := func(n int) int { return int(rng.Uint64() % uint64(n+1)) }
	for range windowDraws {
		area := float64(c.height*c.width) * uniform(c.least, 1)
		ratio := math.Exp(uniform(math.Log(leastRatio), math.Log(largestRatio)))
		w, h := int(math.RoundToEven(math.Sqrt(area*ratio))), int(math.RoundToEven(math.Sqrt(area/ratio)))
		if 0 < w && w <= c.width && 0 < h && h <= c.height {
			top := upTo(c.height - h)
			return window{left: upTo(c.width - w), top: top, width: w, height: h}
		}
	}
	w, h := c.width, c.height
	switch ratio := float64(w) / float64(h); {
	case ratio < leastRatio:
		h = int(math.RoundToEven(float64(w) / leastRatio))
	case ratio > largestRatio:
		w = int(math.RoundToEven(float64(h) * largestRatio))
	}
	return window{left: (c.width - w) / 2, top: (c.height - h) / 2, width: w, height: h}
}

// pixels stretches the window of each plane of a view [channels, H, W] to dst of the same size: bilinear with values at the
// centres of pixels, as torch's interpolate without align_corners.
func (c *cropper) pixels(dst, view []float32, w window) {
	columns, rows := samplings(w.left, w.width, c.width), samplings(w.top, w.height, c.height)
	plane := c.height * c.width
	for start := 0; start < len(view); start += plane {
		from, to := view[start:start+plane], dst[start:start+plane]
		for y, row := range rows {
			upper, lower := from[row.first*c.width:][:c.width], from[row.second*c.width:][:c.width]
			line := to[y*c.width:][:c.width]
			for x, column := range columns {
				a := upper[column.first] + (upper[column.second]-upper[column.first])*column.share
				b := lower[column.first] + (lower[column.second]-lower[column.first])*column.share
				line[x] = a + (b-a)*row.share
			}
		}
	}
}

// sampling is a place between two pixels: share of the way from the first to the second.
type sampling struct {
	first, second int
	share         float32
}

// samplings places n samples evenly over size pixels from start on.
func samplings(start, size, n int) []sampling {
	out := make([]sampling, n)
	for i := range out {
		at := max(0, (float64(i)+0.5)*float64(size)/float64(n)-0.5)
		first := min(int(at), size-1)
		out[i] = sampling{first: start + first, second: start + min(first+1, size-1), share: float32(at - float64(first))}
	}
	return out
}

// target cuts a map by the window and resizes it, as pixels does with the view.
func (c *cropper) target(m attention.Map, w window) attention.Map {
	cells := func(pixels, n, side int) float64 { return float64(pixels) * float64(n) / float64(side) }
	return m.Cut(cells(w.left, m.Width, c.width), cells(w.top, m.Height, c.height), cells(w.width, m.Width, c.width), cells(w.height, m.Height, c.height))
}
