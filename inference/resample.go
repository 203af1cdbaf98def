package inference

import (
	"math"

	"github.com/abn-studio/studio/internal/manifest"
)

// kernel is a resampling filter of finite support, as in Pillow's Resample.c.
type kernel struct {
	support float64
	weight  func(x float64) float64
	// narrow does not widen the filter when shrinking, which aliases, and repeats the picture's edge, as PyTorch's interpolate
	// does without antialias.
	narrow  bool
	nearest bool
}

// sharp is the kernel without antialiasing.
func (k *kernel) sharp() *kernel {
	c := *k
	c.narrow = true
	if k == kernels[manifest.Bicubic] {
		c.weight = keys(-0.75) // PyTorch's constant there
	}
	return &c
}

// keys is the cubic filter of Keys (1981) with the constant a.
func keys(a float64) func(x float64) float64 {
	return func(x float64) float64 {
		x = math.Abs(x)
		switch {
		case x < 1:
			return ((a+2)*x-(a+3))*x*x + 1
		case x < 2:
			return (((x-5)*x+8)*x - 4) * a
		}
		return 0
	}
}

// sinc is sin(πx)/(πx).
func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

var kernels = map[string]*kernel{
	manifest.Bilinear: {support: 1, weight: func(x float64) float64 { return max(0, 1-math.Abs(x)) }},
	manifest.Bicubic:  {support: 2, weight: keys(-0.5)},
	manifest.Lanczos: {support: 3, weight: func(x float64) float64 {
		if math.Abs(x) >= 3 {
			return 0
		}
		return sinc(x) * sinc(x/3)
	}},
	manifest.Nearest: {nearest: true}, // no filter: picks one sample
}

// precision is the number of fractional bits of a weight: 8 bits of sample and 2 bits of headroom
// (a cubic overshoots) fit beside them in an int32.
const precision = 32 - 8 - 2

// taps are the weights of one axis for a run of output samples: output i is the sum over j of
// weights[i][j]·input[start[i]+j], in fixed point.
type taps struct {
	start   []int
	weights [][]int32
}

// newTaps weighs input samples (in of them) for the outputs from ≤ i < to of a resize of the stretch
// offset to offset+span of the input to out samples. When shrinking, the filter is stretched by the
// ratio, which is what antialiases.
func newTaps(k *kernel, in int, offset, span float64, out, from, to int) taps {
	scale := span / float64(out)
	t := taps{start: make([]int, to-from), weights: make([][]int32, to-from)}
	if k.nearest {
		// If two samples are equally near, the arithmetic decides: Pillow adds up steps, PyTorch computes each sample's corner in
		// float32.
		at, step := offset+0.5*scale, float32(in)/float32(out)
		for i := range to {
			nearest := int(at)
			if k.narrow {
				nearest = int(float32(i) * step)
			}
			if at += scale; i >= from {
				t.start[i-from] = min(nearest, in-1)
				t.weights[i-from] = []int32{1 << precision}
			}
		}
		return t
	}
	stretch := max(scale, 1)
	if k.narrow {
		stretch = 1
	}
	support := k.support * stretch
	w := make([]float64, 0, int(math.Ceil(support))*2+1)
	for i := range t.start {
		center := offset + float64((float64(from+i)+0.5)*scale) // the conversion forbids a fused multiply-add: every machine rounds alike
		first := max(int(center-support+0.5), 0)
		last := min(int(center+support+0.5), in)
		w = w[:0]
		var sum float64
		for j := first; j < last; j++ {
			v := k.weight((float64(j) - center + 0.5) / stretch)
			w = append(w, v)
			sum += v
		}
		if k.narrow {
			for j := int(math.Floor(center - support + 0.5)); j < first; j++ {
				v := k.weight(float64(j) - center + 0.5)
				w[0], sum = w[0]+v, sum+v
			}
			for j := last; j < int(math.Floor(center+support+0.5)); j++ {
				v := k.weight(float64(j) - center + 0.5)
				w[len(w)-1], sum = w[len(w)-1]+v, sum+v
			}
		}
		fixed := make([]int32, len(w))
		for j, v := range w {
			fixed[j] = int32(math.Round(v / sum * (1 << precision))) // rounds halves away from zero, as Pillow
		}
		t.start[i], t.weights[i] = first, fixed
	}
	return t
}

// span is the range of input samples that t reads.
func (t taps) span() (from, to int) {
	from, to = t.start[0], 0
	for i, s := range t.start {
		from, to = min(from, s), max(to, s+len(t.weights[i]))
	}
	return from, to
}

// resample computes the rectangle (x0,y0)–(x1,y1) of r resized to width × height, and nothing outside it. As in Pillow, it
// resamples horizontally, rounds to 8 bits, then vertically.
func resample(r *raster, k *kernel, width, height, x0, y0, x1, y1 int) *raster {
	horizontal := newTaps(k, r.width, 0, float64(r.width), width, x0, x1)
	vertical := newTaps(k, r.height, 0, float64(r.height), height, y0, y1)
	top, bottom := vertical.span()
	if r.height == height {
		top, bottom = y0, y1
	}
	var part *raster
	if r.width == width { // Pillow skips a pass that changes nothing
		part = newRaster(x1-x0, bottom-top)
		for y := range part.height {
			copy(part.pix[3*y*part.width:][:3*part.width], r.pix[3*((top+y)*r.width+x0):])
		}
	} else {
		part = resampleColumns(r, horizontal, top, bottom)
	}
	if r.height == height {
		return part
	}
	return resampleRows(part, vertical, top)
}

// resampleColumns is the horizontal pass over the input rows top ≤ y < bottom.
func resampleColumns(r *raster, horizontal taps, top, bottom int) *raster {
	part := newRaster(len(horizontal.weights), bottom-top)
	for y := range part.height {
		from := r.pix[3*(top+y)*r.width:][:3*r.width]
		to := part.pix[3*y*part.width:][:3*part.width]
		for x, weights := range horizontal.weights {
			var red, green, blue int32 = 1 << (precision - 1), 1 << (precision - 1), 1 << (precision - 1)
			p := from[3*horizontal.start[x]:][:3*len(weights)]
			for _, w := range weights {
				red += w * int32(p[0])
				green += w * int32(p[1])
				blue += w * int32(p[2])
				p = p[3:]
			}
			q := to[3*x : 3*x+3 : 3*x+3]
			q[0], q[1], q[2] = clamp8(red>>precision), clamp8(green>>precision), clamp8(blue>>precision)
		}
	}
	return part
}

// resampleRows is the vertical pass; row 0 of part is input row top.
func resampleRows(part *raster, vertical taps, top int) *raster {
	out := newRaster(part.width, len(vertical.weights))
	n := 3 * part.width
	sums := make([]int32, n)
	for y, weights := range vertical.weights {
		for x := range sums {
			sums[x] = 1 << (precision - 1)
		}
		for j, w := range weights {
			row := part.pix[(vertical.start[y]-top+j)*n:][:n]
			for x, v := range row {
				sums[x] += w * int32(v)
			}
		}
		to := out.pix[y*n:][:n]
		for x, s := range sums {
			to[x] = clamp8(s >> precision)
		}
	}
	return out
}
