package aviary

import (
	"bytes"
	"embed"
	"fmt"
	"image"
	"image/color"
	"math"
	"sync"

	"golang.org/x/image/webp"
)

//go:embed birds/*.webp props/*.webp
var spriteFiles embed.FS

// sprite is a picture with transparency, cut to what is visible: premultiplied channels, at falling sizes.
type sprite struct{ levels []level }

// level is one size of a sprite: pix[(y·width+x)·4+channel], red, green, blue times opacity, opacity.
type level struct {
	width, height int
	pix           []uint8
}

var sprites = struct {
	sync.Mutex
	byName map[string]func() *sprite
}{byName: map[string]func() *sprite{}}

// spriteNamed returns an embedded sprite such as "birds/owl". One that cannot be decoded is returned as a transparent pixel: they are
// part of the program, and the package's tests decode each.
func spriteNamed(name string) *sprite {
	sprites.Lock()
	load, ok := sprites.byName[name]
	if !ok {
		load = sync.OnceValue(func() *sprite {
			s, err := loadSprite(name)
			if err != nil {
				return &sprite{levels: []level{{width: 1, height: 1, pix: make([]uint8, 4)}}}
			}
			return s
		})
		sprites.byName[name] = load
	}
	sprites.Unlock()
	return load()
}

func loadSprite(name string) (*sprite, error) {
	data, err := spriteFiles.ReadFile(name + ".webp")
	if err != nil {
		return nil, fmt.Errorf("loading sprite: %w", err)
	}
	picture, err := webp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("loading sprite %s: %w", name, err)
	}
	first := toLevel(picture)
	s := &sprite{levels: []level{first}}
	for last := first; min(last.width, last.height) > 24; {
		last = last.half()
		s.levels = append(s.levels, last)
	}
	return s, nil
}

// toLevel premultiplies and cuts away the transparent border.
func toLevel(picture image.Image) level {
	bounds := picture.Bounds()
	var seen image.Rectangle
	at := func(x, y int) color.NRGBA { return color.NRGBAModel.Convert(picture.At(x, y)).(color.NRGBA) }
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if at(x, y).A > 8 {
				seen = seen.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	l := level{width: seen.Dx(), height: seen.Dy(), pix: make([]uint8, 0, seen.Dx()*seen.Dy()*4)}
	for y := seen.Min.Y; y < seen.Max.Y; y++ {
		for x := seen.Min.X; x < seen.Max.X; x++ {
			p := at(x, y)
			a := int(p.A)
			l.pix = append(l.pix, uint8(int(p.R)*a/255), uint8(int(p.G)*a/255), uint8(int(p.B)*a/255), p.A)
		}
	}
	return l
}

// half averages squares of four pixels; beyond an odd last row or column it averages with transparent ones.
func (l level) half() level {
	out := level{width: (l.width + 1) / 2, height: (l.height + 1) / 2}
	out.pix = make([]uint8, out.width*out.height*4)
	for y := range out.height {
		for x := range out.width {
			for channel := range 4 {
				sum := 0
				for i := range 4 {
					sum += l.at(2*x+i%2, 2*y+i/2, channel)
				}
				out.pix[(y*out.width+x)*4+channel] = uint8((sum + 2) / 4)
			}
		}
	}
	return out
}

func (l level) at(x, y, channel int) int {
	if uint(x) >= uint(l.width) || uint(y) >= uint(l.height) {
		return 0
	}
	return int(l.pix[(y*l.width+x)*4+channel])
}

// sample reads between pixels (bilinear); x16 and y16 are in 16.16 fixed point, pixel centres at halves.
func (l level) sample(x16, y16 int) (out [4]int) {
	x16, y16 = x16-1<<15, y16-1<<15
	x, y, fx, fy := x16>>16, y16>>16, x16>>8&0xff, y16>>8&0xff
	if x < -1 || y < -1 || x >= l.width || y >= l.height {
		return out
	}
	weights := [4]int{(256 - fx) * (256 - fy), fx * (256 - fy), (256 - fx) * fy, fx * fy}
	for i, weight := range weights {
		px, py := x+i&1, y+i>>1
		if weight == 0 || uint(px) >= uint(l.width) || uint(py) >= uint(l.height) {
			continue
		}
		p := l.pix[(py*l.width+px)*4:][:4]
		for channel := range out {
			out[channel] += int(p[channel]) * weight
		}
	}
	for channel := range out {
		out[channel] = (out[channel] + 1<<15) >> 16
	}
	return out
}

// tint changes colours by a matrix in 1/4096: a turn of the hue, then saturation and brightness.
type tint [3][3]int

// newTint makes a tint from a turn of the hue in degrees and from percentages of saturation and brightness.
func newTint(degrees, saturation, brightness int) tint {
	sin, cos := sine(degrees), sine(degrees+90)
	weights := [3]int{872, 2930, 294} // of 4096: ITU-R BT.709 luma
	// A turn about the grey axis that keeps the luma (the matrix of SVG's feColorMatrix hueRotate).
	turn := [3][3]int{
		{weights[0] + (4096-weights[0])*cos/65536 - weights[0]*sin/65536, weights[1] - weights[1]*cos/65536 - weights[1]*sin/65536, weights[2] - weights[2]*cos/65536 + (4096-weights[2])*sin/65536},
		{weights[0] - weights[0]*cos/65536 + 586*sin/65536, weights[1] + (4096-weights[1])*cos/65536 + 573*sin/65536, weights[2] - weights[2]*cos/65536 - 1159*sin/65536},
		{weights[0] - weights[0]*cos/65536 - (4096-weights[0])*sin/65536, weights[1] - weights[1]*cos/65536 + weights[1]*sin/65536, weights[2] + (4096-weights[2])*cos/65536 + weights[2]*sin/65536},
	}
	var out tint
	for i := range out {
		for j := range out[i] {
			out[i][j] = (turn[i][j]*saturation + weights[j]*(100-saturation)) * brightness / 10000
		}
	}
	return out
}

// sine returns sin(degrees) in units of 1/65536. Rounding removes the last bits, in which processors differ.
func sine(degrees int) int {
	return int(math.Round(math.Sin(float64(degrees)*math.Pi/180) * 65536))
}

// pose says where and how a sprite is drawn in a picture.
type pose struct {
	x8, y8   int // centre
	size     int // longer side of what is visible, in pixels, before turning
	degrees  int // turned clockwise
	mirrored bool
	tint     tint
}

// stamp draws a sprite. If mask is not nil, it is set to the sprite's opacity (0 to 255).
func (c *canvas) stamp(s *sprite, p pose, mask *[Side * Side]uint8) {
	// Use the level of which a picture pixel covers at most two pixels along each axis.
	l := s.levels[0]
	for _, smaller := range s.levels[1:] {
		if max(smaller.width, smaller.height) < p.size {
			break
		}
		l = smaller
	}
	long := max(l.width, l.height)
	scale := long * 65536 / max(p.size, 1) // sprite pixels a picture pixel, 16.16
	sin, cos := sine(p.degrees), sine(p.degrees+90)
	reach := p.size*3/4 + 2
	for y := p.y8>>8 - reach; y <= p.y8>>8+reach; y++ {
		for x := p.x8>>8 - reach; x <= p.x8>>8+reach; x++ {
			if uint(x) >= Side || uint(y) >= Side {
				continue
			}
			var sum [4]int
			for sub := range 4 { // four samples a pixel
				dx, dy := x<<8+64+sub&1*128-p.x8, y<<8+64+sub>>1*128-p.y8
				u, v := (dx*cos+dy*sin)>>8, (dy*cos-dx*sin)>>8 // 16.16 picture pixels
				if p.mirrored {
					u = -u
				}
				u16 := u*(scale>>4)>>12 + l.width<<15
				v16 := v*(scale>>4)>>12 + l.height<<15
				got := l.sample(u16, v16)
				for i := range sum {
					sum[i] += got[i]
				}
			}
			alpha := sum[3] / 4
			if alpha == 0 {
				continue
			}
			at := c.pix[(y*Side+x)*3:][:3]
			for i := range at {
				v := (p.tint[i][0]*sum[0] + p.tint[i][1]*sum[1] + p.tint[i][2]*sum[2]) >> 14
				at[i] = uint8(clamp(v, 0, alpha) + (int(at[i])*(255-alpha)+127)/255)
			}
			if mask != nil {
				mask[y*Side+x] = uint8(alpha)
			}
		}
	}
}
