package study

import (
	"math/rand/v2"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/sample"
)

// Hand says how well a simulated annotator paints.
type Hand string

// The hands. Each starts from the object's mask on the map's grid.
const (
	Exact    Hand = "exact"    // the mask
	Careless Hand = "careless" // the mask, grown by a cell and moved by up to a cell in each direction
	Mistaken Hand = "mistaken" // a third of the images have the map of another one
)

// Hands are all of them.
var Hands = []Hand{Exact, Careless, Mistaken}

// mistakes is of how many images one has another one's map.
const mistakes = 3

// paint gives images the maps that the hand makes of their edited maps. What it draws follows from the seed.
func (h Hand) paint(list []sample.Sample, seed int64) []sample.Sample {
	out := append([]sample.Sample(nil), list...)
	rng := rand.New(rand.NewPCG(uint64(seed), 0x68616e64))
	switch h {
	case Careless:
		for i := range out {
			out[i].Edited = moved(grown(out[i].Edited), rng.IntN(3)-1, rng.IntN(3)-1)
		}
	case Mistaken:
		for _, i := range rng.Perm(len(out))[:len(out)/mistakes] {
			other := rng.IntN(len(out) - 1)
			if other >= i {
				other++
			}
			out[i].Edited = list[other].Edited
		}
	}
	return out
}

// grown gives every cell the largest value among it and its neighbours.
func grown(m attention.Map) attention.Map {
	out := m.Clone()
	for y := range m.Height {
		for x := range m.Width {
			top := float32(0)
			for v := max(0, y-1); v <= min(m.Height-1, y+1); v++ {
				for u := max(0, x-1); u <= min(m.Width-1, x+1); u++ {
					top = max(top, m.At(v, u))
				}
			}
			out.Values[y*m.Width+x] = top
		}
	}
	return out
}

// moved shifts a map by whole cells; what comes in from beyond its edge is 0.
func moved(m attention.Map, dy, dx int) attention.Map {
	out := attention.New(m.Height, m.Width)
	for y := range m.Height {
		for x := range m.Width {
			if v, u := y-dy, x-dx; v >= 0 && v < m.Height && u >= 0 && u < m.Width {
				out.Values[y*m.Width+x] = m.At(v, u)
			}
		}
	}
	return out
}
