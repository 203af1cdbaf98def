package attention

import (
	"image"
	"math"
)

// Whole is the region of FromMask that is all of a picture.
var Whole = [4]float64{0, 0, 1, 1}

// FromMask averages an object's mask over the cells of a model's grid of height × width cells: each
// cell gets the mean, in [0,1], of the part of the mask it covers, by area. region is the part of the
// picture the network sees, as fractions of the picture's width and height (x, y, width, height); it
// may reach beyond the picture, where there is no object. The mask may have another size than its picture.
func FromMask(mask *image.Gray, region [4]float64, height, width int) Map {
	b := mask.Bounds()
	columns := cellSpans(region[0]*float64(b.Dx()), region[2]*float64(b.Dx()), width, b.Dx())
	rows := cellSpans(region[1]*float64(b.Dy()), region[3]*float64(b.Dy()), height, b.Dy())
	// First along the lines, then down them.
	lines := make([]float64, b.Dy()*width)
	for y := range b.Dy() {
		pixels := mask.Pix[mask.PixOffset(b.Min.X, b.Min.Y+y):][:b.Dx()]
		for j, span := range columns {
			var sum float64
			for x := span.first; x < span.end; x++ {
				sum += span.weight(x) * float64(pixels[x])
			}
			lines[y*width+j] = sum / 255
		}
	}
	out := New(height, width)
	for i, span := range rows {
		for j := range width {
			var sum float64
			for y := span.first; y < span.end; y++ {
				sum += span.weight(y) * lines[y*width+j]
			}
			out.Values[i*width+j] = float32(min(sum, 1))
		}
	}
	return out
}

// Cut lays the grid again over a part of the map, width × height of its cells from (x, y) on: a cell of the result is the mean,
// by area, of what lies under it, each cell of the map being even, and has the mark of the cell under its middle. All of the map gives the
// map itself, bit for bit.
func (m Map) Cut(x, y, width, height float64) Map {
	columns, rows := cellSpans(x, width, m.Width, m.Width), cellSpans(y, height, m.Height, m.Height)
	out := New(m.Height, m.Width)
	for i, row := range rows {
		for j, column := range columns {
			var sum float64
			for y := row.first; y < row.end; y++ {
				var line float64
				for x := column.first; x < column.end; x++ {
					line += column.weight(x) * float64(m.At(y, x))
				}
				sum += row.weight(y) * line
			}
			out.Values[i*m.Width+j] = float32(min(max(sum, 0), 1))
		}
	}
	out.Marks = m.Marks.mapped(len(m.Values), func(i int) int {
		return rows[i/m.Width].middle(m.Height)*m.Width + columns[i%m.Width].middle(m.Width)
	})
	return out
}

// cellSpan is the stretch from … to of an axis that one cell covers, and the pixels it touches.
type cellSpan struct {
	from, to   float64
	first, end int
}

// weight is the share of the cell that pixel i covers.
func (s cellSpan) weight(i int) float64 {
	return max(0, min(s.to, float64(i+1))-max(s.from, float64(i))) / (s.to - s.from)
}

// middle is the pixel of n in the middle of the span.
func (s cellSpan) middle(n int) int { return min(max(int((s.from+s.to)/2), 0), n-1) }

// cellSpans divides size pixels from start on into n cells, on an axis of pixels 0 … limit−1.
func cellSpans(start, size float64, n, limit int) []cellSpan {
	out := make([]cellSpan, n)
	for i := range out {
		from, to := start+size*float64(i)/float64(n), start+size*float64(i+1)/float64(n)
		out[i] = cellSpan{from, to, max(0, int(math.Floor(from))), min(limit, int(math.Ceil(to)))}
	}
	return out
}
