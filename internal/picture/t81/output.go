package t81

import (
	"fmt"
	"image"

	"github.com/abn-studio/studio/internal/picture/chroma"
)

// colours are what a frame's components mean.
type colours int

const (
	luma colours = iota
	ycc
	rgb
	cmyk
	ycck
)

// colours guesses as libjpeg does (jdapimin.c).
func (f Frame) colours() colours {
	switch c := f.Components; {
	case len(c) == 1:
		return luma
	case len(c) == 4 && f.Adobe > 0:
		return ycck
	case len(c) == 4:
		return cmyk
	case f.JFIF:
		return ycc
	case f.Adobe >= 0:
		if f.Adobe == 0 {
			return rgb
		}
		return ycc
	case f.Lossless(), c[0].ID == 'R' && c[1].ID == 'G' && c[2].ID == 'B':
		return rgb
	}
	return ycc
}

// image makes the planes an image, once all scans are read.
func (d *decoder) image() (image.Image, error) {
	if d.planes == nil {
		return nil, fmt.Errorf("it has no scan")
	}
	for i := range d.planes {
		p := &d.planes[i]
		if !p.seen {
			return nil, fmt.Errorf("it has no scan of component %d", p.ID)
		}
		for at := range p.blocks {
			idct(p.samples[8*(at/p.across)*p.stride+8*(at%p.across):], p.stride, &p.blocks[at], p.table)
		}
	}
	width, height := d.frame.Width, d.frame.Height
	bounds := image.Rect(0, 0, width, height)
	all := d.planes
	switch c := d.frame.colours(); c {
	case luma:
		return &image.Gray{Pix: all[0].samples, Stride: all[0].stride, Rect: bounds}, nil
	case ycc:
		out := &image.YCbCr{SubsampleRatio: image.YCbCrSubsampleRatio444, Rect: bounds, CStride: width}
		out.Y, out.YStride = d.full(&all[0])
		if d.isFull(&all[1]) && d.isFull(&all[2]) {
			out.Cb, out.CStride = d.full(&all[1])
			out.Cr, _ = d.full(&all[2])
			return out, nil
		}
		out.Cb, out.Cr = d.upsampled(&all[1]), d.upsampled(&all[2])
		return out, nil
	default:
		pix := make([]uint8, 4*width*height)
		d.interleave(pix, c)
		if c == rgb {
			return &image.RGBA{Pix: pix, Stride: 4 * width, Rect: bounds}, nil
		}
		return &image.CMYK{Pix: pix, Stride: 4 * width, Rect: bounds}, nil
	}
}

// isFull says that a plane has a sample for each pixel.
func (d *decoder) isFull(p *plane) bool {
	across, down := d.frame.factors()
	return p.H == across && p.V == down
}

// full is a plane with a sample for each pixel.
func (d *decoder) full(p *plane) (samples []uint8, stride int) {
	if d.isFull(p) {
		return p.samples, p.stride
	}
	return d.upsampled(p), d.frame.Width
}

// upsampled is a copy of a plane with a sample for each pixel and nothing beside them.
func (d *decoder) upsampled(p *plane) []uint8 {
	width := d.frame.Width
	out := make([]uint8, width*d.frame.Height)
	row := d.rows(p)
	for y := range d.frame.Height {
		copy(out[y*width:][:width], row(y))
	}
	return out
}

// rows returns a function that gives a plane's samples for each pixel of a row; they are good until it is called again.
func (d *decoder) rows(p *plane) func(y int) []uint8 {
	across, down := d.frame.factors()
	if d.isFull(p) {
		return func(y int) []uint8 { return p.samples[y*p.stride:] }
	}
	// Halves are interpolated, as libjpeg has it (jdsample.c); any other proportion is repeated.
	halfX, halfY := 2*p.H == across, 2*p.V == down
	if (halfX || p.H == across) && (halfY || p.V == down) && (!halfX || p.width > 2) {
		up := chroma.NewUpsampler(halfX, halfY, p.width, p.height)
		buffer := make([]uint8, 2*p.width)
		return func(y int) []uint8 {
			up.Row(buffer, p.samples, p.stride, y)
			return buffer
		}
	}
	buffer := make([]uint8, d.frame.Width)
	return func(y int) []uint8 {
		from := p.samples[y*p.V/down*p.stride:]
		for x := range buffer {
			buffer[x] = from[x*p.H/across]
		}
		return buffer
	}
}

// interleave writes RGB and an opaque alpha, or inks.
func (d *decoder) interleave(pix []uint8, c colours) {
	width := d.frame.Width
	var rows [4]func(int) []uint8
	for i := range d.planes {
		rows[i] = d.rows(&d.planes[i])
	}
	colour := make([]uint8, 3*width)
	for y := range d.frame.Height {
		first, second, third := rows[0](y), rows[1](y), rows[2](y)
		fourth := colour // RGB has no fourth
		if c != rgb {
			fourth = rows[3](y)
		}
		if c == ycck {
			chroma.FullRange(colour, first, second, third)
		}
		to := pix[4*y*width:][:4*width]
		for x := range width {
			p := to[4*x:][:4]
			switch c {
			case rgb:
				p[0], p[1], p[2], p[3] = first[x], second[x], third[x], 255
			case ycck: // the inks are what the colours lack, and inverted that is the colours
				p[0], p[1], p[2], p[3] = colour[3*x], colour[3*x+1], colour[3*x+2], 255-fourth[x]
			default:
				p[0], p[1], p[2], p[3] = 255-first[x], 255-second[x], 255-third[x], 255-fourth[x]
			}
		}
	}
}
