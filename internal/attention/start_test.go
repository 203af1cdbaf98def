package attention

import (
	"image"
	"math"
	"testing"
)

func sameValues(t *testing.T, name string, got Map, want []float32) {
	t.Helper()
	for i, v := range got.Values {
		if math.Abs(float64(v-want[i])) > 1e-6 {
			t.Errorf("%s: got %v, want %v", name, got.Values, want)
			return
		}
	}
	if err := got.Validate(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func TestMaximumOfMask(t *testing.T) {
	t.Parallel()
	// 10×10 pixels in cells of 2×2: one pixel of 255 in cell (2,2), one of 102 in cell (0,4).
	mask := image.NewGray(image.Rect(0, 0, 10, 10))
	mask.Pix[5*mask.Stride+4] = 255
	mask.Pix[0*mask.Stride+9] = 102
	sameValues(t, "none", MaximumOfMask(mask, Whole, 5, 5, 0), []float32{
		0, 0, 0, 0, 0.4,
		0, 0, 0, 0, 0,
		0, 0, 1, 0, 0,
		0, 0, 0, 0, 0,
		0, 0, 0, 0, 0,
	})
	sameValues(t, "one cell", MaximumOfMask(mask, Whole, 5, 5, 1), []float32{
		0, 0, 0, 0.4, 0.4,
		0, 0, 1, 0, 0.4,
		0, 1, 1, 1, 0,
		0, 0, 1, 0, 0,
		0, 0, 0, 0, 0,
	})
	sameValues(t, "diagonals too", MaximumOfMask(mask, Whole, 5, 5, 1.5), []float32{
		0, 0, 0, 0.4, 0.4,
		0, 1, 1, 1, 0.4,
		0, 1, 1, 1, 0,
		0, 1, 1, 1, 0,
		0, 0, 0, 0, 0,
	})
	// The left half of what lies from column 4 on; above the picture there is nothing.
	sameValues(t, "region", MaximumOfMask(mask, [4]float64{0.4, -0.6, 0.6, 1.2}, 2, 2, 0), []float32{0, 0, 1, 0.4})
	// A lesion of one pixel in a photograph: its area is next to nothing, its maximum is seen.
	fundus := image.NewGray(image.Rect(0, 0, 2800, 2800))
	fundus.Pix[1500*fundus.Stride+700] = 255
	if v := FromMask(fundus, Whole, 14, 14).At(7, 3); v == 0 || v > 1e-4 {
		t.Errorf("by area: %v", v)
	}
	lesion := MaximumOfMask(fundus, Whole, 14, 14, 1)
	if lesion.At(7, 3) != 1 || lesion.At(7, 4) != 1 || lesion.At(8, 4) != 0 {
		t.Errorf("by maximum: %v", lesion.Values)
	}
}

func TestDensityOfClicks(t *testing.T) {
	t.Parallel()
	// One click in the middle of the left upper cell of 2×2: the others are 1 and √2 cells away.
	side, corner := float32(math.Exp(-0.5)), float32(math.Exp(-1))
	sameValues(t, "one", DensityOfClicks([][2]float64{{0.25, 0.25}}, Whole, 2, 2, 1), []float32{1, side, side, corner})
	// Two clicks there and one in the right lower cell: D = 2+e⁻¹, 3e⁻½, 3e⁻½, 1+2e⁻¹.
	three := DensityOfClicks([][2]float64{{0.25, 0.25}, {0.25, 0.25}, {0.75, 0.75}}, Whole, 2, 2, 1)
	top := 2 + corner
	sameValues(t, "three", three, []float32{1, 3 * side / top, 3 * side / top, (1 + 2*corner) / top})
	// In the right half alone: the click at 0.75 lies in its middle, between the cells; the other is not seen.
	half := DensityOfClicks([][2]float64{{0.25, 0.5}, {0.75, 0.5}}, [4]float64{0.5, 0, 0.5, 1}, 1, 2, 0.5)
	sameValues(t, "half", half, []float32{1, 1})
	sameValues(t, "none", DensityOfClicks([][2]float64{{0.1, 0.1}}, [4]float64{0.5, 0, 0.5, 1}, 1, 2, 1), []float32{0, 0})
}

func TestStartCheck(t *testing.T) {
	t.Parallel()
	for _, kind := range Starts {
		if err := (Start{kind.Method, kind.Radius}).Check(); err != nil {
			t.Errorf("%s: %v", kind.Method, err)
		}
	}
	for name, s := range map[string]Start{
		"no method": {"mean", 0}, "empty": {}, "a radius that is not used": {StartArea, 1}, "below": {StartMaximum, -1},
		"beyond": {StartMaximum, 8.5}, "not a number": {StartClicks, math.NaN()}, "no spread": {StartClicks, 0},
	} {
		if s.Check() == nil {
			t.Errorf("%s: %+v is taken", name, s)
		}
	}
}
