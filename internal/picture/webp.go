package picture

import (
	"encoding/binary"
	"image"
	"io"
)

// webpImage is what the chunks of a WebP container say.
type webpImage struct {
	width, height int // of the frame, 0 where there is none
	lossless      bool
	alpha         bool // a plane of its own beside a lossy frame
	exif          [2]int64
}

// webpFrame follows the chunks of a container up to its frame, and on to its EXIF.
func webpFrame(file *io.SectionReader) (w webpImage) {
	at := int64(12)
	for range maxChunks {
		head := span(file, at, 8+10)
		if len(head) < 8 {
			return w
		}
		length := int64(binary.LittleEndian.Uint32(head[4:]))
		body := head[8:]
		switch string(head[:4]) {
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
		case "EXIF":
			if w.exif[1] == 0 {
				w.exif = [2]int64{at + 8, length}
			}
		}
		at += 8 + length + length&1
	}
	return w
}

// weighWebP: a lossy frame is 4:2:0 in macroblocks of 16; its alpha is a lossless image of its own, of which one channel is
// copied. A lossless image is unpacked from one buffer into another, with what its transforms keep for each 4×4 pixels, and
// has up to 2600 groups of Huffman trees of some 50 KB, which take few bytes in the file.
func weighWebP(file *io.SectionReader, _ image.Config, h *Header) {
	const perLossless = 9
	w := webpFrame(file)
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
