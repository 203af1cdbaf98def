package t81

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
)

// Decode decodes a JPEG. The image is an *image.Gray, an *image.YCbCr in 4:4:4, an *image.RGBA, or an *image.CMYK whose inks are
// stored inverted as in Adobe's files, which is how PIL reads all of them. It allocates no more than the frame's Weight and
// some tables, and ends soon after its context.
func Decode(ctx context.Context, data []byte) (image.Image, error) {
	d := decoder{ctx: ctx, data: data, at: 2, frame: Frame{Adobe: -1}}
	for i := range d.conditions {
		d.conditions[i] = conditions{lower: 0, upper: 1, low: 5}
	}
	for {
		marker, body, err := d.segment()
		if err != nil {
			return nil, err
		}
		switch {
		case marker == EOI:
			return d.image()
		case marker == SOS:
			err = d.scan(body)
		case marker == DHT:
			err = d.huffmanTables(body)
		case marker == DQT:
			err = d.quantTables(body)
		case marker == DAC:
			err = d.arithmeticConditions(body)
		case marker == DRI && len(body) >= 2:
			d.restart = int(binary.BigEndian.Uint16(body))
		case isFrame(marker) && d.frame.Marker != 0:
			err = errors.New("it has a second frame")
		default:
			err = d.frame.segment(marker, body)
		}
		if err != nil {
			return nil, err
		}
	}
}

type decoder struct {
	ctx        context.Context
	data       []byte
	at         int // the next byte
	frame      Frame
	restart    int // units between restarts, 0 for none
	quant      [4]*[64]uint16
	dc, ac     [4]*huffman
	conditions [16]conditions
	planes     []plane // once there is a scan
}

// plane is a component's samples, padded to whole units.
type plane struct {
	Component
	width, height int // samples that are of the picture
	across        int // units beside each other; a row has unit·across samples
	stride        int
	samples       []uint8
	blocks        []block // of a progressive frame
	table         *[64]uint16
	seen          bool
}

// segment finds the next segment, as NextSegment does.
func (d *decoder) segment() (marker byte, body []byte, err error) {
	for {
		skip := bytes.IndexByte(d.data[d.at:], 0xff)
		if skip < 0 {
			return 0, nil, io.ErrUnexpectedEOF
		}
		d.at += skip
		for d.at < len(d.data) && d.data[d.at] == 0xff {
			d.at++
		}
		if d.at >= len(d.data) {
			return 0, nil, io.ErrUnexpectedEOF
		}
		marker = d.data[d.at]
		d.at++
		if marker == 0 || RST0 <= marker && marker < RST0+8 {
			continue
		}
		if marker == EOI {
			return marker, nil, nil
		}
		if d.at+2 > len(d.data) {
			return 0, nil, io.ErrUnexpectedEOF
		}
		length := int(binary.BigEndian.Uint16(d.data[d.at:]))
		if length < 2 {
			return 0, nil, errors.New("a segment's length is less than 2")
		}
		if d.at+length > len(d.data) {
			return 0, nil, io.ErrUnexpectedEOF
		}
		body = d.data[d.at+2 : d.at+length]
		d.at += length
		return marker, body, nil
	}
}

func (d *decoder) huffmanTables(body []byte) error {
	for len(body) > 0 {
		if len(body) < 17 {
			return errors.New("a Huffman table is too short")
		}
		class, number, codes := body[0]>>4, body[0]&15, 0
		for _, n := range body[1:17] {
			codes += int(n)
		}
		if class > 1 || number > 3 || codes > 256 || len(body) < 17+codes {
			return errors.New("a Huffman table makes no sense")
		}
		h, err := newHuffman(body[1:17], body[17:17+codes])
		if err != nil {
			return err
		}
		if class == 0 {
			d.dc[number] = h
		} else {
			d.ac[number] = h
		}
		body = body[17+codes:]
	}
	return nil
}

func (d *decoder) quantTables(body []byte) error {
	for len(body) > 0 {
		bytesEach, number := 1+int(body[0]>>4), body[0]&15
		if bytesEach > 2 || number > 3 || len(body) < 1+64*bytesEach {
			return errors.New("a quantization table makes no sense")
		}
		var q [64]uint16
		for k := range 64 {
			if bytesEach == 1 {
				q[zigzag[k]] = uint16(body[1+k])
			} else {
				q[zigzag[k]] = binary.BigEndian.Uint16(body[1+2*k:])
			}
		}
		d.quant[number] = &q
		body = body[1+64*bytesEach:]
	}
	return nil
}

func (d *decoder) arithmeticConditions(body []byte) error {
	for ; len(body) >= 2; body = body[2:] {
		c := &d.conditions[body[0]&15]
		switch class, v := body[0]>>4, body[1]; {
		case class == 0 && v&15 <= v>>4:
			c.lower, c.upper = v&15, v>>4
		case class == 1:
			c.low = v
		default:
			return errors.New("a condition of the arithmetic coding makes no sense")
		}
	}
	return nil
}

// unit is how many samples a side of what is coded at once has.
func (d *decoder) unit() int {
	if d.frame.Lossless() {
		return 1
	}
	return 8
}

// begin makes the planes.
func (d *decoder) begin() error {
	if err := d.frame.Check(); err != nil {
		return err
	}
	across, down := d.frame.factors()
	unit := d.unit()
	for _, c := range d.frame.Components {
		if len(d.frame.Components) == 1 {
			c.H, c.V = 1, 1
		}
		p := plane{Component: c, width: ceil(d.frame.Width*c.H, across), height: ceil(d.frame.Height*c.V, down)}
		p.across = ceil(d.frame.Width, across*unit) * c.H
		units := p.across * ceil(d.frame.Height, down*unit) * c.V
		p.stride, p.samples = p.across*unit, make([]uint8, units*unit*unit)
		if d.frame.Progressive() {
			p.blocks = make([]block, units)
		}
		d.planes = append(d.planes, p)
	}
	return nil
}

// scanned is a component within a scan.
type scanned struct {
	*plane
	h, v             int // units of it in each unit of the scan
	dcCodes, acCodes *huffman
	dcBins           *dcBins
	acBins           *acBins
	conditions       conditions
	dc               int32 // the first coefficient of the block before
	context          int   // the bin that follows from the difference before
	top              int   // lossless: the row since which nothing is known of the rows above
}

// scan is a pass over some components.
type scan struct {
	bits
	coder      arithmetic
	arithmetic bool
	components []*scanned
	from, to   int   // the band of coefficients; from is a lossless scan's predictor
	low        int   // the lowest bit that is coded
	ended      int   // blocks whose band has ended
	block      block // of a sequential frame
}

// scan reads what follows a scan's header.
func (d *decoder) scan(body []byte) error {
	if d.planes == nil {
		if err := d.begin(); err != nil {
			return err
		}
	}
	s, high, err := d.scanHeader(body)
	if err != nil {
		return err
	}
	read, err := s.reader(d.frame, high)
	if err != nil {
		return err
	}
	across, down := d.frame.factors()
	across, down = ceil(d.frame.Width, across*d.unit()), ceil(d.frame.Height, down*d.unit())
	if len(s.components) == 1 { // a component alone is not padded to the units of all
		c := s.components[0]
		c.h, c.v = 1, 1
		across, down = ceil(c.width, d.unit()), ceil(c.height, d.unit())
	}
	if d.frame.Lossless() && d.restart%across != 0 {
		return errors.New("it restarts within a row")
	}
	units := 0
	for my := range down {
		if d.ctx.Err() != nil {
			return context.Cause(d.ctx)
		}
		for mx := range across {
			if d.restart > 0 && units > 0 && units%d.restart == 0 {
				if err := s.again(units/d.restart-1, my); err != nil {
					return err
				}
			}
			units++
			for _, c := range s.components {
				for y := range c.v {
					for x := range c.h {
						if err := read(c, mx*c.h+x, my*c.v+y); err != nil {
							return err
						}
					}
				}
			}
		}
	}
	for _, c := range s.components {
		c.seen = c.seen || !d.frame.Progressive() || s.from == 0
		if d.frame.Lossless() && s.low > 0 {
			for i := range c.samples {
				c.samples[i] <<= s.low
			}
		}
	}
	d.at = s.position()
	return nil
}

// scanHeader says which components a scan has, and how they are coded; high is the lowest bit of an earlier scan, 0 for none.
func (d *decoder) scanHeader(body []byte) (s *scan, high int, err error) {
	if len(body) < 1 || len(body) < 4+2*int(body[0]) || body[0] < 1 || int(body[0]) > len(d.planes) {
		return nil, 0, errors.New("a scan's header makes no sense")
	}
	n := int(body[0])
	s = &scan{bits: bits{data: d.data, at: d.at}, arithmetic: d.frame.Arithmetic()}
	s.coder.reset(d.data, d.at)
	var dc [16]*dcBins
	var ac [16]*acBins
	blocks := 0
	for i := range n {
		id, tables := body[1+2*i], body[2+2*i]
		c := &scanned{plane: d.unscanned(id, s.components)}
		if c.plane == nil {
			return nil, 0, fmt.Errorf("a scan names component %d, which the frame has not, or twice", id)
		}
		c.h, c.v = c.H, c.V
		blocks += c.h * c.v
		first, others := tables>>4, tables&15
		if s.arithmetic {
			if dc[first] == nil {
				dc[first] = new(dcBins)
			}
			if ac[others] == nil {
				ac[others] = new(acBins)
			}
			c.dcBins, c.acBins = dc[first], ac[others]
			c.conditions = d.conditions[first]
			c.conditions.low = d.conditions[others].low
		} else {
			c.dcCodes, c.acCodes = d.dc[first&3], d.ac[others&3]
		}
		if c.table == nil && !d.frame.Lossless() { // the one that stands when a component's first scan begins serves all of it
			if c.table = d.quant[c.quant]; c.table == nil {
				return nil, 0, fmt.Errorf("quantization table %d is not there", c.quant)
			}
		}
		s.components = append(s.components, c)
	}
	if n > 1 && blocks > 10 {
		return nil, 0, fmt.Errorf("a scan has %d blocks in a unit; 10 are the most", blocks)
	}
	rest := body[1+2*n:]
	s.from, s.to, high, s.low = int(rest[0]), int(rest[1]), int(rest[2]>>4), int(rest[2]&15)
	return s, high, nil
}

// unscanned is the first plane of an identifier that is not yet in a scan: identifiers may repeat.
func (d *decoder) unscanned(id byte, taken []*scanned) *plane {
next:
	for i := range d.planes {
		for _, c := range taken {
			if c.plane == &d.planes[i] {
				continue next
			}
		}
		if d.planes[i].ID == id {
			return &d.planes[i]
		}
	}
	return nil
}

// reader is what reads one unit of a component, by the frame's coding and the scan's place in a progression.
func (s *scan) reader(f Frame, high int) (func(c *scanned, x, y int) error, error) {
	if f.Lossless() {
		if s.from < 1 || s.from > 7 || s.low > 7 {
			return nil, errors.New("a lossless scan's predictor makes no sense")
		}
		return s.sample, nil
	}
	if !f.Progressive() {
		s.from, s.to, s.low = 0, 63, 0
		read := s.sequentialHuffman
		if s.arithmetic {
			read = s.sequentialArithmetic
		}
		return func(c *scanned, x, y int) error {
			s.block = block{}
			if err := read(c, &s.block); err != nil {
				return err
			}
			idct(c.samples[8*y*c.stride+8*x:], c.stride, &s.block, c.table)
			return nil
		}, nil
	}
	if s.from > s.to || s.to > 63 || s.from == 0 && s.to > 0 || s.from > 0 && len(s.components) > 1 ||
		s.low > 13 || high != 0 && high != s.low+1 {
		return nil, errors.New("a scan's place in the progression makes no sense")
	}
	read := [2][2][2]func(*scanned, *block) error{
		{{s.firstDC, s.firstAC}, {s.moreDC, s.moreAC}},
		{{s.firstDCArithmetic, s.firstACArithmetic}, {s.moreDCArithmetic, s.moreACArithmetic}},
	}[index(s.arithmetic)][index(high > 0)][index(s.from > 0)]
	return func(c *scanned, x, y int) error { return read(c, &c.blocks[y*c.across+x]) }, nil
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// position is where a scan's data has been read to.
func (s *scan) position() int {
	if s.arithmetic {
		return s.coder.at
	}
	return s.at
}

// again passes the n-th restart marker: nothing is known of what came before. row is the row of units that it stands in.
func (s *scan) again(n, row int) error {
	data, at := s.data, s.position()
	for at+1 < len(data) && (data[at] != 0xff || data[at+1] == 0 || data[at+1] == 0xff) {
		at++
	}
	if at+1 >= len(data) {
		return io.ErrUnexpectedEOF
	}
	if data[at+1] != RST0+byte(n&7) {
		return errors.New("a restart marker is missing")
	}
	s.bits = bits{data: data, at: at + 2}
	s.coder.reset(data, at+2)
	s.ended = 0
	for _, c := range s.components {
		c.dc, c.context, c.top = 0, 0, row*c.v
		if s.arithmetic {
			*c.dcBins, *c.acBins = dcBins{}, acBins{}
		}
	}
	return nil
}
