// Package chroma makes RGB of luma and chroma as libjpeg and libwebp do: chroma stored at half resolution is interpolated, and
// the conversions are theirs in fixed point. Go's own repeats samples, which shifts colours at edges.
package chroma

import "image"

// Converter makes RGB of an image, a row at a time.
type Converter struct {
	img     *image.YCbCr
	convert func(to, luma, cb, cr []uint8)
	up      *Upsampler // nil where chroma is whole
	cb, cr  []uint8    // of one row
}

// NewConverter is for an image at the origin. studio says that luma and chroma are in the studio range 16–235, as in WebP, and
// not in JPEG's full range.
func NewConverter(img *image.YCbCr, studio bool) *Converter {
	c := &Converter{img: img, convert: FullRange}
	if studio {
		c.convert = StudioRange
	}
	width, height := img.Rect.Dx(), img.Rect.Dy()
	halfX := img.SubsampleRatio == image.YCbCrSubsampleRatio420 || img.SubsampleRatio == image.YCbCrSubsampleRatio422
	halfY := img.SubsampleRatio == image.YCbCrSubsampleRatio420 || img.SubsampleRatio == image.YCbCrSubsampleRatio440
	across, down := width, height
	if halfX {
		across = (width + 1) / 2
	}
	if halfY {
		down = (height + 1) / 2
	}
	if halfX || halfY {
		c.up = NewUpsampler(halfX, halfY, across, down)
	}
	c.cb, c.cr = make([]uint8, 2*across), make([]uint8, 2*across)
	return c
}

// Row writes row y, 3 bytes a pixel.
func (c *Converter) Row(to []uint8, y int) {
	img := c.img
	if c.up != nil {
		c.up.Row(c.cb, img.Cb, img.CStride, y)
		c.up.Row(c.cr, img.Cr, img.CStride, y)
	} else { // 4:4:4, and the rare quarter ratios, which libjpeg repeats too
		for x := range img.Rect.Dx() {
			at := img.COffset(img.Rect.Min.X+x, img.Rect.Min.Y+y)
			c.cb[x], c.cr[x] = img.Cb[at], img.Cr[at]
		}
	}
	c.convert(to, img.Y[y*img.YStride:], c.cb, c.cr)
}

// Upsampler interpolates a plane stored at half resolution with the triangle filter that libjpeg calls "fancy upsampling"
// (jdsample.c) and libwebp uses too: ¾ of the nearer sample and ¼ of the farther one, along each halved axis.
type Upsampler struct {
	halfX, halfY  bool
	width, height int
	sums          []int32
}

// NewUpsampler is for planes of width × height samples, halved along one axis or both.
func NewUpsampler(halfX, halfY bool, width, height int) *Upsampler {
	return &Upsampler{halfX: halfX, halfY: halfY, width: width, height: height, sums: make([]int32, width)}
}

// Row writes what row y of the pixels has of a plane; to has 2·width values where the plane is halved across, else width.
func (u *Upsampler) Row(to, plane []uint8, stride, y int) {
	near, far, odd := y, y, int32(y&1)
	if u.halfY {
		near = y / 2
		far = min(max(near-1+2*(y&1), 0), u.height-1) // the row above for even rows, below for odd
	}
	u.row(to, plane[near*stride:][:u.width], plane[far*stride:][:u.width], odd)
}

// row has libjpeg's rounding. odd is the parity of the row.
func (u *Upsampler) row(to, near, far []uint8, odd int32) {
	sums := u.sums
	n := len(sums)
	switch {
	case u.halfY && !u.halfX: // h1v2: bias 1 on the upper row, 2 on the lower, so that neither drifts
		for x := range n {
			to[x] = uint8((3*int32(near[x]) + int32(far[x]) + 1 + odd) >> 2)
		}
	case u.halfY: // h2v2, in sixteenths
		for x := range n {
			sums[x] = 3*int32(near[x]) + int32(far[x])
		}
		to[0], to[2*n-1] = uint8((4*sums[0]+8)>>4), uint8((4*sums[n-1]+7)>>4)
		for x := range n - 1 {
			to[2*x+1] = uint8((3*sums[x] + sums[x+1] + 7) >> 4)
			to[2*x+2] = uint8((3*sums[x+1] + sums[x] + 8) >> 4)
		}
	default: // h2v1, in quarters
		to[0], to[2*n-1] = near[0], near[n-1]
		for x := range n - 1 {
			a, b := int32(near[x]), int32(near[x+1])
			to[2*x+1] = uint8((3*a + b + 2) >> 2)
			to[2*x+2] = uint8((3*b + a + 1) >> 2)
		}
	}
}

// The full-range (JFIF) conversion in 16-bit fixed point, by table as libjpeg's jdcolor.c:
//
//	R = Y + 1.402·(Cr−128),  G = Y − 0.344136·(Cb−128) − 0.714136·(Cr−128),  B = Y + 1.772·(Cb−128)
var crToR, cbToB, cbToG, crToG = func() (r, b, gb, gr [256]int32) {
	for i := range 256 {
		v := int32(i) - 128
		r[i] = (91881*v + 1<<15) >> 16
		b[i] = (116130*v + 1<<15) >> 16
		gb[i] = -22554*v + 1<<15
		gr[i] = -46802 * v
	}
	return
}()

// FullRange writes a row of RGB from luma and chroma of the full range 0–255, as JPEG's are.
func FullRange(to, luma, cb, cr []uint8) {
	n := len(to) / 3
	luma, cb, cr = luma[:n], cb[:n], cr[:n]
	for x, l := range luma {
		y := int32(l)
		p := to[3*x : 3*x+3 : 3*x+3]
		p[0] = clamp8(y + crToR[cr[x]])
		p[1] = clamp8(y + (cbToG[cb[x]]+crToG[cr[x]])>>16)
		p[2] = clamp8(y + cbToB[cb[x]])
	}
}

// StudioRange is libwebp's conversion (src/dsp/yuv.h): ITU-R BT.601 with luma in 16–235.
func StudioRange(to, luma, cb, cr []uint8) {
	n := len(to) / 3
	luma, cb, cr = luma[:n], cb[:n], cr[:n]
	for x, l := range luma {
		y, u, v := int32(l)*19077>>8, int32(cb[x]), int32(cr[x])
		p := to[3*x : 3*x+3 : 3*x+3]
		p[0] = clamp8((y + v*26149>>8 - 14234) >> 6)
		p[1] = clamp8((y - u*6419>>8 - v*13320>>8 + 8708) >> 6)
		p[2] = clamp8((y + u*33050>>8 - 17685) >> 6)
	}
}

func clamp8(v int32) uint8 {
	if uint32(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return uint8(v)
}
