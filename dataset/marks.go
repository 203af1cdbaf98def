package dataset

import (
	"image"
	"math"
	"slices"
)

// Marks are what a data set draws on a picture, in pixels from its left upper corner as stored.
type Marks struct {
	Boxes    []Box
	Polygons [][]Corner // each closed; the object is their union
	Runs     []Runs
	Points   []Point // places of parts that annotators agreed on
	Clicks   []Point // places of parts, one from every annotator
	// Width and Height are the size of the picture that all this was drawn on, where the data set says it; 0: of the picture as stored.
	Width, Height int
}

// Box is a rectangle.
type Box struct{ X, Y, Width, Height float32 }

// Corner is a corner of a polygon.
type Corner struct{ X, Y float32 }

// Point is the place of a part.
type Point struct {
	Kind string
	X, Y float32
}

// Runs is a mask as COCO writes crowds: the lengths of runs outside and inside by turns, down each column, from the left column on.
type Runs struct {
	Height, Width int
	Lengths       []uint32
}

// Shows reports whether there is a shape that says where the object is; points alone do not.
func (m *Marks) Shows() bool {
	return m != nil && (len(m.Boxes) > 0 || len(m.Polygons) > 0 || len(m.Runs) > 0)
}

// Draw makes a mask of width × height pixels, 255 inside any of the shapes and 0 elsewhere. Shapes that were drawn on a picture of another
// size are scaled to this one.
func (m *Marks) Draw(width, height int) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, width, height))
	x, y := float32(1), float32(1)
	if m.Width > 0 && m.Height > 0 {
		x, y = float32(width)/float32(m.Width), float32(height)/float32(m.Height)
	}
	scaled := func(polygon []Corner) []Corner {
		if x == 1 && y == 1 {
			return polygon
		}
		to := make([]Corner, len(polygon))
		for i, c := range polygon {
			to[i] = Corner{x * c.X, y * c.Y}
		}
		return to
	}
	for _, polygon := range m.Polygons {
		fill(out, scaled(polygon))
	}
	for _, r := range m.Runs {
		r.draw(out)
	}
	for _, b := range m.Boxes {
		fill(out, scaled([]Corner{{b.X, b.Y}, {b.X + b.Width, b.Y}, {b.X + b.Width, b.Y + b.Height}, {b.X, b.Y + b.Height}}))
	}
	return out
}

// size is that of the picture on which marks were drawn, 0 where it is not known.
func (m *Marks) size() (width, height int) {
	if m.Width == 0 && len(m.Runs) > 0 {
		return m.Runs[0].Width, m.Runs[0].Height
	}
	return m.Width, m.Height
}

// fill sets the pixels whose centre lies inside a polygon, by the even-odd rule.
func fill(out *image.Gray, polygon []Corner) {
	if len(polygon) < 3 {
		return
	}
	width, height := out.Rect.Dx(), out.Rect.Dy()
	top, bottom := math.Inf(1), math.Inf(-1)
	for _, c := range polygon {
		top, bottom = math.Min(top, float64(c.Y)), math.Max(bottom, float64(c.Y))
	}
	from, to := int(math.Max(0, math.Floor(top))), int(math.Min(float64(height), math.Ceil(bottom)))
	var crossings []float64
	for y := from; y < to; y++ {
		middle := float64(y) + 0.5
		crossings = crossings[:0]
		for i, a := range polygon {
			b := polygon[(i+1)%len(polygon)]
			if (float64(a.Y) <= middle) != (float64(b.Y) <= middle) {
				crossings = append(crossings, float64(a.X)+(middle-float64(a.Y))/(float64(b.Y)-float64(a.Y))*(float64(b.X)-float64(a.X)))
			}
		}
		slices.Sort(crossings)
		row := out.Pix[y*out.Stride : y*out.Stride+width]
		for i := 0; i+1 < len(crossings); i += 2 {
			left := int(math.Max(0, math.Ceil(math.Min(crossings[i], float64(width))-0.5)))
			right := int(math.Max(0, math.Ceil(math.Min(crossings[i+1], float64(width))-0.5)))
			for x := left; x < right; x++ {
				row[x] = 255
			}
		}
	}
}

// draw sets the pixels of the runs inside. In a picture of another size than the runs were made for, a pixel is that which its centre lies on.
func (r *Runs) draw(out *image.Gray) {
	width, height := out.Rect.Dx(), out.Rect.Dy()
	if r.Width != width || r.Height != height {
		r.drawScaled(out)
		return
	}
	at, inside := 0, false
	for _, n := range r.Lengths {
		end := min(at+int(n), r.Width*r.Height)
		if inside {
			for i := at; i < end; i++ {
				out.Pix[i%height*out.Stride+i/height] = 255
			}
		}
		at, inside = end, !inside
	}
}

func (r *Runs) drawScaled(out *image.Gray) {
	width, height := out.Rect.Dx(), out.Rect.Dy()
	for x := range width {
		column := (2*x + 1) * r.Width / (2 * width) * r.Height
		run, end := 0, 0 // the runs before place end are passed
		if len(r.Lengths) > 0 {
			end = int(r.Lengths[0])
		}
		for y := range height {
			for at := column + (2*y+1)*r.Height/(2*height); at >= end && run < len(r.Lengths); {
				if run++; run < len(r.Lengths) {
					end += int(r.Lengths[run])
				}
			}
			if run%2 == 1 && run < len(r.Lengths) {
				out.Pix[y*out.Stride+x] = 255
			}
		}
	}
}
