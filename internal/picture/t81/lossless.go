package t81

// sample reads one sample as its difference from what its neighbours predict (T.81, H.1.2).
func (s *scan) sample(c *scanned, x, y int) error {
	size, err := s.symbol(c.dcCodes)
	if err != nil {
		return err
	}
	var difference int32
	switch {
	case size > 16:
		return errCode
	case size == 16:
		difference = 1 << 15
	default:
		if difference, err = s.extended(int(size)); err != nil {
			return err
		}
	}
	at := y*c.stride + x
	c.samples[at] = uint8(s.predict(c, x, y, at) + difference)
	return nil
}

// predict is table H.1, from the samples to the left, above, and above that one. The first row knows only its own, and the first
// sample of all nothing.
func (s *scan) predict(c *scanned, x, y, at int) int32 {
	if y == c.top {
		if x == 0 {
			return 1 << (7 - s.low)
		}
		return int32(c.samples[at-1])
	}
	b := int32(c.samples[at-c.stride])
	if x == 0 {
		return b
	}
	a, d := int32(c.samples[at-1]), int32(c.samples[at-c.stride-1])
	switch s.from {
	case 1:
		return a
	case 2:
		return b
	case 3:
		return d
	case 4:
		return a + b - d
	case 5:
		return a + (b-d)>>1
	case 6:
		return b + (a-d)>>1
	}
	return (a + b) >> 1
}
