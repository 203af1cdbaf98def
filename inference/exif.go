package inference

import (
	"bytes"
	"encoding/binary"
)

// orientation is the EXIF orientation of a picture (1 to 8), 1 where there is none or it makes no sense.
func orientation(format string, data []byte) int {
	switch format {
	case "jpeg":
		return tiffOrientation(bytes.TrimPrefix(jpegEXIF(data), []byte("Exif\x00\x00")))
	case "png":
		return tiffOrientation(pngEXIF(data))
	case "webp":
		return tiffOrientation(bytes.TrimPrefix(webpEXIF(data), []byte("Exif\x00\x00")))
	case "tiff":
		return tiffOrientation(data)
	}
	return 1
}

// jpegEXIF finds the APP1 segment that starts with "Exif", nil if there is none before the image data.
func jpegEXIF(data []byte) []byte {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker := data[at+1]
		if marker == 0xff { // fill byte
			at++
			continue
		}
		if marker == 0xda || marker == 0xd9 { // start of scan, end of image
			return nil
		}
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if size < 2 || at+2+size > len(data) {
			return nil
		}
		segment := data[at+4 : at+2+size]
		if marker == 0xe1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) {
			return segment
		}
		at += 2 + size
	}
	return nil
}

// pngEXIF finds the eXIf chunk.
func pngEXIF(data []byte) []byte {
	for at := 8; at+12 <= len(data); {
		size := int64(binary.BigEndian.Uint32(data[at:]))
		if size > int64(len(data)-at-12) {
			return nil
		}
		if string(data[at+4:at+8]) == "eXIf" {
			return data[at+8 : at+8+int(size)]
		}
		at += 12 + int(size)
	}
	return nil
}

// webpEXIF finds the EXIF chunk.
func webpEXIF(data []byte) []byte {
	for at := 12; at+8 <= len(data); {
		size := int64(binary.LittleEndian.Uint32(data[at+4:]))
		if size > int64(len(data)-at-8) {
			return nil
		}
		if string(data[at:at+4]) == "EXIF" {
			return data[at+8 : at+8+int(size)]
		}
		at += 8 + int(size+size&1)
	}
	return nil
}

// tiffOrientation reads tag 0x0112 from the first directory of a TIFF structure.
func tiffOrientation(data []byte) int {
	if len(data) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(data[:2]) {
	case "II":
	case "MM":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return 1
	}
	entries := int64(order.Uint16(data[at:]))
	for i := range entries {
		entry := at + 2 + 12*i
		if entry+12 > int64(len(data)) {
			return 1
		}
		if order.Uint16(data[entry:]) == 0x0112 {
			if v := int(order.Uint16(data[entry+8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}
