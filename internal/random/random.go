// Package random has random numbers that never change: what is drawn from a seed is the same on every machine and with every version of
// Go. The standard library promises that only for the sources of its generators, not for the methods on top of them. Generated data sets
// are drawn from it (dataset/aviary, internal/confound).
package random

// Stream is SplitMix64 (Steele, Lea, Flood 2014).
type Stream struct{ state uint64 }

// New starts a stream that depends on the seed and on each of the words.
func New(seed int64, words ...string) *Stream {
	r := &Stream{state: uint64(seed)}
	for _, word := range words {
		for _, b := range []byte(word) {
			r.state = r.Next() ^ uint64(b)
		}
		r.Next()
	}
	return r
}

// Next returns 64 random bits.
func (r *Stream) Next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Below returns a number in [0,n). The bias of the remainder is below n/2⁶⁴.
func (r *Stream) Below(n int) int { return int(r.Next() % uint64(n)) }

// Between returns a number in [low, high].
func (r *Stream) Between(low, high int) int { return low + r.Below(high-low+1) }

// Chance is true in percent of 100 cases.
func (r *Stream) Chance(percent int) bool { return r.Below(100) < percent }

// Shuffle orders n things at random (Fisher–Yates).
func (r *Stream) Shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, r.Below(i+1))
	}
}
