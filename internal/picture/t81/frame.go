package t81

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Markers (T.81, table B.1).
const (
	SOF0 = 0xc0 // the first of the frames; SOF0 + 2 is progressive, + 3 lossless, + 8 arithmetic
	DHT  = 0xc4
	DAC  = 0xcc
	RST0 = 0xd0
	EOI  = 0xd9
	SOS  = 0xda
	DQT  = 0xdb
	DRI  = 0xdd
	APP0 = 0xe0
)

// Component is one of a frame's planes.
type Component struct {
	ID    byte
	H, V  int // sampling factors, 1 to 4
	quant byte
}

// Frame is what stands before the first scan of a JPEG.
type Frame struct {
	Marker        byte // SOF0 to SOF0 + 15; 0 where there is no frame
	Precision     int  // bits of a sample
	Width, Height int
	Components    []Component
	JFIF          bool
	Adobe         int    // the transform that Adobe's marker names, -1 where there is none
	EXIF          []byte // of the first APP1 segment that holds it
	Tables        int    // the highest number of a Huffman table
	EmptyTable    bool   // one of them has no codes
}

// Progressive says that coefficients come in several scans.
func (f Frame) Progressive() bool { return f.Marker == SOF0+2 || f.Marker == SOF0+10 }

// Arithmetic says that the codes are arithmetic ones and not Huffman's.
func (f Frame) Arithmetic() bool { return f.Marker >= SOF0+8 }

// Lossless says that samples are coded and no coefficients.
func (f Frame) Lossless() bool { return f.Marker == SOF0+3 }

// Subsampled says that a component has fewer samples than another, across or down.
func (f Frame) Subsampled() bool {
	for _, c := range f.Components {
		if c.H != f.Components[0].H || c.V != f.Components[0].V {
			return true
		}
	}
	return false
}

// isFrame tells frames from the tables that have markers among theirs.
func isFrame(marker byte) bool {
	return marker >= SOF0 && marker <= SOF0+15 && marker != DHT && marker != DAC && marker != SOF0+8
}

// Segment is a marker, and how many bytes follow its length.
type Segment struct {
	Marker byte
	Length int
}

// NextSegment finds the next marker as the standard library and libjpeg do: whatever stands before an 0xff is passed over.
func NextSegment(r *bufio.Reader) (Segment, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return Segment{}, err
		}
		if b != 0xff {
			continue
		}
		for b == 0xff { // fill bytes
			if b, err = r.ReadByte(); err != nil {
				return Segment{}, err
			}
		}
		switch {
		case b == 0, RST0 <= b && b < RST0+8: // stuffing, restart
			continue
		case b == EOI:
			return Segment{Marker: b}, nil
		}
		var length [2]byte
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return Segment{}, err
		}
		n := int(binary.BigEndian.Uint16(length[:])) - 2
		if n < 0 {
			return Segment{}, errors.New("a segment's length is less than 2")
		}
		return Segment{Marker: b, Length: n}, nil
	}
}

// ReadFrame reads a JPEG up to its first scan. Sizes, factors and codings are as they stand there: Check says what Decode makes of them.
func ReadFrame(file io.Reader) (Frame, error) {
	f := Frame{Adobe: -1}
	r := bufio.NewReader(file)
	if _, err := r.Discard(2); err != nil {
		return f, early(err)
	}
	for {
		s, err := NextSegment(r)
		if err != nil {
			return f, early(err)
		}
		if s.Marker == SOS || s.Marker == EOI {
			return f, nil
		}
		take := 0
		switch {
		case isFrame(s.Marker) && f.Marker == 0, s.Marker == APP0, s.Marker == APP0+14:
			take = min(s.Length, 6+3*255)
		case s.Marker == APP0+1 && f.EXIF == nil, s.Marker == DHT:
			take = s.Length
		}
		body := make([]byte, take)
		if _, err := io.ReadFull(r, body); err != nil {
			return f, early(err)
		}
		if _, err := r.Discard(s.Length - take); err != nil {
			return f, early(err)
		}
		if err := f.segment(s.Marker, body); err != nil {
			return f, err
		}
	}
}

// segment takes up what one segment says of the frame.
func (f *Frame) segment(marker byte, body []byte) error {
	switch {
	case marker == APP0:
		f.JFIF = f.JFIF || bytes.HasPrefix(body, []byte("JFIF\x00"))
	case marker == APP0+1:
		if exif, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00")); ok && f.EXIF == nil {
			f.EXIF = exif
		}
	case marker == APP0+14:
		if bytes.HasPrefix(body, []byte("Adobe")) && len(body) >= 12 {
			f.Adobe = int(body[11])
		}
	case marker == DHT:
		for len(body) >= 17 {
			f.Tables = max(f.Tables, int(body[0]&15))
			codes := 0
			for _, n := range body[1:17] {
				codes += int(n)
			}
			f.EmptyTable = f.EmptyTable || codes == 0
			body = body[min(17+codes, len(body)):]
		}
	case isFrame(marker) && f.Marker == 0:
		if len(body) < 6 || len(body) < 6+3*int(body[5]) {
			return errors.New("the frame's header is too short")
		}
		f.Marker, f.Precision = marker, int(body[0])
		f.Height, f.Width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
		for c := range int(body[5]) {
			at := body[6+3*c:]
			f.Components = append(f.Components, Component{ID: at[0], H: int(at[1] >> 4), V: int(at[1] & 15), quant: at[2]})
		}
	}
	return nil
}

// Check says by name why Decode refuses a frame; nil where it does not.
func (f Frame) Check() error {
	const save = "save it as baseline JPEG or PNG"
	switch {
	case f.Marker == 0:
		return errors.New("there is no frame before the first scan")
	case f.Marker == SOF0+11:
		return errors.New("it is lossless with arithmetic coding, which is not read: " + save)
	case f.Marker != SOF0+9 && f.Marker != SOF0+10 && f.Marker > SOF0+3:
		return errors.New("it is hierarchical, which is not read: " + save)
	case f.Precision != 8:
		return fmt.Errorf("it has %d bits a sample and 8 are read: %s", f.Precision, save)
	case f.Width == 0 || f.Height == 0:
		return fmt.Errorf("its header says %d×%d pixels", f.Width, f.Height)
	case len(f.Components) != 1 && len(f.Components) != 3 && len(f.Components) != 4:
		return fmt.Errorf("it has %d components and 1, 3 or 4 are read: %s", len(f.Components), save)
	}
	for _, c := range f.Components {
		if c.H < 1 || c.H > 4 || c.V < 1 || c.V > 4 {
			return fmt.Errorf("a sampling factor is %d×%d, outside 1 to 4", c.H, c.V)
		}
		if c.quant > 3 {
			return fmt.Errorf("a component's quantization table is number %d of 0 to 3", c.quant)
		}
	}
	return nil
}

// factors are the largest of the components'. One component has no others to be sampled beside.
func (f Frame) factors() (h, v int) {
	if len(f.Components) == 1 {
		return 1, 1
	}
	for _, c := range f.Components {
		h, v = max(h, c.H), max(v, c.V)
	}
	return h, v
}

// Weight is how many bytes Decode allocates for a frame: planes padded to whole units, for a progressive one its coefficients, and
// the image where it is not made of the planes as they are.
func (f Frame) Weight() int64 {
	across, down := f.factors()
	pixels := int64(f.Width) * int64(f.Height)
	unit := 8
	if f.Lossless() {
		unit = 1
	}
	var samples int64
	full := true
	for _, c := range f.Components {
		if len(f.Components) == 1 {
			c.H, c.V = 1, 1
		}
		samples += int64(ceil(f.Width, across*unit)*c.H*unit) * int64(ceil(f.Height, down*unit)*c.V*unit)
		full = full && c.H == across && c.V == down
	}
	if f.Progressive() {
		samples *= 1 + 2
	}
	switch c := f.colours(); {
	case c == luma, c == ycc && full:
		return samples
	case c == ycc:
		return samples + 3*pixels
	}
	return samples + 4*pixels
}

func ceil(a, b int) int { return (a + b - 1) / b }

// early makes the end of a file an unexpected one.
func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
