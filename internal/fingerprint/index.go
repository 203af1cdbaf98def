package fingerprint

import "slices"

// The index cuts a fingerprint into bands. Of two that differ in at most d bits, some band differs in at most d/4: only those are
// compared that have such a band (multi-index hashing, Norouzi et al. 2012).
const (
	bands    = 4
	bandBits = 16
)

// Index finds the fingerprints within a distance of another one. It takes 24 bytes for each, and 1 MiB.
type Index struct {
	all   []Fingerprint
	order [bands][]int32 // places in all, by the value of the band
	start [bands][]int32 // where in order a value begins; one more than there are values
}

// NewIndex indexes fingerprints, which it keeps. Where many are the same they are better given once: each is found for itself.
func NewIndex(all []Fingerprint) *Index {
	x := &Index{all: all}
	for b := range bands {
		start, order := make([]int32, 1<<bandBits+1), make([]int32, len(all))
		for _, f := range all {
			start[int(band(f, b))+1]++
		}
		for v := range 1 << bandBits {
			start[v+1] += start[v]
		}
		next := slices.Clone(start)
		for i, f := range all {
			v := band(f, b)
			order[next[v]] = int32(i)
			next[v]++
		}
		x.order[b], x.start[b] = order, start
	}
	return x
}

// band is the value of the b-th 16 bits.
func band(f Fingerprint, b int) uint16 { return uint16(f >> (bandBits * b)) }

// Within calls found with the place and the distance of each fingerprint that differs from f in at most bound bits (0 to MaxBound),
// once each, in no order.
func (x *Index) Within(f Fingerprint, bound int, found func(at, distance int)) {
	near := masks[:ends[min(bound, MaxBound)/bands]]
	for b := range bands {
		for _, mask := range near {
			v := band(f, b) ^ mask
			for _, at := range x.order[b][x.start[b][v]:x.start[b][int(v)+1]] {
				other := x.all[at]
				if d := Distance(f, other); d <= bound && !earlier(f, other, b, bound) {
					found(int(at), d)
				}
			}
		}
	}
}

// earlier reports whether a band before b has found the pair already.
func earlier(f, other Fingerprint, b, bound int) bool {
	for i := range b {
		if Distance(Fingerprint(band(f, i)), Fingerprint(band(other, i))) <= bound/bands {
			return true
		}
	}
	return false
}

// masks are the values of 16 bits with few of them set, those with fewest first; ends[n] is how many have at most n.
var masks, ends = func() (masks []uint16, ends [MaxBound/bands + 1]int) {
	for n := range ends {
		for v := range 1 << bandBits {
			if Distance(Fingerprint(v), 0) == n {
				masks = append(masks, uint16(v))
			}
		}
		ends[n] = len(masks)
	}
	return masks, ends
}()
