package picture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
)

// Each scan of a JPEG is a pass over the whole picture, however few bytes it has. Real ones have about ten.
const (
	maxScans      = 500
	maxScanPixels = 3_000_000_000 // scans × pixels: 30 scans of 100 megapixels
)

// jpegFrame is what a frame header (SOF) says.
type jpegFrame struct {
	progressive bool
	sampling    [][2]int // per component: horizontal, vertical
	exif        []byte   // of the first APP1 segment that starts with "Exif"
}

// weighJPEG: planes padded to whole MCUs, for a progressive one its coefficients (int32) too, and for CMYK and RGB the
// interleaved copy that package jpeg makes in the end.
func weighJPEG(file *io.SectionReader, c image.Config, h *Header) {
	frame := jpegFrameOf(io.NewSectionReader(file, 0, file.Size()))
	if frame.sampling == nil { // package jpeg has found one where this did not: the worst there can be
		frame.progressive, frame.sampling = true, [][2]int{{1, 1}, {1, 1}, {1, 1}, {1, 1}}
	}
	if len(frame.sampling) == 1 {
		frame.sampling[0] = [2]int{1, 1} // one component has no others to be sampled beside
	}
	across, down := 1, 1
	for _, s := range frame.sampling {
		across, down = max(across, s[0]), max(down, s[1])
	}
	units := int64((h.Width+8*across-1)/(8*across)) * int64((h.Height+8*down-1)/(8*down))
	var samples int64
	for _, s := range frame.sampling {
		samples += units * 64 * int64(s[0]) * int64(s[1])
	}
	h.Weight = samples
	if frame.progressive {
		h.Weight += 4 * samples
		h.Kind, h.Laborious = "progressive", true
	}
	if c.ColorModel == color.CMYKModel || c.ColorModel == color.RGBAModel {
		h.Weight += 4 * h.Pixels()
	}
	h.Orientation = tiffOrientation(bytes.NewReader(frame.exif), int64(len(frame.exif)))
}

// segment is a marker with what it carries; payload is nil for markers that carry nothing.
type segment struct {
	marker byte
	length int
}

const (
	markerSOS = 0xda
	markerEOI = 0xd9
)

// nextSegment finds the next marker as package jpeg does: whatever stands before an 0xff is passed over.
func nextSegment(r *bufio.Reader) (segment, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return segment{}, err
		}
		if b != 0xff {
			continue
		}
		for b == 0xff { // fill bytes
			if b, err = r.ReadByte(); err != nil {
				return segment{}, err
			}
		}
		switch {
		case b == 0, 0xd0 <= b && b <= 0xd7: // stuffing, restart
			continue
		case b == markerEOI:
			return segment{marker: b}, nil
		}
		var length [2]byte
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return segment{}, err
		}
		n := int(binary.BigEndian.Uint16(length[:])) - 2
		if n < 0 {
			return segment{}, errors.New("short segment")
		}
		return segment{marker: b, length: n}, nil
	}
}

// jpegFrameOf reads up to the first scan.
func jpegFrameOf(file io.Reader) (f jpegFrame) {
	r := bufio.NewReader(file)
	if _, err := r.Discard(2); err != nil {
		return f
	}
	for {
		s, err := nextSegment(r)
		if err != nil || s.marker == markerSOS || s.marker == markerEOI {
			return f
		}
		take := 0
		switch {
		case s.marker >= 0xc0 && s.marker <= 0xc2 && f.sampling == nil:
			take = min(s.length, 6+3*4)
		case s.marker == 0xe1 && f.exif == nil:
			take = s.length
		}
		body := make([]byte, take)
		if _, err := io.ReadFull(r, body); err != nil {
			return f
		}
		if _, err := r.Discard(s.length - take); err != nil {
			return f
		}
		switch {
		case s.marker == 0xe1:
			if exif, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00")); ok && f.exif == nil {
				f.exif = exif
			}
		case take > 6:
			f.progressive = s.marker == 0xc2
			for i := 6; i+3 <= len(body); i += 3 {
				f.sampling = append(f.sampling, [2]int{int(body[i+1] >> 4), int(body[i+1] & 15)})
			}
		}
	}
}

// boundScans cuts a JPEG after its end marker, so that the decoder sees no more than is looked at here, and refuses one with
// more scans than its size makes reasonable.
func boundScans(data []byte, h Header) ([]byte, error) {
	source := bytes.NewReader(data[2:])
	r := bufio.NewReader(source)
	for {
		s, err := nextSegment(r)
		if err != nil {
			break // it ends without saying so
		}
		if s.marker == markerEOI {
			data = data[:len(data)-source.Len()-r.Buffered()]
			break
		}
		if _, err := r.Discard(s.length); err != nil {
			break
		}
	}
	// Every scan begins with this marker. It cannot occur within compressed data, and what else it occurs in is not worth a
	// difference.
	scans := int64(bytes.Count(data, []byte{0xff, markerSOS}))
	if scans > maxScans || scans*h.Pixels() > maxScanPixels {
		return nil, fmt.Errorf("decoding the jpeg: it has %d scans, each a pass over %d×%d pixels; at most %d are read: save it again, as baseline JPEG",
			scans, h.Width, h.Height, min(maxScans, maxScanPixels/h.Pixels()))
	}
	return data, nil
}
