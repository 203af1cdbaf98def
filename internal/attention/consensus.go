package attention

import "math"

// Consensus is what several people's maps of one image have in common, cell by cell, and how far they differ.
type Consensus struct {
	Mean Map // Mean of the maps, in [0,1]; marked where more than half of them have the same mark, and unknown where none says anything
	// Deviation is the standard deviation of the maps' values, in [0, ½]: √(Σ(v−v̄)²/n) over the n maps that say something of the cell; 0 where
	// fewer than two do. A cell that is to be avoided counts as 0, as in Mean.
	Deviation Map
}

// NewConsensus makes that of one map or more on one grid. Of several maps of 0 and 1 the mean is the share of painters that painted a cell;
// among all maps it is the one with the least sum of squared differences to theirs, which is what L_map's square punishes.
func NewConsensus(maps []Map) Consensus {
	height, width := maps[0].Height, maps[0].Width
	mean := NewMean(height, width)
	for _, m := range maps {
		mean.Add(m)
	}
	out := Consensus{mean.Map(), New(height, width)}
	marks := make([]byte, height*width)
	for i := range marks {
		counts := map[Mark]int{}
		var squares float64
		for _, m := range maps {
			mark, v := m.Marks.At(i), float64(m.Values[i])
			counts[mark]++
			switch mark {
			case Unknown:
				continue
			case Avoided:
				v = 0
			}
			d := v - float64(out.Mean.Values[i])
			squares += d * d
		}
		said := len(maps) - counts[Unknown]
		if said > 1 {
			out.Deviation.Values[i] = float32(math.Sqrt(squares / float64(said)))
		}
		marks[i] = byte(Valued)
		for _, mark := range []Mark{Unknown, Avoided} {
			if 2*counts[mark] > len(maps) {
				marks[i] = byte(mark)
			}
		}
		if marks[i] == byte(Avoided) {
			out.Mean.Values[i] = 0
		}
	}
	out.Mean.Marks = Marks(marks).Plain()
	return out
}
