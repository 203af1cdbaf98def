package inference

import (
	"context"
	"encoding/binary"
	"image"
	"image/color"
	"io"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/picture/chroma"
)

// decode turns a file into RGB as PIL's convert("RGB") does: palettes looked up, alpha dropped (not composited), CMYK multiplied
// out, 16-bit grey rounded to 8. Nothing is rotated. use may read the pixels until it returns; own is the memory in bytes that
// use itself needs.
func decode(ctx context.Context, file io.ReadSeeker, own func(picture.Header) int64, use func(*raster, picture.Header) error) error {
	weigh := func(h picture.Header) int64 { return 3*h.Pixels() + own(h) }
	return picture.Process().Decode(ctx, file, weigh, func(_ context.Context, img image.Image, h picture.Header) error {
		return use(toRaster(img, h.Format == "webp"), h)
	})
}

// toRaster drops alpha and brings every colour model to 8-bit RGB. studio says that luma and chroma
// are in the studio range 16–235, as in WebP, and not in JPEG's full range.
func toRaster(img image.Image, studio bool) *raster {
	b := img.Bounds()
	out := newRaster(b.Dx(), b.Dy())
	switch img := img.(type) {
	case *image.YCbCr:
		fromYCbCr(out, img, studio)
	case *image.NYCbCrA:
		fromYCbCr(out, &img.YCbCr, studio)
	case *image.Gray:
		for y := range out.height {
			row := img.Pix[y*img.Stride:][:out.width]
			for x, v := range row {
				p := out.pix[3*(y*out.width+x):][:3]
				p[0], p[1], p[2] = v, v, v
			}
		}
	case *image.Gray16:
		for y := range out.height {
			row := img.Pix[y*img.Stride:][:2*out.width]
			for x := range out.width {
				v := uint8((uint32(binary.BigEndian.Uint16(row[2*x:])) + 128) / 257)
				p := out.pix[3*(y*out.width+x):][:3]
				p[0], p[1], p[2] = v, v, v
			}
		}
	case *image.RGBA: // files that decode to it are opaque, so that nothing is premultiplied
		fromRGBX(out, img.Pix, img.Stride, 4, 1)
	case *image.NRGBA:
		fromRGBX(out, img.Pix, img.Stride, 4, 1)
	case *image.RGBA64: // PIL keeps the upper byte of 16-bit colour
		fromRGBX(out, img.Pix, img.Stride, 8, 2)
	case *image.NRGBA64:
		fromRGBX(out, img.Pix, img.Stride, 8, 2)
	case *image.CMYK:
		fromCMYK(out, img)
	case *image.Paletted:
		fromPaletted(out, img)
	default:
		for y := range out.height {
			for x := range out.width {
				c := color.NRGBAModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
				p := out.pix[3*(y*out.width+x):][:3]
				p[0], p[1], p[2] = c.R, c.G, c.B
			}
		}
	}
	return out
}

func fromYCbCr(out *raster, img *image.YCbCr, studio bool) {
	rows := chroma.NewConverter(img, studio)
	for y := range out.height {
		rows.Row(out.pix[3*y*out.width:][:3*out.width], y)
	}
}

// fromRGBX copies every step-th byte triple of pixels of size bytes each.
func fromRGBX(out *raster, pix []uint8, stride, size, step int) {
	for y := range out.height {
		row := pix[y*stride:][:size*out.width]
		to := out.pix[3*y*out.width:][:3*out.width]
		for x := range out.width {
			to[3*x], to[3*x+1], to[3*x+2] = row[size*x], row[size*x+step], row[size*x+2*step]
		}
	}
}

func fromPaletted(out *raster, img *image.Paletted) {
	var palette [256][3]uint8
	for i, c := range img.Palette {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		if i < len(palette) {
			palette[i] = [3]uint8{n.R, n.G, n.B}
		}
	}
	for y := range out.height {
		for x, v := range img.Pix[y*img.Stride:][:out.width] {
			copy(out.pix[3*(y*out.width+x):][:3], palette[v][:])
		}
	}
}

// fromCMYK multiplies the inks out as PIL does: (255−k)·(255−c)/255.
func fromCMYK(out *raster, img *image.CMYK) {
	for y := range out.height {
		row := img.Pix[y*img.Stride:][:4*out.width]
		to := out.pix[3*y*out.width:][:3*out.width]
		for x := range out.width {
			white := 255 - uint32(row[4*x+3])
			for c := range 3 {
				t := uint32(row[4*x+c])*white + 128 // MULDIV255: exact division by 255, rounded
				to[3*x+c] = uint8(white - (t>>8+t)>>8)
			}
		}
	}
}
