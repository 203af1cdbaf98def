package aviary

import "github.com/abn-studio/studio/internal/random"

// mood is the light of a picture: sky above and at the horizon, and the tint of everything.
type mood struct {
	zenith, horizon rgb
	tint            rgb
	share           int // of tint, 0 to 256
	percent         int // brightness
}

var moods = []mood{
	{rgb{96, 170, 235}, rgb{205, 232, 250}, rgb{255, 255, 240}, 8, 100}, // day
	{rgb{120, 190, 240}, rgb{235, 240, 245}, rgb{255, 250, 235}, 16, 102},
	{rgb{150, 165, 185}, rgb{212, 216, 222}, rgb{150, 160, 175}, 36, 92}, // overcast
	{rgb{245, 170, 120}, rgb{255, 225, 175}, rgb{255, 190, 120}, 36, 96}, // evening
	{rgb{125, 130, 200}, rgb{245, 190, 195}, rgb{190, 150, 210}, 40, 86}, // dusk
}

// paint fills the canvas with a scene and its props.
func (c *canvas) paint(r *random.Stream, scene Scene) {
	m := moods[r.Below(len(moods))]
	m.zenith, m.horizon = vary(r, m.zenith, 14), vary(r, m.horizon, 10)
	horizon := r.Between(34, 58)
	c.gradient(0, Side, m.zenith, m.horizon)
	switch scene {
	case Water:
		c.paintWater(r, m, horizon)
	case Shore:
		c.paintShore(r, m, horizon)
	case Forest:
		c.paintForest(r, m, horizon)
	case Meadow:
		c.paintMeadow(r, m, horizon)
	}
	c.light(m.percent+r.Between(-8, 4), m.tint, m.share)
}

// sky adds a sun and clouds above the horizon.
func (c *canvas) sky(r *random.Stream, m mood, horizon int) {
	c.gradient(0, horizon, m.zenith, m.horizon)
	if r.Chance(45) {
		x, y, radius := r.Between(8, Side-8)<<8, r.Between(6, max(horizon-8, 8))<<8, r.Between(5, 9)<<8
		c.ellipse(x, y, radius*3, radius*3, rgb{255, 248, 220}, 90, 256)
		c.ellipse(x, y, radius, radius, rgb{255, 250, 232}, 235, 40)
	}
	for range r.Between(0, 3) {
		x, y := r.Between(0, Side), r.Between(4, max(horizon-10, 6))
		for range r.Between(3, 6) {
			c.ellipse((x+r.Between(-11, 11))<<8, (y+r.Between(-2, 2))<<8, r.Between(6, 12)<<8, r.Between(3, 5)<<8, rgb{255, 255, 255}, 150, 150)
		}
	}
}

// hills draws rows of hills behind the ground; nearer rows are darker.
func (c *canvas) hills(r *random.Stream, m mood, horizon int, far, near rgb) {
	rows := r.Between(1, 3)
	for i := range rows {
		line := newWaves(r, r.Between(24, 44), r.Between(4, 8))
		base := (horizon - 7 + 5*i) << 8
		color := mix(mix(far, near, 256*i/rows), m.horizon, 90-25*i)
		c.ridge(func(x int) int { return base + line.at8(x) }, 30, color, mix(color, near, 80))
	}
}

// ripples are flat strokes that grow towards the viewer.
func (c *canvas) ripples(r *random.Stream, from, to int, bright, dark rgb) {
	for range r.Between(34, 60) {
		depth := r.Below(1000)
		y := from + (to-from)*depth*depth/1000000
		long := 3 + 16*(y-from)/max(Side-from, 1) + r.Below(5)
		color := bright
		if r.Chance(40) {
			color = dark
		}
		c.ellipse(r.Between(0, Side)<<8, y<<8+128, long<<8, 170+(y-from)*3, color, r.Between(50, 130), 120)
	}
}

func (c *canvas) paintWater(r *random.Stream, m mood, horizon int) {
	c.sky(r, m, horizon)
	c.hills(r, m, horizon, rgb{96, 130, 150}, rgb{60, 104, 92})
	top := mix(vary(r, rgb{86, 168, 196}, 16), m.horizon, 70)
	bottom := vary(r, rgb{18, 92, 134}, 16)
	c.ridge(func(int) int { return horizon << 8 }, Side-horizon, top, bottom)
	c.ripples(r, horizon+1, Side, rgb{214, 240, 246}, rgb{14, 74, 112})
	for range r.Between(0, 5) { // lily pads
		x, y, size := r.Between(0, Side)<<8, r.Between(horizon+14, Side-2)<<8, r.Between(4, 8)<<8
		green := vary(r, rgb{78, 150, 84}, 16)
		c.ellipse(x, y+200, size, size*2/5, mix(green, rgb{}, 110), 200, 50)
		c.ellipse(x, y, size, size*2/5, green, 256, 40)
	}
	c.place(r, Water, horizon+8, Side-6, 22, 36)
	if r.Chance(60) { // reeds in a corner
		at := r.Below(Side)
		for range r.Between(8, 18) {
			c.blade((at+r.Between(-14, 14))<<8, Side+2, r.Between(18, 42), r.Between(380, 640), r.Between(-9, 9), vary(r, rgb{88, 128, 62}, 20), 256)
		}
	}
}

func (c *canvas) paintShore(r *random.Stream, m mood, horizon int) {
	horizon -= 8
	c.sky(r, m, horizon)
	deep, shallow := vary(r, rgb{34, 128, 176}, 14), vary(r, rgb{110, 208, 206}, 14)
	beach := horizon + r.Between(13, 24)
	c.ridge(func(int) int { return horizon << 8 }, beach-horizon, mix(deep, m.horizon, 50), shallow)
	c.ripples(r, horizon+1, beach, rgb{235, 250, 250}, rgb{40, 120, 160})
	line := newWaves(r, 30, 3)
	sand, wet := vary(r, rgb{238, 212, 158}, 12), vary(r, rgb{196, 162, 112}, 10)
	edge := func(down int) func(int) int {
		return func(x int) int { return (beach+down)<<8 + line.at8(x) }
	}
	c.ridge(edge(-2), 3, rgb{250, 253, 252}, rgb{236, 248, 246}) // foam
	c.ridge(edge(2), 8, wet, mix(wet, sand, 200))
	c.ridge(edge(9), Side-beach, sand, vary(r, rgb{218, 182, 122}, 10))
	for range r.Between(60, 110) { // pebbles and ripple marks
		y := r.Between(beach+10, Side)
		size := 100 + (y-beach)*3
		c.ellipse(r.Between(0, Side)<<8, y<<8, size+r.Below(160), size/2+60, vary(r, rgb{190, 152, 104}, 30), 110, 120)
	}
	c.place(r, Shore, beach+10, Side-4, 22, 40)
}

func (c *canvas) paintForest(r *random.Stream, m mood, horizon int) {
	ground := horizon + r.Between(8, 22)
	c.gradient(0, ground, mix(vary(r, rgb{128, 176, 120}, 16), m.horizon, 60), mix(vary(r, rgb{178, 208, 156}, 14), m.horizon, 80))
	for row := range 3 { // trunks, row after row towards the viewer
		fog := 150 - 60*row
		for range 6 - row {
			x, width := r.Between(-4, Side+4)<<8, r.Between(2+2*row, 4+3*row)<<8
			color := mix(vary(r, rgb{84, 62, 44}, 14), rgb{172, 200, 160}, fog)
			foot := ground - 4 + 5*row + r.Below(4)
			for y := range min(foot, Side) {
				flare := max(0, y-foot+8) * 24
				c.span(y, x-width/2-flare, x+width/2+flare, color, 256)
				c.span(y, x+width/8, x+width/2+flare, mix(color, rgb{20, 20, 14}, 60), 200)
			}
		}
		for range 16 { // canopy
			green := mix(vary(r, rgb{46, 104, 58}, 22), rgb{160, 200, 140}, fog)
			c.ellipse(r.Between(-4, Side+4)<<8, r.Between(-8, 26-5*row)<<8, r.Between(9, 18)<<8, r.Between(6, 11)<<8, green, 245, 70)
		}
	}
	line := newWaves(r, 26, 3)
	c.ridge(func(x int) int { return ground<<8 + line.at8(x) }, Side-ground, vary(r, rgb{92, 122, 58}, 14), vary(r, rgb{64, 70, 36}, 12))
	for range r.Between(70, 120) { // fallen leaves and moss
		y := r.Between(ground+3, Side)
		size := 130 + (y-ground)*4
		color := vary(r, [3]rgb{{126, 148, 66}, {154, 112, 56}, {70, 96, 44}}[r.Below(3)], 20)
		c.ellipse(r.Between(0, Side)<<8, y<<8, size+r.Below(240), size/2+80, color, 170, 100)
	}
	for range r.Between(0, 3) { // light through the leaves
		x, slope := r.Between(0, Side), r.Between(-40, 40)
		for y := range ground {
			left := (x + slope*y/100) << 8
			c.span(y, left, left+(5+y/9)<<8, rgb{255, 252, 214}, 38)
		}
	}
	c.place(r, Forest, ground+6, Side-4, 22, 44)
	for range r.Between(3, 9) { // ferns
		x := r.Between(0, Side)
		for range 5 {
			c.blade(x<<8, Side+2, r.Between(8, 20), r.Between(300, 520), r.Between(-13, 13), vary(r, rgb{70, 130, 60}, 18), 256)
		}
	}
}

func (c *canvas) paintMeadow(r *random.Stream, m mood, horizon int) {
	c.sky(r, m, horizon)
	c.hills(r, m, horizon, rgb{120, 170, 150}, rgb{110, 172, 84})
	line := newWaves(r, 40, 4)
	top, bottom := mix(vary(r, rgb{150, 206, 92}, 14), m.horizon, 30), vary(r, rgb{74, 150, 56}, 14)
	c.ridge(func(x int) int { return horizon<<8 + line.at8(x) }, Side-horizon, top, bottom)
	for range r.Between(90, 150) { // tufts
		depth := r.Below(1000)
		y := horizon + 4 + (Side-horizon)*depth/1000
		size := 2 + 7*(y-horizon)/max(Side-horizon, 1)
		c.blade(r.Between(0, Side)<<8, y, size+r.Below(3), 260+size*20, r.Between(-3, 3), mix(vary(r, rgb{104, 176, 70}, 26), bottom, 60), 220)
	}
	bloom := vary(r, [4]rgb{{250, 236, 120}, {250, 250, 250}, {238, 130, 160}, {180, 140, 230}}[r.Below(4)], 10)
	for range r.Between(14, 60) { // flowers
		y := r.Between(horizon+6, Side)
		size := 110 + (y-horizon)*5
		c.ellipse(r.Between(0, Side)<<8, y<<8, size, size*3/4, vary(r, bloom, 14), 240, 60)
	}
	c.place(r, Meadow, horizon+10, Side-4, 20, 38)
}

// place draws the scene's props, far ones smaller, and now and then one that fits any scene.
func (c *canvas) place(r *random.Stream, scene Scene, nearest, farthest, small, large int) {
	count := r.Between(1, 3)
	for i := range count {
		foot := nearest + (farthest-nearest)*(i*256+r.Below(256))/(count*256)
		size := small + (large-small)*(foot-nearest)/max(farthest-nearest, 1) + r.Between(-3, 3)
		own := props[scene]
		name := own[r.Below(len(own))]
		if r.Chance(25) {
			name, size = commonProps[r.Below(len(commonProps))], size*2/3
		}
		s := spriteNamed("props/" + name)
		c.stamp(s, pose{
			x8: r.Between(4, Side-4) << 8, y8: (foot - size/2) << 8, size: size,
			degrees: r.Between(-8, 8), mirrored: r.Chance(50),
			tint: newTint(r.Between(-6, 6), r.Between(60, 100), r.Between(78, 104)),
		}, nil)
	}
}
