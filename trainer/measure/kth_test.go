package measure

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
)

// uneven is a map with negative, equal and nearly equal values.
func uneven(size int) attention.Map {
	draw := rand.New(rand.NewPCG(1, uint64(size)))
	m := attention.New(1, size)
	for i := range m.Values {
		switch m.Values[i] = draw.Float32(); draw.IntN(4) {
		case 0:
			m.Values[i] = 0.5
		case 1:
			m.Values[i] *= -1e-3
		case 2:
			m.Values[i] *= 0
			if draw.IntN(2) == 0 {
				m.Values[i] = -m.Values[i]
			}
		}
	}
	return m
}

func TestKthIsThatOfSorting(t *testing.T) {
	t.Parallel()
	m := uneven(500)
	sorted := slices.Clone(m.Values)
	slices.SortFunc(sorted, func(a, b float32) int {
		if a > b {
			return -1
		}
		return 1
	})
	for k := 1; k <= len(sorted); k++ {
		want := slices.IndexFunc(sorted, func(v float32) bool { return v == sorted[k-1] })
		if least, above := kth(m.Values, k); least != sorted[k-1] || above != want {
			t.Fatalf("%d largest: %v after %d, want %v after %d", k, least, above, sorted[k-1], want)
		}
	}
}

func TestRankAccuracyIsThatOfTheOrder(t *testing.T) {
	t.Parallel()
	m, mask := uneven(400), attention.New(1, 400)
	draw := rand.New(rand.NewPCG(2, 2))
	for n := 1; n <= 400; n++ {
		clear(mask.Values)
		for _, i := range draw.Perm(400)[:n] {
			mask.Values[i] = 1
		}
		hits := 0
		for _, i := range Order(m)[:n] {
			hits += int(mask.Values[i])
		}
		if share, ok := RankAccuracy(m, mask); !ok || share != float64(hits)/float64(n) {
			t.Fatalf("object of %d pixels: %v, want %d of them", n, share, hits)
		}
	}
}

func BenchmarkLookAt(b *testing.B) {
	m, mask := uneven(196), attention.New(224, 224)
	m.Height, m.Width = 14, 14
	for i := range mask.Values {
		mask.Values[i] = float32(i % 97 / 48)
	}
	pixels := Upsample(m, 224, 224)
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			var o OfMap
			o.LookAt(m, m, mask)
		}
	})
	b.Run("rank", func(b *testing.B) {
		for b.Loop() {
			RankAccuracy(pixels, mask)
		}
	})
	b.Run("order", func(b *testing.B) {
		for b.Loop() {
			Order(pixels)
		}
	})
}
