package inference

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// DefaultMaxPixels is the largest picture decoded unless told otherwise: 100 megapixels take about
// half a gigabyte while they are decoded.
const DefaultMaxPixels = 100_000_000

// ErrNotPicture is a file that is none of the formats the studio reads.
var ErrNotPicture = errors.New("not a picture (JPEG, PNG, WebP, BMP or TIFF)")

// PictureInfo is what a picture's header says.
type PictureInfo struct {
	Format        string // "jpeg", "png", "webp", "bmp", "tiff"
	Width, Height int    // pixels as stored
	Orientation   int    // EXIF orientation 1 to 8; 1 where there is none
}

// format is one kind of file: how to know it, and how to read it.
type format struct {
	name   string
	magic  func(data []byte) bool
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

func prefix(magics ...string) func([]byte) bool {
	return func(data []byte) bool {
		for _, m := range magics {
			if bytes.HasPrefix(data, []byte(m)) {
				return true
			}
		}
		return false
	}
}

var formats = []format{
	{"jpeg", prefix("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode},
	{"png", prefix("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode},
	{"webp", func(d []byte) bool { return len(d) >= 12 && string(d[:4]) == "RIFF" && string(d[8:12]) == "WEBP" }, webp.DecodeConfig, webp.Decode},
	{"bmp", prefix("BM"), bmp.DecodeConfig, bmp.Decode},
	{"tiff", prefix("II*\x00", "MM\x00*"), tiff.DecodeConfig, tiff.Decode},
}

// Inspect reads a picture's header without decoding it. maxPixels bounds width × height (0:
// DefaultMaxPixels; *TooLargeError). The pixels themselves may still turn out to be broken.
func Inspect(data []byte, maxPixels int64) (PictureInfo, error) {
	_, info, err := inspect(data, maxPixels)
	return info, err
}

func inspect(data []byte, maxPixels int64) (f format, info PictureInfo, err error) {
	// The codecs are other people's; whatever they do with hostile bytes becomes an error.
	defer recovered("reading the header", &err)
	if maxPixels <= 0 {
		maxPixels = DefaultMaxPixels
	}
	for _, f = range formats {
		if !f.magic(data) {
			continue
		}
		c, err := f.config(bytes.NewReader(data))
		if err != nil {
			return f, info, fmt.Errorf("reading the %s header: %w", f.name, truncation(err))
		}
		if f.name == "webp" { // the canvas and the frame within may disagree
			w, h := webpFrame(data)
			c.Width, c.Height = max(c.Width, w), max(c.Height, h)
		}
		info = PictureInfo{Format: f.name, Width: c.Width, Height: c.Height, Orientation: 1}
		switch {
		case c.Width < 1 || c.Height < 1:
			return f, info, fmt.Errorf("reading the %s header: the picture is %d×%d pixels", f.name, c.Width, c.Height)
		case int64(c.Width) > maxPixels/int64(c.Height):
			return f, info, &TooLargeError{Width: c.Width, Height: c.Height, MaxPixels: maxPixels}
		}
		info.Orientation = orientation(f.name, data)
		return f, info, nil
	}
	return f, info, ErrNotPicture
}

// decode turns a file into RGB as PIL's convert("RGB") does: palettes looked up, alpha dropped (not
// composited), CMYK multiplied out, 16-bit grey rounded to 8. Nothing is rotated.
func decode(data []byte, maxPixels int64) (r *raster, info PictureInfo, err error) {
	f, info, err := inspect(data, maxPixels)
	if err != nil {
		return nil, info, err
	}
	defer recovered("decoding the "+f.name, &err)
	img, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return nil, info, fmt.Errorf("decoding the %s: %w", f.name, truncation(err))
	}
	return toRaster(img, f.name == "webp"), info, nil
}

// recovered turns a panic of a codec into an error.
func recovered(doing string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: the file is malformed: %v", doing, p)
	}
}

// truncation says in words what an early end of file means.
func truncation(err error) error {
	// The codecs' own words for an end within the pixels.
	shortScan, shortRows := jpeg.FormatError("short Huffman data"), png.FormatError("not enough pixel data")
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, shortScan) || errors.Is(err, shortRows) {
		return fmt.Errorf("the file ends too early (truncated): %w", err)
	}
	return err
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
	case *image.RGBA: // opaque in the files that decode to it, so nothing is premultiplied
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

// webpFrame finds the size of the frame inside a WebP container, 0×0 where there is none.
func webpFrame(data []byte) (width, height int) {
	for at := 12; at+8 <= len(data); {
		size := int64(binary.LittleEndian.Uint32(data[at+4:]))
		body := data[at+8:]
		switch string(data[at : at+4]) {
		case "VP8 ":
			if len(body) >= 10 {
				return int(binary.LittleEndian.Uint16(body[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(body[8:]) & 0x3fff)
			}
		case "VP8L":
			if len(body) >= 5 {
				bits := binary.LittleEndian.Uint32(body[1:])
				return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1
			}
		}
		if size > int64(len(body)) {
			return 0, 0
		}
		at += 8 + int(size+size&1)
	}
	return 0, 0
}
