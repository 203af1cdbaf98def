package aviary

import (
	"image"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
)

// EditFromMask makes the map that a person who paints the bird would make: the mask averaged over the cells of the model's grid of
// height × width cells, divided by its maximum, so that the cell that the bird fills most is 1. An empty mask gives a map of zeros.
func EditFromMask(mask *image.Gray, height, width int) attention.Map {
	return EditFromGrid(attention.FromMask(mask, attention.Whole, height, width))
}

// EditFromGrid is EditFromMask for a mask that is on the model's grid already.
func EditFromGrid(mask attention.Map) attention.Map {
	m := mask.Clone()
	if len(m.Values) == 0 {
		return m
	}
	top := slices.Max(m.Values)
	if top == 0 {
		return m
	}
	for i := range m.Values {
		m.Values[i] /= top
	}
	return m
}
