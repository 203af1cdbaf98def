package attention

import (
	"fmt"
	"image"
	"math"
	"strings"
)

// StartMethod is a way to make a map, before anybody paints, of what is known of where the object is.
type StartMethod string

// The methods. StartModel makes none: the model's own map stands.
const (
	StartModel   StartMethod = "model"
	StartArea    StartMethod = "area"   // FromMask
	StartMaximum StartMethod = "max"    // MaximumOfMask
	StartClicks  StartMethod = "clicks" // DensityOfClicks
)

// MaxStartRadius bounds Start.Radius: published grids have 7 to 56 cells on a side.
const MaxStartRadius = 8

// Start is how maps begin in a project.
type Start struct {
	Method StartMethod `json:"method" doc:"model: the model's own map. area: the share of each cell that the mask covers. max: the mask's largest value in a cell and within radius of it. clicks: the density of what people clicked."`
	Radius float64     `json:"radius" bound:"start radius" doc:"Of max and clicks, in cells of the map's grid: how far a mask reaches beyond its cells, and the standard deviation around a click."`
}

// StartKind describes a method.
type StartKind struct {
	Method StartMethod
	Name   string
	About  string
	Radius float64 // what is usual, in cells; 0 where the method has none
}

// Starts are all methods, in the order in which people are told of them.
var Starts = []StartKind{
	{StartModel, "The model's own map", "What the network looks at. The painter corrects it.", 0},
	{StartArea, "The mask, by area", "Each cell is the share of it that the object covers. Right for objects that are larger than a cell.", 0},
	{StartMaximum, "The mask, by maximum", "A cell is as much as the object's strongest pixel in it, and so are the cells within the radius. Right for thin or small objects, such as lesions, of which the area leaves next to nothing.", 1},
	{StartClicks, "The clicks", "How densely people clicked, over the densest. The radius is the spread around a click.", 1},
}

// StartMethods are the methods alone.
func StartMethods() []StartMethod {
	var all []StartMethod
	for _, kind := range Starts {
		all = append(all, kind.Method)
	}
	return all
}

// Kind returns the description of a method; nil for none of them.
func (m StartMethod) Kind() *StartKind {
	for i := range Starts {
		if Starts[i].Method == m {
			return &Starts[i]
		}
	}
	return nil
}

// ReadsMask reports whether the method makes maps of masks.
func (m StartMethod) ReadsMask() bool { return m == StartArea || m == StartMaximum }

// String is the start as command line and trail say it: "max, radius 1".
func (s Start) String() string {
	if s.Radius > 0 {
		return fmt.Sprintf("%s, radius %v", s.Method, s.Radius)
	}
	return string(s.Method)
}

// Check returns what is wrong with a start: a method that is none, or a radius that is no number of cells from 0 (clicks: above
// 0) to MaxStartRadius. Where the method has no radius, it must be 0.
func (s Start) Check() error {
	kind := s.Method.Kind()
	switch {
	case kind == nil:
		var names []string
		for _, k := range Starts {
			names = append(names, string(k.Method))
		}
		return fmt.Errorf("%q is no way to begin a map: want one of %s", s.Method, strings.Join(names, ", "))
	case !(s.Radius >= 0 && s.Radius <= MaxStartRadius):
		return fmt.Errorf("a radius of %v cells: want 0 to %d", s.Radius, MaxStartRadius)
	case kind.Radius == 0 && s.Radius != 0:
		return fmt.Errorf("%s has no radius: leave it out, or choose max or clicks", s.Method)
	case s.Method == StartClicks && s.Radius < minClickRadius:
		return fmt.Errorf("a radius of %v cells: clicks need at least %v", s.Radius, minClickRadius)
	}
	return nil
}

// minClickRadius is where a click lights little more than its own cell.
const minClickRadius = 0.25

// MaximumOfMask makes a map of height × width cells of a mask's largest values, for objects that are too thin or small for
// FromMask. With m(i,j) the largest value, over 255, of the pixels that cell (i,j) touches, it is
//
//	M(i,j) = max m(k,l) over all cells with (k−i)² + (l−j)² ≤ radius²,
//
// in [0,1]: a dilation by a flat disc of radius cells, 0 for none. region and mask are FromMask's. Cells that lie beyond the
// picture have no object of their own.
func MaximumOfMask(mask *image.Gray, region [4]float64, height, width int, radius float64) Map {
	b := mask.Bounds()
	columns := cellSpans(region[0]*float64(b.Dx()), region[2]*float64(b.Dx()), width, b.Dx())
	rows := cellSpans(region[1]*float64(b.Dy()), region[3]*float64(b.Dy()), height, b.Dy())
	own := New(height, width)
	for i, row := range rows {
		for y := row.first; y < row.end; y++ {
			pixels := mask.Pix[mask.PixOffset(b.Min.X, b.Min.Y+y):][:b.Dx()]
			for j, column := range columns {
				at := &own.Values[i*width+j]
				for x := column.first; x < column.end; x++ {
					*at = max(*at, float32(pixels[x])/255)
				}
			}
		}
	}
	reach := int(radius)
	if reach == 0 {
		return own
	}
	out := New(height, width)
	for i := range height {
		for j := range width {
			at := &out.Values[i*width+j]
			for k := max(0, i-reach); k <= min(height-1, i+reach); k++ {
				for l := max(0, j-reach); l <= min(width-1, j+reach); l++ {
					if float64((k-i)*(k-i)+(l-j)*(l-j)) <= radius*radius {
						*at = max(*at, own.At(k, l))
					}
				}
			}
		}
	}
	return out
}

// DensityOfClicks makes a map of height × width cells of where people clicked: a Gaussian kernel density over its maximum. With
// (x,y) a click's place in cells from the upper left corner of the grid, the centre of cell (i,j) lying at (j+½, i+½),
//
//	D(i,j) = Σ exp(−((j+½−x)² + (i+½−y)²) / 2·radius²),  M = D / max D,
//
// in [0,1]. This is how the bubbles of Deng et al. (CVPR 2013) became maps in Mitsuhara et al. (arXiv 1905.03540). clicks are
// fractions of the picture's width and height, region is FromMask's; clicks outside the region do not count, and without any the
// map is all 0. radius is the standard deviation in cells, above 0.
func DensityOfClicks(clicks [][2]float64, region [4]float64, height, width int, radius float64) Map {
	density := make([]float64, height*width)
	var top float64
	for _, click := range clicks {
		x, y := (click[0]-region[0])/region[2], (click[1]-region[1])/region[3]
		if !(x >= 0 && x <= 1 && y >= 0 && y <= 1) {
			continue
		}
		x, y = x*float64(width), y*float64(height)
		for i := range height {
			for j := range width {
				dx, dy := float64(j)+0.5-x, float64(i)+0.5-y
				at := &density[i*width+j]
				*at += math.Exp(-(dx*dx + dy*dy) / (2 * radius * radius))
				top = max(top, *at)
			}
		}
	}
	out := New(height, width)
	if top > 0 {
		for i, d := range density {
			out.Values[i] = float32(d / top)
		}
	}
	return out
}
