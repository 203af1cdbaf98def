package picture

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"

	"github.com/abn-studio/studio/internal/picture/t81"
)

// Each scan of a JPEG is a pass over the whole picture, however few bytes it has. Real ones have about ten.
const (
	maxScans      = 500
	maxScanPixels = 3_000_000_000 // scans × pixels: 30 scans of 100 megapixels
)

// readJPEG leaves a file to package jpeg, or where that one refuses it, or would repeat samples, to package t81.
func readJPEG(file *io.SectionReader, h *Header) error {
	frame, broken := t81.ReadFrame(io.NewSectionReader(file, 0, file.Size()))
	h.Orientation = tiffOrientation(bytes.NewReader(frame.EXIF), int64(len(frame.EXIF)))
	c, refused := jpeg.DecodeConfig(file)
	// What package jpeg refuses only later: four components without Adobe's marker, more tables than a baseline file has, and a table
	// without codes.
	unmarked := len(frame.Components) == 4 && frame.Adobe < 0
	tables := frame.Marker == t81.SOF0 && frame.Tables > 1 || frame.EmptyTable
	// And what it reads otherwise than libjpeg: it makes RGB, CMYK and YCCK whole by repeating the samples of coarser planes.
	repeated := (c.ColorModel == color.RGBAModel || c.ColorModel == color.CMYKModel) && frame.Subsampled()
	if refused == nil && !unmarked && !tables && !repeated {
		h.Width, h.Height, h.decode = c.Width, c.Height, streamed(jpeg.Decode)
		weighJPEG(frame, c, h)
		return nil
	}
	if broken != nil {
		return broken
	}
	if err := frame.Check(); err != nil {
		return err
	}
	h.Width, h.Height, h.decode = frame.Width, frame.Height, t81.Decode
	h.Weight = frame.Weight()
	if frame.Progressive() {
		h.Kind, h.Laborious = "progressive", true
	}
	return nil
}

// weighJPEG: planes padded to whole MCUs, for a progressive one its coefficients (int32) too, and for CMYK and RGB the
// interleaved copy that package jpeg makes in the end.
func weighJPEG(frame t81.Frame, c image.Config, h *Header) {
	progressive := frame.Progressive()
	sampling := frame.Components
	switch len(sampling) {
	case 0: // package jpeg has found one where ReadFrame did not: the worst there can be
		progressive = true
		sampling = []t81.Component{{H: 1, V: 1}, {H: 1, V: 1}, {H: 1, V: 1}, {H: 1, V: 1}}
	case 1: // one component has no others to be sampled beside
		sampling = []t81.Component{{H: 1, V: 1}}
	}
	across, down := 1, 1
	for _, s := range sampling {
		across, down = max(across, s.H), max(down, s.V)
	}
	units := int64((h.Width+8*across-1)/(8*across)) * int64((h.Height+8*down-1)/(8*down))
	var samples int64
	for _, s := range sampling {
		samples += units * 64 * int64(s.H) * int64(s.V)
	}
	h.Weight = samples
	if progressive {
		h.Weight += 4 * samples
		h.Kind, h.Laborious = "progressive", true
	}
	if c.ColorModel == color.CMYKModel || c.ColorModel == color.RGBAModel {
		h.Weight += 4 * h.Pixels()
	}
}

// boundScans cuts a JPEG after its end marker, so that the decoder sees no more than is looked at here, and refuses one with
// more scans than its size makes reasonable.
func boundScans(data []byte, h Header) ([]byte, error) {
	source := bytes.NewReader(data[2:])
	r := bufio.NewReader(source)
	for {
		s, err := t81.NextSegment(r)
		if err != nil {
			break // it ends without saying so
		}
		if s.Marker == t81.EOI {
			data = data[:len(data)-source.Len()-r.Buffered()]
			break
		}
		if _, err := r.Discard(s.Length); err != nil {
			break
		}
	}
	// Every scan begins with this marker. It cannot occur within compressed data, and what else it occurs in is not worth a
	// difference.
	scans := int64(bytes.Count(data, []byte{0xff, t81.SOS}))
	if scans > maxScans || scans*h.Pixels() > maxScanPixels {
		return nil, fmt.Errorf("decoding the jpeg: it has %d scans, each a pass over %d×%d pixels; at most %d are read: save it again, as baseline JPEG",
			scans, h.Width, h.Height, min(maxScans, maxScanPixels/h.Pixels()))
	}
	return data, nil
}
