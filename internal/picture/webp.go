package picture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"

	"golang.org/x/image/webp"

	"github.com/abn-studio/studio/internal/picture/chroma"
)

// webpImage is what the chunks of a WebP container say.
type webpImage struct {
	width, height int // of the frame, 0 where there is none
	lossless      bool
	alpha         bool     // a plane of its own beside a lossy frame
	exif          [2]int64 // offset and length

	// Of an animation:
	canvasWidth, canvasHeight int
	frames                    int
	first                     [2]int64 // where the chunks of the first frame are
	x, y                      int      // where that frame stands on the canvas
}

// webpChunks calls each for every chunk between two offsets, with up to 30 bytes of what it holds.
func webpChunks(file *io.SectionReader, at, end int64, each func(name string, at, length int64, body []byte)) {
	for range maxChunks {
		if at >= end {
			return
		}
		head := span(file, at, 8+30)
		if len(head) < 8 {
			return
		}
		length := int64(binary.LittleEndian.Uint32(head[4:]))
		each(string(head[:4]), at+8, length, head[8:])
		at += 8 + length + length&1
	}
}

// webpFrame follows the chunks of a container: to the frame of a still, the first of an animation, and the EXIF.
func webpFrame(file *io.SectionReader) (w webpImage) {
	pixels := func(name string, _, _ int64, body []byte) {
		switch name {
		case "VP8 ":
			if len(body) >= 10 && w.width == 0 {
				w.width, w.height = int(binary.LittleEndian.Uint16(body[6:])&0x3fff), int(binary.LittleEndian.Uint16(body[8:])&0x3fff)
			}
		case "VP8L":
			if len(body) >= 5 && w.width == 0 {
				bits := binary.LittleEndian.Uint32(body[1:])
				w.width, w.height, w.lossless = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1, true
			}
		case "ALPH":
			w.alpha = true
		}
	}
	webpChunks(file, 12, file.Size(), func(name string, at, length int64, body []byte) {
		switch {
		case name == "VP8X" && len(body) >= 10:
			w.canvasWidth, w.canvasHeight = uint24(body[4:])+1, uint24(body[7:])+1
		case name == "ANMF" && len(body) >= 16 && length >= 16:
			if w.frames++; w.frames == 1 {
				w.x, w.y = 2*uint24(body), 2*uint24(body[3:])
				w.first = [2]int64{at + 16, at + length}
			}
		case name == "EXIF" && w.exif[1] == 0:
			w.exif = [2]int64{at, length}
		default:
			pixels(name, at, length, body)
		}
	})
	if w.frames > 0 {
		w.width, w.height, w.lossless, w.alpha = 0, 0, false, false
		webpChunks(file, w.first[0], w.first[1], pixels)
	}
	return w
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// readWebP leaves a still to package webp, and makes a still of an animation's first frame.
func readWebP(file *io.SectionReader, h *Header) error {
	// libwebp, and so PIL, refuses a file that is shorter than it says, though the first of its frames may be whole.
	if head := span(file, 0, 8); len(head) == 8 {
		if whole := 8 + int64(binary.LittleEndian.Uint32(head[4:])); file.Size() < whole {
			return fmt.Errorf("it is cut off: it has %d bytes and says that it has %d", file.Size(), whole)
		}
	}
	w := webpFrame(file)
	if w.frames == 0 {
		c, err := webp.DecodeConfig(file)
		if err != nil {
			return err
		}
		// The canvas and the frame within may disagree.
		h.Width, h.Height, h.decode = max(c.Width, w.width), max(c.Height, w.height), streamed(webp.Decode)
		weighWebP(file, w, h)
		return nil
	}
	h.Frames = w.frames
	h.Width, h.Height = w.width, w.height
	if w.width == 0 || w.height == 0 {
		return errors.New("its first frame has no pixels")
	}
	weighWebP(file, w, h)
	h.Weight += w.first[1] - w.first[0]
	if w.x+w.width > w.canvasWidth || w.y+w.height > w.canvasHeight {
		return fmt.Errorf("its first frame reaches beyond the canvas of %d×%d pixels", w.canvasWidth, w.canvasHeight)
	}
	h.Width, h.Height = w.canvasWidth, w.canvasHeight
	if w.width != h.Width || w.height != h.Height {
		h.Weight += 4*h.Pixels() + 16*int64(w.width)
	}
	h.decode = w.decodeFirst
	return nil
}

// decodeFirst decodes an animation's first frame as a still, and lays it on the canvas: around it everything is transparent, as PIL
// and libwebp have it, whatever the background's colour.
func (w webpImage) decodeFirst(ctx context.Context, data []byte) (image.Image, error) {
	img, err := streamed(webp.Decode)(ctx, w.still(data))
	if err != nil {
		return nil, fmt.Errorf("the first frame: %w", err)
	}
	if size := img.Bounds().Size(); size.X != w.width || size.Y != w.height {
		return nil, fmt.Errorf("the first frame is %d×%d pixels and says %d×%d", size.X, size.Y, w.width, w.height)
	}
	if w.width == w.canvasWidth && w.height == w.canvasHeight {
		return img, nil
	}
	out := image.NewNRGBA(image.Rect(0, 0, w.canvasWidth, w.canvasHeight))
	var row func(to []uint8, y int)
	switch img := img.(type) {
	case *image.NRGBA:
		row = func(to []uint8, y int) { copy(to, img.Pix[y*img.Stride:]) }
	case *image.YCbCr:
		row = coloured(img, func(int, int) uint8 { return 255 })
	case *image.NYCbCrA:
		row = coloured(&img.YCbCr, func(x, y int) uint8 { return img.A[y*img.AStride+x] })
	default:
		return nil, fmt.Errorf("the first frame is %T", img)
	}
	for y := range w.height {
		row(out.Pix[(w.y+y)*out.Stride+4*w.x:][:4*w.width], y)
	}
	return out, nil
}

// coloured writes rows of a lossy frame with their alpha.
func coloured(img *image.YCbCr, alpha func(x, y int) uint8) func(to []uint8, y int) {
	rows := chroma.NewConverter(img, true)
	colours := make([]uint8, 3*img.Rect.Dx())
	return func(to []uint8, y int) {
		rows.Row(colours, y)
		for x := range img.Rect.Dx() {
			copy(to[4*x:], colours[3*x:3*x+3])
			to[4*x+3] = alpha(x, y)
		}
	}
}

// still is a container of the first frame alone.
func (w webpImage) still(data []byte) []byte {
	chunks := data[min(w.first[0], int64(len(data))):min(w.first[1], int64(len(data)))]
	out := []byte("RIFF\x00\x00\x00\x00WEBP")
	if w.alpha && !w.lossless {
		const alpha = 1 << 4
		out = append(out, "VP8X\x0a\x00\x00\x00"...)
		out = append(out, alpha, 0, 0, 0)
		for _, side := range []int{w.width - 1, w.height - 1} {
			out = append(out, byte(side), byte(side>>8), byte(side>>16))
		}
	}
	out = append(out, chunks...)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

// weighWebP: a lossy frame is 4:2:0 in macroblocks of 16; its alpha is a lossless image of its own, of which one channel is
// copied. A lossless image is unpacked from one buffer into another, with what its transforms keep for each 4×4 pixels, and
// has up to 2600 groups of Huffman trees of some 50 KB, which take few bytes in the file.
func weighWebP(file *io.SectionReader, w webpImage, h *Header) {
	const perLossless = 9
	blocks := int64((h.Width+15)/16) * int64((h.Height+15)/16)
	trees := min(2600*52_000, 300*h.Bytes)
	if w.lossless {
		h.Weight = perLossless*h.Pixels() + trees
		h.Kind = "lossless"
	} else {
		h.Weight = blocks * (256 + 128 + 64)
		if w.alpha {
			h.Weight += (perLossless+1)*h.Pixels() + trees
			h.Kind, h.Laborious = "transparency", true
		}
	}
	if w.exif[1] > 0 {
		exif := io.NewSectionReader(file, w.exif[0], w.exif[1])
		if head := span(exif, 0, 6); string(head) == "Exif\x00\x00" { // some writers keep JPEG's prefix
			exif = io.NewSectionReader(file, w.exif[0]+6, w.exif[1]-6)
		}
		h.Orientation = tiffOrientation(exif, exif.Size())
	}
}
