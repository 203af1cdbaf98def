package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"

	"golang.org/x/image/bmp"
)

// longestBMPHeader is that of the file, of the picture, and a palette.
const longestBMPHeader = bmpFile + 124 + 4*256

const (
	bmpFile = 14 // the file's header
	bmpInfo = 40 // the picture's, as package bmp knows it best
)

// readBMP leaves a file to package bmp, with a header that it reads where the file's own is another that says the same.
func readBMP(file *io.SectionReader, h *Header) error {
	c, err := bmp.DecodeConfig(file)
	h.decode = streamed(bmp.Decode)
	if errors.Is(err, bmp.ErrUnsupported) {
		head := span(file, 0, longestBMPHeader)
		plain := plainBMP(head)
		if plain == nil {
			return unsupportedBMP(head)
		}
		c, err = bmp.DecodeConfig(bytes.NewReader(plain))
		h.Weight = h.Bytes
		h.decode = func(ctx context.Context, data []byte) (image.Image, error) {
			return streamed(bmp.Decode)(ctx, plainBMP(data))
		}
	}
	if err != nil {
		return err
	}
	h.Width, h.Height = c.Width, c.Height
	h.Weight += h.Pixels()*bytesPerPixel(c.ColorModel) + 4*int64(h.Width) // one image, row by row
	return nil
}

// plainBMP is a file with a header of the usual length: without a gap before the pixels, and without fields where they are those
// that a pixel of 24 or 32 bits has anyway. nil where that cannot be said of it.
func plainBMP(file []byte) []byte {
	u32 := func(at int) int64 { return int64(binary.LittleEndian.Uint32(file[at:])) }
	if len(file) < bmpFile+bmpInfo {
		return nil
	}
	pixels, size := u32(10), u32(14)
	bits, compression := binary.LittleEndian.Uint16(file[28:]), u32(30)
	if size < bmpInfo || size > 124 || pixels < bmpFile+size {
		return nil
	}
	switch {
	case compression == 3 && bits >= 24 && len(file) >= 66 && u32(54) == 0xff0000 && u32(58) == 0xff00 && u32(62) == 0xff:
	case compression == 0 && (bits <= 8 || bits >= 24):
	default:
		return nil
	}
	colours := int64(0)
	if bits <= 8 {
		if colours = u32(46); colours == 0 || colours > 1<<bits {
			colours = 1 << bits
		}
	}
	palette := bmpFile + size
	if int64(len(file)) < palette+4*colours || palette+4*colours > pixels {
		return nil
	}
	out := append([]byte{}, file[:bmpFile+bmpInfo]...)
	out = append(out, file[palette:palette+4*colours]...)
	binary.LittleEndian.PutUint32(out[10:], uint32(len(out)))
	binary.LittleEndian.PutUint32(out[14:], bmpInfo)
	binary.LittleEndian.PutUint32(out[30:], 0)
	binary.LittleEndian.PutUint32(out[46:], uint32(colours))
	return append(out, file[min(pixels, int64(len(file))):]...)
}

// unsupportedBMP says what of a file's header is not read.
func unsupportedBMP(head []byte) error {
	const save = "save it with 24 bits a pixel and without compression, or as PNG"
	what := "its header does not fit its pixels"
	if len(head) >= 18 {
		switch size := binary.LittleEndian.Uint32(head[14:]); {
		case size != 40 && size != 108 && size != 124:
			what = fmt.Sprintf("it has a header of %d bytes, as OS/2's", size)
		case len(head) < 34:
		default:
			bits, compression := binary.LittleEndian.Uint16(head[28:]), binary.LittleEndian.Uint32(head[30:])
			switch {
			case compression == 1 || compression == 2:
				what = "it is compressed in runs (RLE)"
			case compression == 3 || compression == 6 || bits == 16:
				what = fmt.Sprintf("it has %d bits a pixel in fields of its own", bits)
			case compression == 4 || compression == 5:
				what = "it holds a JPEG or PNG"
			case compression != 0:
				what = fmt.Sprintf("its compression is number %d", compression)
			}
		}
	}
	return fmt.Errorf("%s, which is not read: %s", what, save)
}
