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
		unknown, avoided := 0, 0
		var squares float64
		for _, m := range maps {
			v := float64(m.Values[i])
			switch m.Marks.At(i) {
			case Unknown:
				unknown++
				continue
			case Avoided:
				avoided++
				v = 0
			}
			d := v - float64(out.Mean.Values[i])
			squares += d * d
		}
		if said := len(maps) - unknown; said > 1 {
			out.Deviation.Values[i] = float32(math.Sqrt(squares / float64(said)))
		}
		switch {
		case 2*unknown > len(maps):
			marks[i] = byte(Unknown)
		case 2*avoided > len(maps):
			marks[i], out.Mean.Values[i] = byte(Avoided), 0
		default:
			marks[i] = byte(Valued)
		}
	}
	out.Mean.Marks = Marks(marks).Plain()
	return out
}
