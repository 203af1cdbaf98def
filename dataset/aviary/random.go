package aviary

// random is SplitMix64 (Steele, Lea, Flood 2014). Its numbers never change. The standard library promises that only for the sources of
// its generators, not for the methods on top of them.
type random struct{ state uint64 }

// newRandom starts a stream that depends on the seed and on each of the words.
func newRandom(seed int64, words ...string) *random {
	r := &random{state: uint64(seed)}
	for _, word := range words {
		for _, b := range []byte(word) {
			r.state = r.next() ^ uint64(b)
		}
		r.next()
	}
	return r
}

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number in [0,n). The bias of the remainder is below n/2⁶⁴.
func (r *random) below(n int) int { return int(r.next() % uint64(n)) }

// between returns a number in [low, high].
func (r *random) between(low, high int) int { return low + r.below(high-low+1) }

// chance is true in percent of 100 cases.
func (r *random) chance(percent int) bool { return r.below(100) < percent }

// shuffle orders n things at random (Fisher–Yates).
func (r *random) shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, r.below(i+1))
	}
}
