package measure

import (
	"math/rand/v2"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
)

// Five hundred images by three painters on a grid of 14 × 14.
func BenchmarkAgree(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	images := make([]Painted, 500)
	for i := range images {
		images[i] = Painted{Class: i % 10, Painters: []int64{1, 2, 3}}
		for range 3 {
			m := attention.New(14, 14)
			for k := range m.Values {
				m.Values[k] = rng.Float32()
			}
			images[i].Maps = append(images[i].Maps, m)
		}
	}
	for b.Loop() {
		for _, kind := range AgreementKinds() {
			Agree(images, kind, 1)
		}
	}
}
