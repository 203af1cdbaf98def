package inference

import "image"

// fromYCbCr converts luma and chroma planes to RGB. Chroma stored at half resolution is interpolated
// with the triangle filter that libjpeg calls "fancy upsampling" (jdsample.c) and libwebp uses too:
// ¾ of the nearer sample and ¼ of the farther one, along each halved axis. Go's own conversion
// repeats samples, which shifts colours at edges.
func fromYCbCr(out *raster, img *image.YCbCr, studio bool) {
	width, height := out.width, out.height
	convert := fullRange
	if studio {
		convert = studioRange
	}
	halfX := img.SubsampleRatio == image.YCbCrSubsampleRatio420 || img.SubsampleRatio == image.YCbCrSubsampleRatio422
	halfY := img.SubsampleRatio == image.YCbCrSubsampleRatio420 || img.SubsampleRatio == image.YCbCrSubsampleRatio440
	if !halfX && !halfY { // 4:4:4, and the rare quarter ratios, which libjpeg repeats too
		cb, cr := make([]uint8, width), make([]uint8, width)
		for y := range height {
			for x := range width {
				at := img.COffset(img.Rect.Min.X+x, img.Rect.Min.Y+y)
				cb[x], cr[x] = img.Cb[at], img.Cr[at]
			}
			convert(out.pix[3*y*width:][:3*width], img.Y[y*img.YStride:], cb, cr)
		}
		return
	}
	cw, ch := width, height
	if halfX {
		cw = (width + 1) / 2
	}
	if halfY {
		ch = (height + 1) / 2
	}
	up := upsampler{halfX: halfX, sums: make([]int32, cw)}
	cb, cr := make([]uint8, 2*cw), make([]uint8, 2*cw)
	for y := range height {
		near, far := y, y
		if halfY {
			near = y / 2
			far = min(max(near-1+2*(y&1), 0), ch-1) // the row above for even rows, below for odd
		}
		up.row(cb, img.Cb[near*img.CStride:][:cw], img.Cb[far*img.CStride:][:cw], halfY, y&1)
		up.row(cr, img.Cr[near*img.CStride:][:cw], img.Cr[far*img.CStride:][:cw], halfY, y&1)
		convert(out.pix[3*y*width:][:3*width], img.Y[y*img.YStride:], cb, cr)
	}
}

// upsampler interpolates one row of chroma at a time, with libjpeg's rounding.
type upsampler struct {
	halfX bool
	sums  []int32
}

// row writes the chroma of one row of pixels. odd is the parity of that row.
func (u upsampler) row(to, near, far []uint8, halfY bool, odd int) {
	sums := u.sums
	n := len(sums)
	switch {
	case halfY && !u.halfX: // h1v2: bias 1 on the upper row, 2 on the lower, so that neither drifts
		for x := range n {
			to[x] = uint8((3*int32(near[x]) + int32(far[x]) + 1 + int32(odd)) >> 2)
		}
		return
	case halfY: // h2v2, in sixteenths
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

func fullRange(to, luma, cb, cr []uint8) {
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

// studioRange is libwebp's conversion (src/dsp/yuv.h): ITU-R BT.601 with luma in 16–235.
func studioRange(to, luma, cb, cr []uint8) {
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
