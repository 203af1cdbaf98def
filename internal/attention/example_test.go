package attention_test

import (
	"fmt"
	"image"
	"image/color"

	"github.com/abn-studio/studio/internal/attention"
)

// A mask of 4×4 pixels becomes a map of 2×2 cells: each holds how much of it the object covers.
func ExampleFromMask() {
	mask := image.NewGray(image.Rect(0, 0, 4, 4))
	for _, p := range []image.Point{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {0, 2}, {1, 2}} { // six pixels of the left half
		mask.SetGray(p.X, p.Y, color.Gray{Y: 255})
	}
	m := attention.FromMask(mask, attention.Whole, 2, 2)
	fmt.Println(m.Values)
	// Output: [1 0 0.5 0]
}

// What comes from outside is checked against the grid of the model that is to use it.
func ExampleMap_ValidateOn() {
	m := attention.New(7, 7)
	fmt.Println(m.ValidateOn(14, 14))
	m.Values[8] = 1.5
	fmt.Println(m.ValidateOn(7, 7))
	// Output:
	// attention map is on the wrong grid: the map has 7×7 cells, the model 14×14
	// attention map holds a value outside [0,1]: row 1, column 1 is 1.5
}

// The distance of two maps is what L_map trains on: the norm of their difference.
func ExampleMap_Distance() {
	a, b := attention.New(2, 2), attention.New(2, 2)
	a.Values[0], b.Values[3] = 0.6, 0.8
	fmt.Printf("%.2f\n", a.Distance(b))
	// Output: 1.00
}
