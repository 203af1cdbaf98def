package inference

import "github.com/abn-studio/studio/internal/picture"

// raster is a decoded picture: 8-bit RGB, interleaved, rows from the top, without alpha.
type raster struct {
	width, height int
	pix           []uint8 // 3·width·height
}

func newRaster(width, height int) *raster {
	return &raster{width: width, height: height, pix: make([]uint8, 3*width*height)}
}

// orient returns the picture as an EXIF orientation (1 to 8) wants it shown.
func (r *raster) orient(orientation int) *raster {
	if orientation < 2 || orientation > 8 {
		return r
	}
	out := newRaster(picture.Header{Width: r.width, Height: r.height, Orientation: orientation}.Shown())
	for y := range out.height {
		for x := range out.width {
			sx, sy := x, y
			if orientation >= 5 { // 5 to 8 exchange the axes
				sx, sy = y, x
			}
			if orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8 {
				sx = r.width - 1 - sx
			}
			if orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7 {
				sy = r.height - 1 - sy
			}
			copy(out.pix[3*(y*out.width+x):][:3], r.pix[3*(sy*r.width+sx):][:3])
		}
	}
	return out
}

// luma replaces each pixel by its luminance, as PIL's convert("L") computes it (ITU-R 601-2).
func (r *raster) luma() {
	for i := 0; i < len(r.pix); i += 3 {
		p := r.pix[i : i+3 : i+3]
		l := uint8((uint32(p[0])*19595 + uint32(p[1])*38470 + uint32(p[2])*7471 + 0x8000) >> 16)
		p[0], p[1], p[2] = l, l, l
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
