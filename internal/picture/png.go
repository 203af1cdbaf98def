package picture

import (
	"encoding/binary"
	"image/png"
	"io"
)

// maxChunks bounds how far a file's chunks are followed in search of what may not be there. A chunk is usually 8 KiB or more.
const maxChunks = 100_000

// readPNG leaves a file to package png. Of an animation (APNG) that is the picture beside it, which as a rule is its first frame.
func readPNG(file *io.SectionReader, h *Header) error {
	c, err := png.DecodeConfig(file)
	if err != nil {
		return err
	}
	h.Width, h.Height, h.decode = c.Width, c.Height, streamed(png.Decode)
	h.Frames = pngFrames(file)
	weighPNG(file, h)
	return nil
}

// pngFrames looks for what an animation says before the picture.
func pngFrames(file *io.SectionReader) int {
	at := int64(8)
	for range maxChunks {
		head := span(file, at, 12)
		switch {
		case len(head) < 12 || string(head[4:8]) == "IDAT":
			return 1
		case string(head[4:8]) == "acTL":
			return max(1, int(binary.BigEndian.Uint32(head[8:])))
		}
		at += 12 + int64(binary.BigEndian.Uint32(head))
	}
	return 1
}

// weighPNG: one image, or where it is interlaced that and the seven passes it is made of; by bit depth and colour type, with
// alpha where a colour is declared transparent. Two rows. What other chunks hold (profiles, texts) is not unpacked.
func weighPNG(file *io.SectionReader, h *Header) {
	header := span(file, 16, 13) // IHDR
	if len(header) < 13 {
		return
	}
	depth, colour, interlaced := int64(header[8]), header[9], header[12] != 0
	transparent := false
	at := int64(8)
	for range maxChunks {
		head := span(file, at, 8)
		if len(head) < 8 {
			break
		}
		length := int64(binary.BigEndian.Uint32(head))
		switch string(head[4:]) {
		case "tRNS":
			transparent = true
		case "eXIf":
			h.Orientation = tiffOrientation(io.NewSectionReader(file, at+8, length), length)
		}
		at += 12 + length
	}
	var perPixel int64
	switch colour {
	case 0: // grey
		perPixel = max(1, depth/8)
		if transparent {
			perPixel *= 4
		}
	case 3: // palette
		perPixel = 1
	default: // grey with alpha, colour with and without
		perPixel = 4 * max(1, depth/8)
	}
	h.Weight = h.Pixels() * perPixel
	if interlaced {
		h.Weight *= 2
		h.Kind, h.Laborious = "interlaced", true
	}
	h.Weight += 2 * 8 * int64(h.Width)
}
