package measure

import (
	"slices"

	"github.com/abn-studio/studio/internal/attention"
)

// scaled are a map's values from 0 (its least) to 1 (its largest), negative ones counted as 0; nil for an even map. The published code
// adds 10⁻⁶ to the divisor.
func scaled(m attention.Map) []float64 {
	out := make([]float64, len(m.Values))
	for i, v := range m.Values {
		out[i] = max(0, float64(v))
	}
	low, high := slices.Min(out), slices.Max(out)
	if low == high {
		return nil
	}
	for i, v := range out {
		out[i] = (v - low) / (high - low + 1e-6)
	}
	return out
}

// Activation is the mean of all scaled maps, above which WrongReasonScore calls a cell active. Even maps do not count; ok is false if there are no
// others.
func Activation(maps []attention.Map) (threshold float64, ok bool) {
	var all activation
	for _, m := range maps {
		all.add(m)
	}
	return all.threshold()
}

// activation is Activation of maps that are added one after the other.
type activation struct {
	sum float64
	n   int
}

func (a *activation) add(m attention.Map) {
	s := scaled(m)
	if s == nil {
		return
	}
	var cells float64
	for _, v := range s {
		cells += v
	}
	a.sum += cells / float64(len(s))
	a.n++
}

func (a *activation) threshold() (mean float64, ok bool) {
	if a.n == 0 {
		return 0, false
	}
	return a.sum / float64(a.n), true
}

// WrongReasonScore is the share of the wrong area on which the map is active: Σ b·wrong ÷ Σ wrong, b being 1 where the scaled map is above
// the threshold, Activation's of all images. wrong has the map's grid, with weights in [0,1]. ok is false for an even map and where
// there is no wrong area.
func WrongReasonScore(m, wrong attention.Map, threshold float64) (score float64, ok bool) {
	s := scaled(m)
	if s == nil {
		return 0, false
	}
	var active, all float64
	for i, w := range wrong.Values {
		all += float64(w)
		if s[i] > threshold {
			active += float64(w)
		}
	}
	if all == 0 {
		return 0, false
	}
	return active / all, true
}

// WrongArea is where an image must not be looked at: the cells that a person marked so, else what is outside of the object. A zero map
// if neither is known.
func WrongArea(mask, edited attention.Map) attention.Map {
	if edited.Marks != "" {
		wrong, marked := attention.New(edited.Height, edited.Width), false
		for i := range wrong.Values {
			if edited.Marks.At(i) == attention.Avoided {
				wrong.Values[i], marked = 1, true
			}
		}
		if marked {
			return wrong
		}
	}
	if mask.IsZero() {
		return attention.Map{}
	}
	wrong := attention.New(mask.Height, mask.Width)
	for i, v := range mask.Values {
		wrong.Values[i] = 1 - v
	}
	return wrong
}
