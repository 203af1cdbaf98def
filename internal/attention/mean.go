package attention

// Mean is the mean of people's maps, cell by cell.
type Mean struct {
	Maps          int // how many were added
	height, width int
	sums          []float64
	counts        []int
}

// NewMean makes the mean of no maps of height × width cells.
func NewMean(height, width int) *Mean {
	return &Mean{height: height, width: width, sums: make([]float64, height*width), counts: make([]int, height*width)}
}

// Add adds a map, which has the mean's grid. A cell that its painter does not know (Unknown) says nothing, and one that is to be avoided
// counts as 0.
func (s *Mean) Add(m Map) {
	s.Maps++
	for i, v := range m.Values {
		switch m.Marks.At(i) {
		case Unknown:
			continue
		case Avoided:
			v = 0
		}
		s.sums[i] += float64(v)
		s.counts[i]++
	}
}

// Map is the mean in [0,1], 0 in cells of which no map says anything.
func (s *Mean) Map() Map {
	out := New(s.height, s.width)
	for i, n := range s.counts {
		if n > 0 {
			out.Values[i] = float32(s.sums[i] / float64(n))
		}
	}
	return out
}
