package study

import (
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/sample"
)

// avoidedShare is from which share of a cell on that must not be looked at a person marks it.
const avoidedShare = 0.5

// marked marks edited images «do not look here» where masks say so: a cell of which at least half lies in the mask.
func (s *subject) marked(list []sample.Sample) []sample.Sample {
	if s.avoid == nil {
		return list
	}
	masks := map[string]attention.Map{}
	for _, a := range s.avoid.Samples {
		masks[a.Name] = a.Mask
	}
	out := append([]sample.Sample(nil), list...)
	for i := range out {
		out[i].Edited = avoiding(out[i].Edited, masks[out[i].Name])
	}
	return out
}

// avoiding is a map with its cells marked where a mask of the same grid covers avoidedShare of them.
func avoiding(m, mask attention.Map) attention.Map {
	if mask.IsZero() {
		return m
	}
	marks := make([]byte, len(m.Values))
	for i := range marks {
		marks[i] = byte(m.Marks.At(i))
		if mask.Values[i] >= avoidedShare {
			marks[i] = byte(attention.Avoided)
		}
	}
	m = m.Clone()
	m.Marks = attention.Marks(marks).Plain()
	return m
}
