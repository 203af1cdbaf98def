package measure

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/abn-studio/studio/internal/attention"
)

// What measures of a map against an object's mask go by.
const (
	MaskCut           = 0.5 // a pixel belongs to the object from this value of the mask on
	PointingTolerance = 15  // pixels from the object that still count as on it (Zhang et al., 2016)
	IoUThreshold      = 0.5 // share of a map's largest value from which a pixel counts as attended
)

// Upsample lays a map over height × width pixels: between the middles of cells the values run linearly, and beyond the outermost
// middles they stay as they are. That is PyTorch's F.interpolate with align_corners=False.
func Upsample(m attention.Map, height, width int) attention.Map {
	rows, columns := between(m.Height, height), between(m.Width, width)
	out := attention.New(height, width)
	for y, r := range rows {
		for x, c := range columns {
			top := (1-c.weight)*float64(m.At(r.first, c.first)) + c.weight*float64(m.At(r.first, c.second))
			bottom := (1-c.weight)*float64(m.At(r.second, c.first)) + c.weight*float64(m.At(r.second, c.second))
			out.Values[y*width+x] = float32((1-r.weight)*top + r.weight*bottom)
		}
	}
	return out
}

// place is where a pixel lies between two cells: weight is the second one's.
type place struct {
	first, second int
	weight        float64
}

func between(cells, pixels int) []place {
	out := make([]place, pixels)
	for i := range out {
		at := max(0, (float64(i)+0.5)*float64(cells)/float64(pixels)-0.5)
		first := min(int(at), cells-1)
		out[i] = place{first, min(first+1, cells-1), at - float64(first)}
	}
	return out
}

// even reports whether all values of a map are the same: such a map has no place that it looks at.
func even(m attention.Map) bool {
	return !slices.ContainsFunc(m.Values, func(v float32) bool { return v != m.Values[0] })
}

// Pointing plays the pointing game: whether the map's largest value (the first of equal ones) lies on the object or at most tolerance
// pixels from it. The mask has the map's size. ok is false for an even map, which has no largest value, and for a mask without an object.
func Pointing(m, mask attention.Map, tolerance float64) (hit, ok bool) {
	if even(m) || slices.Max(mask.Values) < MaskCut {
		return false, false
	}
	best := 0
	for i, v := range m.Values {
		if v > m.Values[best] {
			best = i
		}
	}
	y, x := best/m.Width, best%m.Width
	reach := int(tolerance)
	for v := max(0, y-reach); v <= min(m.Height-1, y+reach); v++ {
		for u := max(0, x-reach); u <= min(m.Width-1, x+reach); u++ {
			if mask.At(v, u) >= MaskCut && math.Hypot(float64(v-y), float64(u-x)) <= tolerance {
				return true, true
			}
		}
	}
	return false, true
}

// RankAccuracy is the relevance rank accuracy of a map: of the n pixels of largest value, where n is the object's number of pixels,
// the share that lies on the object. Equal values rank in reading order. ok is false for an even map and for a mask without an object.
func RankAccuracy(m, mask attention.Map) (share float64, ok bool) {
	n := 0
	for _, v := range mask.Values {
		if v >= MaskCut {
			n++
		}
	}
	if n == 0 || even(m) {
		return 0, false
	}
	least, above := kth(m.Values, n)
	hits, equal := 0, n-above
	for i, v := range m.Values {
		if v < least || v == least && equal == 0 {
			continue
		}
		if v == least {
			equal--
		}
		if mask.Values[i] >= MaskCut {
			hits++
		}
	}
	return float64(hits) / float64(n), true
}

// kth is the kth largest of some values, from 1, and how many are above it. It counts the upper and then the lower half of their bits,
// which takes a twentieth of the time of sorting them.
func kth(values []float32, k int) (least float32, above int) {
	digit := func(v float32) uint32 { // in the order of the values
		bits := math.Float32bits(v + 0) // −0 and 0 are equal
		if bits>>31 == 1 {
			return ^bits
		}
		return bits | 1<<31
	}
	var upper, count uint32
	for _, shift := range []int{16, 0} {
		var counts [1 << 16]int
		for _, v := range values {
			if d := digit(v); shift == 16 || d>>16 == upper {
				counts[d>>shift&0xffff]++
			}
		}
		for count = 0xffff; above+counts[count] < k; count-- {
			above += counts[count]
		}
		if shift == 16 {
			upper = count
		}
	}
	bits := upper<<16 | count
	if bits>>31 == 1 {
		return math.Float32frombits(bits &^ (1 << 31)), above
	}
	return math.Float32frombits(^bits), above
}

// IoU is the intersection over union of the object and of where the map is at least threshold times its largest value. ok is false
// for a map without attention and for a mask without an object.
func IoU(m, mask attention.Map, threshold float64) (iou float64, ok bool) {
	cut := threshold * float64(slices.Max(m.Values))
	both, either, object := 0, 0, false
	for i, v := range m.Values {
		a, b := float64(v) >= cut, mask.Values[i] >= MaskCut
		object = object || b
		if a && b {
			both++
		}
		if a || b {
			either++
		}
	}
	if cut <= 0 || !object {
		return 0, false
	}
	return float64(both) / float64(either), true
}

// SoftIoU is attention.SoftIoU.
func SoftIoU(m, edited attention.Map) (iou float64, ok bool) { return attention.SoftIoU(m, edited) }

// Spearman is the rank correlation of two maps over the cells that carry a value in both: Pearson's correlation of the ranks, where
// equal values have the mean of the ranks that they take. ok is false where either map is even.
func Spearman(m, edited attention.Map) (rho float64, ok bool) {
	var a, b []float64
	for i, v := range m.Values {
		if edited.Marks.At(i) == attention.Valued && m.Marks.At(i) == attention.Valued {
			a, b = append(a, float64(v)), append(b, float64(edited.Values[i]))
		}
	}
	if len(a) < 2 || slices.Min(a) == slices.Max(a) || slices.Min(b) == slices.Max(b) {
		return 0, false
	}
	return stat.Correlation(ranks(a), ranks(b), nil), true
}

// ranks gives each value its place in ascending order, from 1 on; equal values have the mean of theirs.
func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(values))
	for start := 0; start < len(order); {
		end := start + 1
		for end < len(order) && values[order[end]] == values[order[start]] {
			end++
		}
		for _, i := range order[start:end] {
			out[i] = float64(start+1+end) / 2
		}
		start = end
	}
	return out
}
