package picture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"

	"golang.org/x/image/tiff"
)

// TIFF tags that say how a picture is stored.
const (
	tagSubfile             = 254
	tagBits                = 258
	tagCompression         = 259
	tagPhotometric         = 262
	tagFillOrder           = 266
	tagOrientation         = 274
	tagSamples             = 277
	tagRowsPerStrip        = 278
	tagPlanes              = 284
	tagPredictor           = 317
	tagTileWidth           = 322
	tagTileLength          = 323
	tagExtraSamples        = 338
	tagSampleFormat        = 339
	photometricRGB         = 2
	photometricBlackIsZero = 1
	alphaMultiplied        = 1
	alphaOnItsOwn          = 2
	pagesWorthCounts       = 1000
)

// tiffRefusals are values of tags that package tiff does not read, each as a sentence about the file goes on after "it".
var tiffRefusals = map[uint16]map[int64]string{
	tagCompression: {
		2: "is compressed with CCITT runs", 6: "is compressed with JPEG", 7: "is compressed with JPEG", 34712: "is compressed with JPEG 2000", 34925: "is compressed with LZMA",
		50000: "is compressed with Zstandard", 50001: "is compressed with WebP", 50002: "is compressed with JPEG XL",
	},
	tagPhotometric: {4: "is a transparency mask", 5: "is CMYK", 6: "is YCbCr", 8: "is CIELab", 9: "is ICCLab", 10: "is ITULab", 32803: "is raw from a sensor"},
}

// tiffCompressions are those that package tiff reads.
var tiffCompressions = []int64{0, 1, 3, 4, 5, 8, 32773, 32946}

// readTIFF leaves a file to package tiff, which checks some of what it does not read only once it comes to the pixels. The first
// page is the picture. It is turned as its orientation says, whoever asks: so does PIL, for this format alone.
func readTIFF(file *io.SectionReader, h *Header) error {
	if head := span(file, 0, 4); len(head) == 4 && (head[2] == '+' || head[3] == '+') {
		return errors.New("it is a BigTIFF, which is not read: save it as TIFF or PNG")
	}
	tags := tiffTags(file, file.Size(), tagBits, tagCompression, tagPhotometric, tagFillOrder, tagOrientation, tagSamples, tagRowsPerStrip,
		tagPlanes, tagPredictor, tagTileWidth, tagTileLength, tagExtraSamples, tagSampleFormat)
	if what := unsupportedTIFF(tags); what != "" {
		return fmt.Errorf("it %s, which is not read: save it uncompressed or with LZW or Deflate, with 8 bits a sample, in grey or RGB, or as PNG", what)
	}
	c, err := tiff.DecodeConfig(file)
	if err != nil {
		return err
	}
	h.Width, h.Height, h.Frames = c.Width, c.Height, tiffPages(file)
	weighTIFF(tags, c, h)
	orientation := tags[tagOrientation]
	if orientation >= 2 && orientation <= 8 {
		h.Weight += h.Pixels() * bytesPerPixel(c.ColorModel)
	}
	if orientation >= 5 && orientation <= 8 {
		h.Width, h.Height = h.Height, h.Width
	}
	// White runs are zeros, which this photometric calls black; package tiff takes them for white.
	fax := tags[tagCompression] == 3 || tags[tagCompression] == 4
	multiplied := tags[tagPhotometric] == photometricRGB && tags[tagExtraSamples] == alphaMultiplied
	h.decode = func(ctx context.Context, data []byte) (image.Image, error) {
		img, err := streamed(tiff.Decode)(ctx, data)
		if err != nil {
			return nil, err
		}
		if multiplied {
			img = divided(img)
		}
		if grey, ok := img.(*image.Gray); ok && fax && tags[tagPhotometric] == photometricBlackIsZero {
			for i := range grey.Pix {
				grey.Pix[i] = 255 - grey.Pix[i]
			}
		}
		return turned(img, int(orientation)), nil
	}
	return nil
}

// unsupportedTIFF says what of a file is not read; "" for nothing.
func unsupportedTIFF(tags map[uint16]int64) string {
	compression, photometric, samples := tags[tagCompression], tags[tagPhotometric], max(1, tags[tagSamples])
	for _, tag := range []uint16{tagCompression, tagPhotometric} {
		if what := tiffRefusals[tag][tags[tag]]; what != "" {
			return what
		}
	}
	switch bits := tags[tagBits]; {
	case !slices.Contains(tiffCompressions, compression):
		return fmt.Sprintf("has a compression of number %d", compression)
	case tags[tagSampleFormat] > 1:
		return "has samples that are no whole numbers from 0 on"
	case bits > 1 && bits != 8 && bits != 16:
		return fmt.Sprintf("has %d bits a sample", bits)
	case photometric > 3:
		return fmt.Sprintf("has colours of kind %d", photometric)
	case tags[tagPlanes] == 2 && samples > 1:
		return "has a plane for each colour"
	case photometric != photometricRGB && samples > 1:
		return fmt.Sprintf("has %d samples a pixel, where grey and palettes have 1", samples)
	case photometric == photometricRGB && samples != 3 && (samples != 4 || tags[tagExtraSamples] != alphaMultiplied && tags[tagExtraSamples] != alphaOnItsOwn):
		return fmt.Sprintf("has %d samples a pixel that are not RGB with or without alpha", samples)
	case tags[tagFillOrder] == 2 && compression != 3 && compression != 4:
		return "has its bits in reverse order"
	case tags[tagPredictor] > 2:
		return fmt.Sprintf("has a predictor of number %d", tags[tagPredictor])
	}
	return ""
}

// tiffPages counts the pictures of a file, without previews; at most some.
func tiffPages(file *io.SectionReader) int {
	order := tiffOrder(span(file, 0, 2))
	head := span(file, 4, 4)
	if order == nil || len(head) < 4 {
		return 1
	}
	pages := 0
	at := int64(order.Uint32(head))
	for range pagesWorthCounts {
		entries := span(file, at, 2)
		if at == 0 || len(entries) < 2 {
			break
		}
		if directory(file, file.Size(), order, at, tagSubfile)[tagSubfile]&1 == 0 {
			pages++
		}
		next := span(file, at+2+12*int64(order.Uint16(entries)), 4)
		if len(next) < 4 {
			break
		}
		at = int64(order.Uint32(next))
	}
	return max(1, pages)
}

// divided undoes the multiplication of colours by alpha, in place. Where nothing shows, nothing is known of the colour.
func divided(img image.Image) image.Image {
	switch img := img.(type) {
	case *image.RGBA:
		for i := 0; i+4 <= len(img.Pix); i += 4 {
			p := img.Pix[i : i+4]
			for c := range 3 {
				p[c] = uint8(min(255, 255*int(p[c])/max(1, int(p[3]))))
			}
			if p[3] == 0 {
				clear(p)
			}
		}
		return &image.NRGBA{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect}
	case *image.RGBA64:
		for i := 0; i+8 <= len(img.Pix); i += 8 {
			p := img.Pix[i : i+8]
			a := int(binary.BigEndian.Uint16(p[6:]))
			for c := 0; c < 6; c += 2 {
				binary.BigEndian.PutUint16(p[c:], uint16(min(65535, 65535*int(binary.BigEndian.Uint16(p[c:]))/max(1, a))))
			}
			if a == 0 {
				clear(p)
			}
		}
		return &image.NRGBA64{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect}
	}
	return img
}

// turned is an image of package tiff as an orientation wants it shown.
func turned(img image.Image, orientation int) image.Image {
	if orientation < 2 || orientation > 8 {
		return img
	}
	from := img.Bounds()
	to := from
	if orientation >= 5 {
		to = image.Rect(0, 0, from.Dy(), from.Dx())
	}
	move := func(toPix, fromPix []uint8, size int) {
		for y := range to.Dy() {
			for x := range to.Dx() {
				sx, sy := x, y
				if orientation >= 5 { // 5 to 8 exchange the axes
					sx, sy = y, x
				}
				if orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8 {
					sx = from.Dx() - 1 - sx
				}
				if orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7 {
					sy = from.Dy() - 1 - sy
				}
				copy(toPix[size*(y*to.Dx()+x):][:size], fromPix[size*(sy*from.Dx()+sx):])
			}
		}
	}
	switch img := img.(type) {
	case *image.Gray:
		out := image.NewGray(to)
		move(out.Pix, img.Pix, 1)
		return out
	case *image.Gray16:
		out := image.NewGray16(to)
		move(out.Pix, img.Pix, 2)
		return out
	case *image.Paletted:
		out := image.NewPaletted(to, img.Palette)
		move(out.Pix, img.Pix, 1)
		return out
	case *image.RGBA:
		out := image.NewRGBA(to)
		move(out.Pix, img.Pix, 4)
		return out
	case *image.NRGBA:
		out := image.NewNRGBA(to)
		move(out.Pix, img.Pix, 4)
		return out
	case *image.RGBA64:
		out := image.NewRGBA64(to)
		move(out.Pix, img.Pix, 8)
		return out
	case *image.NRGBA64:
		out := image.NewNRGBA64(to)
		move(out.Pix, img.Pix, 8)
		return out
	}
	return img
}

// weighTIFF: the image, and one block (a strip or a tile) that is unpacked before it. A block may claim 8 bytes a pixel
// whatever the picture has, and the buffer it is read into grows by doubling.
func weighTIFF(tags map[uint16]int64, c image.Config, h *Header) {
	width, height := int64(h.Width), int64(h.Height)
	if rows := tags[tagRowsPerStrip]; rows > 0 {
		height = min(height, rows)
	}
	if tags[tagTileWidth] > 0 {
		width, height = min(tags[tagTileWidth], maxSide), min(tags[tagTileLength], maxSide)
	}
	h.Weight = h.Pixels()*bytesPerPixel(c.ColorModel) + 3*8*width*height
	if 2*height > int64(h.Height) {
		h.Kind, h.Laborious = "one large strip", true
	}
}

// tiffOrder is the order of a TIFF structure's bytes, nil where it is none.
func tiffOrder(head []byte) binary.ByteOrder {
	switch string(head) {
	case "II":
		return binary.LittleEndian
	case "MM":
		return binary.BigEndian
	}
	return nil
}

// tiffTags reads whole numbers of the first directory of a TIFF structure; those that are not there are missing.
func tiffTags(file io.ReaderAt, size int64, wanted ...uint16) map[uint16]int64 {
	head := make([]byte, 8)
	if size < 8 {
		return nil
	}
	if got, _ := file.ReadAt(head, 0); got < 8 {
		return nil
	}
	order := tiffOrder(head[:2])
	if order == nil {
		return nil
	}
	return directory(file, size, order, int64(order.Uint32(head[4:])), wanted...)
}

// directory reads whole numbers of the directory at an offset, the first of each where there are several.
func directory(file io.ReaderAt, size int64, order binary.ByteOrder, at int64, wanted ...uint16) map[uint16]int64 {
	found := map[uint16]int64{}
	read := func(at int64, n int) []byte {
		p := make([]byte, n)
		if at < 0 || at+int64(n) > size {
			return nil
		}
		if got, _ := file.ReadAt(p, at); got < n {
			return nil
		}
		return p
	}
	count := read(at, 2)
	if count == nil {
		return found
	}
	for i := range int64(order.Uint16(count)) {
		entry := read(at+2+12*i, 12)
		if entry == nil {
			return found
		}
		tag, kind, values := order.Uint16(entry), order.Uint16(entry[2:]), int64(order.Uint32(entry[4:]))
		for _, w := range wanted {
			if _, seen := found[tag]; tag != w || seen {
				continue
			}
			bytes := map[uint16]int64{1: 1, 3: 2, 4: 4}[kind]
			value := entry[8:]
			if bytes*values > 4 {
				value = read(int64(order.Uint32(entry[8:])), int(bytes))
			}
			switch {
			case value == nil:
			case kind == 1:
				found[tag] = int64(value[0])
			case kind == 3:
				found[tag] = int64(order.Uint16(value))
			case kind == 4:
				found[tag] = int64(order.Uint32(value))
			}
		}
	}
	return found
}
