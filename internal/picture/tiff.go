package picture

import (
	"encoding/binary"
	"image"
	"io"
)

// TIFF tags that say how a picture is cut into blocks, each unpacked as a whole.
const (
	tagRowsPerStrip = 278
	tagTileWidth    = 322
	tagTileLength   = 323
	tagOrientation  = 0x0112
)

// weighTIFF: the image, and one block (a strip or a tile) that is unpacked before it. A block may claim 8 bytes a pixel
// whatever the picture has, and the buffer it is read into grows by doubling.
func weighTIFF(file *io.SectionReader, c image.Config, h *Header) {
	tags := tiffTags(file, file.Size(), tagRowsPerStrip, tagTileWidth, tagTileLength)
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
	h.Orientation = tiffOrientation(file, file.Size())
}

// tiffTags reads whole numbers of the first directory of a TIFF structure; those that are not there are missing.
func tiffTags(file io.ReaderAt, size int64, wanted ...uint16) map[uint16]int64 {
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
	head := read(0, 8)
	if head == nil {
		return found
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(head[:2]) {
	case "II":
	case "MM":
		order = binary.BigEndian
	default:
		return found
	}
	at := int64(order.Uint32(head[4:]))
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
