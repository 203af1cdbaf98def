package features

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A run over four times as many images as fit must find a quarter of them, in whatever order and however long an epoch takes:
// what it keeps it will read again.
func TestHitsAtAQuarter(t *testing.T) {
	t.Parallel()
	const images, epochs = 400, 6
	dims := [3]int{1, 10, 10}
	const size = entryHeader + 200
	for _, c := range []struct {
		name  string
		epoch time.Duration
		order func(*rand.Rand) []int
	}{
		{"shuffled, epochs of a minute", time.Minute, func(rng *rand.Rand) []int { return rng.Perm(images) }},
		{"shuffled, epochs of an hour", time.Hour, func(rng *rand.Rand) []int { return rng.Perm(images) }},
		{"the same order, epochs of an hour", time.Hour, func(*rand.Rand) []int {
			order := make([]int, images)
			for i := range order {
				order[i] = i
			}
			return order
		}},
	} {
		s, clock := testStore(t, Options{MaxBytes: images / 4 * size})
		r, _ := testReader(s, dims)
		list := testImages(images, dims)
		if _, err := r.Prepare(t.Context(), list, false, func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(3, 4))
		values := make([]float32, r.Size())
		before := s.Stats()
		for range epochs {
			for _, i := range c.order(rng) {
				*clock = clock.Add(c.epoch / images)
				if err := r.Read(t.Context(), list[i], false, values); err != nil {
					t.Fatal(err)
				}
			}
		}
		after := s.Stats()
		share := float64(after.Hits-before.Hits) / (images * epochs)
		t.Logf("%s: %.1f%% of reads were served, %d entries written and %d evicted while it trained", c.name, 100*share, after.Written-before.Written, after.Evicted-before.Evicted)
		if share < 0.24 {
			t.Errorf("%s: %.1f%% of reads were served, want the quarter that fits", c.name, 100*share)
		}
	}
}
