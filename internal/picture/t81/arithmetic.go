package t81

import "io"

// state is one line of T.81's table D.3: the probability of the less probable symbol, and what follows either.
type state struct {
	qe           int32
	nextL, nextM uint8
	exchange     uint8 // 0x80 where the less probable symbol becomes the more probable one
}

// states are T.81's table D.3, and a last one that stays at one half.
var states = [114]state{
	{0x5a1d, 1, 1, 1 << 7}, {0x2586, 14, 2, 0 << 7}, {0x1114, 16, 3, 0 << 7}, {0x080b, 18, 4, 0 << 7},
	{0x03d8, 20, 5, 0 << 7}, {0x01da, 23, 6, 0 << 7}, {0x00e5, 25, 7, 0 << 7}, {0x006f, 28, 8, 0 << 7},
	{0x0036, 30, 9, 0 << 7}, {0x001a, 33, 10, 0 << 7}, {0x000d, 35, 11, 0 << 7}, {0x0006, 9, 12, 0 << 7},
	{0x0003, 10, 13, 0 << 7}, {0x0001, 12, 13, 0 << 7}, {0x5a7f, 15, 15, 1 << 7}, {0x3f25, 36, 16, 0 << 7},
	{0x2cf2, 38, 17, 0 << 7}, {0x207c, 39, 18, 0 << 7}, {0x17b9, 40, 19, 0 << 7}, {0x1182, 42, 20, 0 << 7},
	{0x0cef, 43, 21, 0 << 7}, {0x09a1, 45, 22, 0 << 7}, {0x072f, 46, 23, 0 << 7}, {0x055c, 48, 24, 0 << 7},
	{0x0406, 49, 25, 0 << 7}, {0x0303, 51, 26, 0 << 7}, {0x0240, 52, 27, 0 << 7}, {0x01b1, 54, 28, 0 << 7},
	{0x0144, 56, 29, 0 << 7}, {0x00f5, 57, 30, 0 << 7}, {0x00b7, 59, 31, 0 << 7}, {0x008a, 60, 32, 0 << 7},
	{0x0068, 62, 33, 0 << 7}, {0x004e, 63, 34, 0 << 7}, {0x003b, 32, 35, 0 << 7}, {0x002c, 33, 9, 0 << 7},
	{0x5ae1, 37, 37, 1 << 7}, {0x484c, 64, 38, 0 << 7}, {0x3a0d, 65, 39, 0 << 7}, {0x2ef1, 67, 40, 0 << 7},
	{0x261f, 68, 41, 0 << 7}, {0x1f33, 69, 42, 0 << 7}, {0x19a8, 70, 43, 0 << 7}, {0x1518, 72, 44, 0 << 7},
	{0x1177, 73, 45, 0 << 7}, {0x0e74, 74, 46, 0 << 7}, {0x0bfb, 75, 47, 0 << 7}, {0x09f8, 77, 48, 0 << 7},
	{0x0861, 78, 49, 0 << 7}, {0x0706, 79, 50, 0 << 7}, {0x05cd, 48, 51, 0 << 7}, {0x04de, 50, 52, 0 << 7},
	{0x040f, 50, 53, 0 << 7}, {0x0363, 51, 54, 0 << 7}, {0x02d4, 52, 55, 0 << 7}, {0x025c, 53, 56, 0 << 7},
	{0x01f8, 54, 57, 0 << 7}, {0x01a4, 55, 58, 0 << 7}, {0x0160, 56, 59, 0 << 7}, {0x0125, 57, 60, 0 << 7},
	{0x00f6, 58, 61, 0 << 7}, {0x00cb, 59, 62, 0 << 7}, {0x00ab, 61, 63, 0 << 7}, {0x008f, 61, 32, 0 << 7},
	{0x5b12, 65, 65, 1 << 7}, {0x4d04, 80, 66, 0 << 7}, {0x412c, 81, 67, 0 << 7}, {0x37d8, 82, 68, 0 << 7},
	{0x2fe8, 83, 69, 0 << 7}, {0x293c, 84, 70, 0 << 7}, {0x2379, 86, 71, 0 << 7}, {0x1edf, 87, 72, 0 << 7},
	{0x1aa9, 87, 73, 0 << 7}, {0x174e, 72, 74, 0 << 7}, {0x1424, 72, 75, 0 << 7}, {0x119c, 74, 76, 0 << 7},
	{0x0f6b, 74, 77, 0 << 7}, {0x0d51, 75, 78, 0 << 7}, {0x0bb6, 77, 79, 0 << 7}, {0x0a40, 77, 48, 0 << 7},
	{0x5832, 80, 81, 1 << 7}, {0x4d1c, 88, 82, 0 << 7}, {0x438e, 89, 83, 0 << 7}, {0x3bdd, 90, 84, 0 << 7},
	{0x34ee, 91, 85, 0 << 7}, {0x2eae, 92, 86, 0 << 7}, {0x299a, 93, 87, 0 << 7}, {0x2516, 86, 71, 0 << 7},
	{0x5570, 88, 89, 1 << 7}, {0x4ca9, 95, 90, 0 << 7}, {0x44d9, 96, 91, 0 << 7}, {0x3e22, 97, 92, 0 << 7},
	{0x3824, 99, 93, 0 << 7}, {0x32b4, 99, 94, 0 << 7}, {0x2e17, 93, 86, 0 << 7}, {0x56a8, 95, 96, 1 << 7},
	{0x4f46, 101, 97, 0 << 7}, {0x47e5, 102, 98, 0 << 7}, {0x41cf, 103, 99, 0 << 7}, {0x3c3d, 104, 100, 0 << 7},
	{0x375e, 99, 93, 0 << 7}, {0x5231, 105, 102, 0 << 7}, {0x4c0f, 106, 103, 0 << 7}, {0x4639, 107, 104, 0 << 7},
	{0x415e, 103, 99, 0 << 7}, {0x5627, 105, 106, 1 << 7}, {0x50e7, 108, 107, 0 << 7}, {0x4b85, 109, 103, 0 << 7},
	{0x5597, 110, 109, 0 << 7}, {0x504f, 111, 107, 0 << 7}, {0x5a10, 110, 111, 1 << 7}, {0x5522, 112, 109, 0 << 7},
	{0x59eb, 112, 111, 1 << 7}, {0x5a1d, 113, 113, 0 << 7},
}

// bin is how likely a decision has become: an index into states, and in the highest bit the more probable symbol.
type bin uint8

// The tables hold at most 49 bins for the first coefficient and 245 for the others (T.81, F.1.4.4).
type (
	dcBins [64]bin
	acBins [256]bin
)

// conditions are what a DAC segment sets: the bounds of small differences, and the last low frequency.
type conditions struct{ lower, upper, low uint8 }

// arithmetic decodes decisions (T.81, D.2). The code register holds the interval's base above the bits that wait.
type arithmetic struct {
	data     []byte
	at       int
	code     int64
	interval int64
	count    int // bits that wait; below 0 at the start
	err      error
	half     bin // a decision that is even
}

func (a *arithmetic) reset(data []byte, at int) {
	*a = arithmetic{data: data, at: at, count: -16, half: bin(len(states) - 1)}
}

// next is the next byte of the data, 0 for good where a marker stands: that is how the coding ends.
func (a *arithmetic) next() int64 {
	if a.at >= len(a.data) {
		a.err = io.ErrUnexpectedEOF
		return 0
	}
	c := a.data[a.at]
	if c == 0xff {
		more := a.at + 1
		for more < len(a.data) && a.data[more] == 0xff {
			more++
		}
		if more >= len(a.data) {
			a.err = io.ErrUnexpectedEOF
			return 0
		}
		if a.data[more] != 0 {
			return 0
		}
		a.at = more
	}
	a.at++
	return int64(c)
}

// decide reads one decision.
func (a *arithmetic) decide(b *bin) bool {
	for a.interval < 0x8000 {
		if a.count--; a.count < 0 {
			a.code = a.code<<8 | a.next()
			if a.count += 8; a.count < 0 { // the first two bytes
				if a.count++; a.count == 0 {
					a.interval = 0x8000
				}
			}
		}
		a.interval <<= 1
	}
	s := states[*b&0x7f]
	symbol := uint8(*b) & 0x80
	qe := int64(s.qe)
	a.interval -= qe
	var likely bool
	if above := a.interval << a.count; a.code >= above {
		a.code -= above
		likely = a.interval < qe
		a.interval = qe
	} else if a.interval < 0x8000 {
		likely = a.interval >= qe
	} else {
		return symbol != 0
	}
	if likely {
		*b = bin(symbol | s.nextM)
		return symbol != 0
	}
	*b = bin(symbol ^ s.exchange | s.nextL)
	return symbol == 0
}

// magnitude reads the size of a number that is not 0 (T.81, figures F.23 and F.24): m is the category that is known so far, 0
// for a number of 1, and at the bin where it goes on.
func (a *arithmetic) magnitude(bins []bin, at int, m int32) (v, category int32) {
	for m > 0 && a.decide(&bins[at]) {
		if m <<= 1; m == 0x8000 {
			a.err = errCode
			return 0, 0
		}
		at++
	}
	v, category = m, m
	for m >>= 1; m > 0; m >>= 1 {
		if a.decide(&bins[at+14]) {
			v |= m
		}
	}
	return v + 1, category
}

// sequentialArithmetic reads a whole block (T.81, F.2.4).
func (s *scan) sequentialArithmetic(c *scanned, b *block) error {
	if err := s.firstDCArithmetic(c, b); err != nil {
		return err
	}
	return s.firstACArithmetic(c, b)
}

func (s *scan) firstDCArithmetic(c *scanned, b *block) error {
	bins := c.dcBins[:]
	at := c.context
	c.context = 0
	if s.coder.decide(&bins[at]) {
		sign := 0
		if s.coder.decide(&bins[at+1]) {
			sign = 1
		}
		m := int32(0)
		if s.coder.decide(&bins[at+2+sign]) {
			m = 1
		}
		v, category := s.coder.magnitude(bins, 20, m)
		switch {
		case category < 1<<c.conditions.lower>>1: // nearly nothing
		case category > 1<<c.conditions.upper>>1:
			c.context = 12 + 4*sign
		default:
			c.context = 4 + 4*sign
		}
		if sign == 1 {
			v = -v
		}
		c.dc += v
	}
	b[0] = int16(c.dc << s.low)
	return s.coder.err
}

func (s *scan) moreDCArithmetic(_ *scanned, b *block) error {
	if s.coder.decide(&s.coder.half) {
		b[0] |= 1 << s.low
	}
	return s.coder.err
}

func (s *scan) firstACArithmetic(c *scanned, b *block) error {
	bins := c.acBins[:]
	for k := max(s.from, 1); k <= s.to && s.coder.err == nil; k++ {
		if s.coder.decide(&bins[3*(k-1)]) {
			break // no more
		}
		for !s.coder.decide(&bins[3*(k-1)+1]) {
			if k++; k > s.to {
				return errCode
			}
		}
		negative := s.coder.decide(&s.coder.half)
		at, m := 3*(k-1)+2, int32(0)
		if s.coder.decide(&bins[at]) {
			m = 1
			if s.coder.decide(&bins[at]) {
				m = 2
			}
		}
		v := m + 1
		if m == 2 {
			above := 217
			if k <= int(c.conditions.low) {
				above = 189
			}
			v, _ = s.coder.magnitude(bins, above, m)
		}
		if negative {
			v = -v
		}
		b[zigzag[k]] = int16(v << s.low)
	}
	return s.coder.err
}

// moreACArithmetic is T.81, G.1.3.3: a band that had ended cannot end before that.
func (s *scan) moreACArithmetic(c *scanned, b *block) error {
	bins := c.acBins[:]
	ended := s.to
	for ended > 0 && b[zigzag[ended]] == 0 {
		ended--
	}
	bit := int16(1) << s.low
	for k := s.from; k <= s.to && s.coder.err == nil; k++ {
		if k > ended && s.coder.decide(&bins[3*(k-1)]) {
			break
		}
		for ; ; k++ {
			if k > s.to {
				return errCode
			}
			v := &b[zigzag[k]]
			if *v != 0 {
				if s.coder.decide(&bins[3*(k-1)+2]) {
					if *v > 0 {
						*v += bit
					} else {
						*v -= bit
					}
				}
				break
			}
			if s.coder.decide(&bins[3*(k-1)+1]) {
				*v = bit
				if s.coder.decide(&s.coder.half) {
					*v = -bit
				}
				break
			}
		}
	}
	return s.coder.err
}
