package aviary

import "github.com/abn-studio/studio/internal/random"

// Drawing is in integers throughout, so that every machine draws the same: coordinates with the
// suffix 8 are pixels in 24.8 fixed point, coverage and opacity run from 0 to 256.

// rgb is a colour, each channel 0 to 255.
type rgb [3]int

// mix returns a at t = 0 and b at t = 256.
func mix(a, b rgb, t int) rgb {
	for i := range a {
		a[i] += (b[i] - a[i]) * t / 256
	}
	return a
}

// vary moves a colour at random, each channel by up to amount and all of them by up to amount.
func vary(r *random.Stream, c rgb, amount int) rgb {
	light := r.Between(-amount, amount)
	for i := range c {
		c[i] = clamp(c[i]+light+r.Between(-amount, amount)/2, 0, 255)
	}
	return c
}

func clamp(v, low, high int) int { return max(low, min(v, high)) } //nolint:unparam // low is 0 everywhere, and is read at each call

// canvas is a picture in the making: pix[(y·Side+x)·3+channel].
type canvas struct{ pix [Side * Side * 3]uint8 }

// blend lays a colour over a pixel; outside the picture it does nothing.
func (c *canvas) blend(x, y int, color rgb, cover int) {
	if uint(x) >= Side || uint(y) >= Side || cover <= 0 {
		return
	}
	p := c.pix[(y*Side+x)*3:][:3]
	for i := range p {
		p[i] = uint8((int(p[i])*(256-cover) + color[i]*cover + 128) >> 8)
	}
}

// gradient fills the rows from y0 up to y1 with a colour that runs from top to bottom.
func (c *canvas) gradient(y0, y1 int, top, bottom rgb) {
	for y := max(y0, 0); y < min(y1, Side); y++ {
		color := mix(top, bottom, (y-y0)*256/max(y1-y0, 1))
		for x := range Side {
			c.blend(x, y, color, 256)
		}
	}
}

// ridge fills what lies below an edge, given as its height in each column, with a colour that runs
// from top at the edge to bottom at depth pixels below it.
func (c *canvas) ridge(edge8 func(x int) int, depth int, top, bottom rgb) {
	for x := range Side {
		e := edge8(x)
		for y := max(e>>8, 0); y < Side; y++ {
			below := (y+1)<<8 - e
			c.blend(x, y, mix(top, bottom, clamp(below/max(depth, 1), 0, 256)), min(below, 256))
		}
	}
}

// ellipse lays a filled ellipse, its rim soft over the given share (0 to 256) of its radius.
func (c *canvas) ellipse(cx8, cy8, rx8, ry8 int, color rgb, opacity, soft int) {
	if rx8 <= 0 || ry8 <= 0 {
		return
	}
	soft = max(soft, 512*256/max(min(rx8, ry8), 1)/2, 1) // at least about a pixel, against jagged rims
	for y := (cy8 - ry8) >> 8; y <= (cy8+ry8)>>8; y++ {
		dy := (y<<8 + 128 - cy8) * 1024 / ry8
		for x := (cx8 - rx8) >> 8; x <= (cx8+rx8)>>8; x++ {
			dx := (x<<8 + 128 - cx8) * 1024 / rx8
			// 1 − d² falls from 1 at the centre to 0 at the rim, where it is about 2·(1 − d).
			inside := (1<<20 - dx*dx - dy*dy) >> 12
			if inside > 0 {
				c.blend(x, y, color, opacity*min(inside*128/soft, 256)/256)
			}
		}
	}
}

// span lays a horizontal run with soft ends.
func (c *canvas) span(y, left8, right8 int, color rgb, opacity int) {
	for x := left8 >> 8; x <= right8>>8; x++ {
		cover := min((x+1)<<8, right8) - max(x<<8, left8)
		c.blend(x, y, color, opacity*clamp(cover, 0, 256)/256)
	}
}

// blade draws a leaf of grass or a reed: from its foot upwards, thinner towards the tip, bending
// sideways by lean pixels.
func (c *canvas) blade(x8, foot, length, width8, lean int, color rgb, opacity int) {
	for step := range length {
		t := step * 256 / max(length, 1)
		centre := x8 + lean*t*t/256
		half := width8 * (256 - t) / 512
		c.span(foot-step, centre-half, centre+half, mix(mix(color, rgb{}, 60), color, t), opacity)
	}
}

// grain adds a fine texture of up to ±amount.
func (c *canvas) grain(r *random.Stream, amount int) {
	for i := 0; i < len(c.pix); i += 3 {
		bits := r.Next()
		d := int(bits%uint64(2*amount+1)) - amount
		for j := range 3 {
			c.pix[i+j] = uint8(clamp(int(c.pix[i+j])+d, 0, 255))
		}
	}
}

// light scales the whole picture to percent of its brightness and moves it towards a tint.
func (c *canvas) light(percent int, tint rgb, share int) {
	for i := range c.pix {
		v := int(c.pix[i]) * percent / 100
		c.pix[i] = uint8(clamp(v+(tint[i%3]-v)*share/256, 0, 255))
	}
}

// waves is a smooth random line: value noise of a few octaves.
type waves struct {
	knots [3][40]int // −256 to 256
	step  [3]int     // pixels from knot to knot
	high  [3]int     // amplitude in pixels·256
}

// newWaves makes a line that swings by about high pixels over about length pixels.
func newWaves(r *random.Stream, length, high int) *waves {
	w := &waves{}
	for octave := range w.knots {
		w.step[octave] = max(length>>octave, 3)
		w.high[octave] = high * 256 >> octave
		for i := range w.knots[octave] {
			w.knots[octave][i] = r.Between(-256, 256)
		}
	}
	return w
}

// at8 returns the line's height over column x.
func (w *waves) at8(x int) int {
	sum := 0
	for octave, step := range w.step {
		cell, t := x/step, x%step*256/step
		t = t * t * (768 - 2*t) >> 16 // smooth
		a, b := w.knots[octave][cell%40], w.knots[octave][(cell+1)%40]
		sum += (a + (b-a)*t/256) * w.high[octave] / 256
	}
	return sum
}
