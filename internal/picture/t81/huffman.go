package t81

import (
	"errors"
	"io"
)

var (
	errCode  = errors.New("a code makes no sense")
	errEarly = errors.New("a scan's data ends before its last block")
)

// huffman is a table of codes.
type huffman struct {
	quick  [256]uint16 // by the next 8 bits: the code's length << 8 | its value, 0 for a longer code
	most   [17]int32   // the largest code of a length, −1 where there is none
	first  [17]int32   // what to add to a code of a length for its place in values
	values []uint8
}

// newHuffman builds a table from the number of codes of each length and their values.
func newHuffman(counts, values []byte) (*huffman, error) {
	h := &huffman{values: append([]byte{}, values...)}
	code, place := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		n := int32(counts[length-1])
		h.most[length], h.first[length] = -1, place-code
		if code+n > 1<<length {
			return nil, errors.New("a Huffman table has more codes than fit")
		}
		for range n {
			if length <= 8 {
				for i := range int32(1) << (8 - length) {
					h.quick[code<<(8-length)|i] = uint16(length)<<8 | uint16(values[place])
				}
			}
			h.most[length] = code
			code, place = code+1, place+1
		}
		code <<= 1
	}
	return h, nil
}

// bits reads a scan's data bit by bit. It never passes a marker.
type bits struct {
	data []byte
	at   int    // the next byte
	acc  uint64 // the lowest n bits are still to be read
	n    int
}

func (b *bits) fill() {
	for b.n <= 48 && b.at < len(b.data) {
		c := b.data[b.at]
		if c == 0xff {
			if b.at+1 >= len(b.data) || b.data[b.at+1] != 0 {
				return // a marker
			}
			b.at++
		}
		b.at++
		b.acc, b.n = b.acc<<8|uint64(c), b.n+8
	}
}

// short is the error of who needs more bits than there are.
func (b *bits) short() error {
	if b.at >= len(b.data)-1 {
		return io.ErrUnexpectedEOF
	}
	return errEarly
}

// take reads n bits, at most 16.
func (b *bits) take(n int) (int32, error) {
	if b.n < n {
		if b.fill(); b.n < n {
			return 0, b.short()
		}
	}
	b.n -= n
	return int32(b.acc>>b.n) & (1<<n - 1), nil
}

// extended reads the n bits of a number whose highest bit is its sign (T.81, F.2.2.1).
func (b *bits) extended(n int) (int32, error) {
	v, err := b.take(n)
	if n > 0 && v < 1<<(n-1) {
		v += -1<<n + 1
	}
	return v, err
}

// symbol reads one code.
func (b *bits) symbol(h *huffman) (uint8, error) {
	if h == nil {
		return 0, errors.New("a scan names a Huffman table that is not there")
	}
	if b.n < 16 {
		b.fill()
	}
	var next int32 // 16 bits, zeros where the data has ended
	if b.n >= 16 {
		next = int32(b.acc>>(b.n-16)) & 0xffff
	} else {
		next = int32(b.acc<<(16-b.n)) & 0xffff
	}
	var length int
	var value uint8
	if q := h.quick[next>>8]; q != 0 {
		length, value = int(q>>8), uint8(q)
	} else {
		for length = 9; ; length++ {
			if length > 16 {
				if b.n < 16 {
					return 0, b.short()
				}
				return 0, errCode
			}
			if code := next >> (16 - length); code <= h.most[length] {
				value = h.values[code+h.first[length]]
				break
			}
		}
	}
	if length > b.n {
		return 0, b.short()
	}
	b.n -= length
	return value, nil
}

// sequentialHuffman reads a whole block (T.81, F.2.2).
func (s *scan) sequentialHuffman(c *scanned, b *block) error {
	if err := s.firstDC(c, b); err != nil {
		return err
	}
	for k := 1; k < 64; k++ {
		rs, err := s.symbol(c.acCodes)
		if err != nil {
			return err
		}
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run < 15 {
				return nil
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return errCode
		}
		v, err := s.extended(size)
		if err != nil {
			return err
		}
		b[zigzag[k]] = int16(v)
	}
	return nil
}

// firstDC reads the first coefficient, or its upper bits.
func (s *scan) firstDC(c *scanned, b *block) error {
	size, err := s.symbol(c.dcCodes)
	if err != nil {
		return err
	}
	if size > 16 {
		return errCode
	}
	v, err := s.extended(int(size))
	c.dc += v
	b[0] = int16(c.dc << s.low)
	return err
}

// moreDC reads one more bit of the first coefficient.
func (s *scan) moreDC(_ *scanned, b *block) error {
	v, err := s.take(1)
	b[0] |= int16(v << s.low)
	return err
}

// firstAC reads a band of coefficients, or their upper bits (T.81, G.1.2.2).
func (s *scan) firstAC(c *scanned, b *block) error {
	if s.ended > 0 {
		s.ended--
		return nil
	}
	for k := s.from; k <= s.to; k++ {
		rs, err := s.symbol(c.acCodes)
		if err != nil {
			return err
		}
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run < 15 {
				err = s.endOfBands(run)
				s.ended--
				return err
			}
			k += 15
			continue
		}
		if k += run; k > s.to {
			return errCode
		}
		v, err := s.extended(size)
		if err != nil {
			return err
		}
		b[zigzag[k]] = int16(v << s.low)
	}
	return nil
}

// endOfBands reads for how many blocks, this one included, the band has ended.
func (s *scan) endOfBands(run int) error {
	v, err := s.take(run)
	s.ended = 1<<run + int(v)
	return err
}

// moreAC reads one more bit of the coefficients of a band, and those that begin with it (T.81, G.1.2.3).
func (s *scan) moreAC(c *scanned, b *block) error {
	k := s.from
	for s.ended == 0 && k <= s.to {
		rs, err := s.symbol(c.acCodes)
		if err != nil {
			return err
		}
		run, size := int(rs>>4), int(rs&15)
		if size == 0 && run < 15 {
			if err := s.endOfBands(run); err != nil {
				return err
			}
			break
		}
		begins := int16(0)
		if size > 0 {
			positive, err := s.take(1)
			if err != nil || size > 1 {
				return errors.Join(err, errCode)
			}
			begins = int16(2*positive-1) << s.low
		}
		if k, err = s.correct(b, k, run); err != nil {
			return err
		}
		if size > 0 {
			if k > s.to {
				return errCode
			}
			b[zigzag[k]] = begins
		}
		k++
	}
	if s.ended > 0 {
		s.ended--
		_, err := s.correct(b, k, 64)
		return err
	}
	return nil
}

// correct reads a bit for each coefficient that has begun, from k on until it has passed so many that have not; it returns the
// next of those.
func (s *scan) correct(b *block, k, zeros int) (int, error) {
	for ; k <= s.to; k++ {
		v := &b[zigzag[k]]
		if *v == 0 {
			if zeros == 0 {
				break
			}
			zeros--
			continue
		}
		bit, err := s.take(1)
		if err != nil {
			return k, err
		}
		if bit != 0 && *v&(1<<s.low) == 0 {
			if *v > 0 {
				*v += 1 << s.low
			} else {
				*v -= 1 << s.low
			}
		}
	}
	return k, nil
}
