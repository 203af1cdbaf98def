package takeout

import (
	"math"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// cells is a rectangle of a map's cells: rows [top, bottom) and columns [left, right).
type cells struct{ top, left, bottom, right int }

// above covers the cells that carry a value of at least a threshold with rectangles that do not overlap: runs along the rows, joined with equal
// runs below.
func above(m attention.Map, threshold float64) (all []cells) {
	in := func(cell int) bool {
		return float64(m.Values[cell]) >= threshold && m.Marks.At(cell) == attention.Valued
	}
	open := map[[2]int]int{} // a run that ends in the row before → its place in all
	for row := range m.Height {
		here := map[[2]int]int{}
		for left := 0; left < m.Width; {
			if !in(row*m.Width + left) {
				left++
				continue
			}
			right := left
			for right < m.Width && in(row*m.Width+right) {
				right++
			}
			run := [2]int{left, right}
			if at, ok := open[run]; ok {
				all[at].bottom = row + 1
				here[run] = at
			} else {
				here[run] = len(all)
				all = append(all, cells{row, left, row + 1, right})
			}
			left = right
		}
		open = here
	}
	return all
}

// box is a rectangle in pixels of a picture.
type box struct{ left, top, right, bottom float64 }

// on places cells of a map of rows × columns on the part of the picture that it covers; what lies beyond the picture is cut off. ok
// is false if nothing is left.
func (c cells) on(view annotator.ViewRegion, rows, columns int) (b box, ok bool) {
	x := func(column int) float64 {
		return min(max(view.X+view.Width*float64(column)/float64(columns), 0), float64(view.Picture[0]))
	}
	y := func(row int) float64 {
		return min(max(view.Y+view.Height*float64(row)/float64(rows), 0), float64(view.Picture[1]))
	}
	b = box{x(c.left), y(c.top), x(c.right), y(c.bottom)}
	return b, b.right > b.left && b.bottom > b.top
}

func (b box) area() float64 { return (b.right - b.left) * (b.bottom - b.top) }

// around returns the smallest box around two.
func (b box) around(other box) box {
	return box{min(b.left, other.left), min(b.top, other.top), max(b.right, other.right), max(b.bottom, other.bottom)}
}

// hundredth rounds a place on a picture to a hundredth of a pixel, so that files stay short.
func hundredth(v float64) float64 { return math.Round(v*100) / 100 }
