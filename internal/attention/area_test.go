package attention

import (
	"image"
	"math"
	"testing"
)

func TestFromMask(t *testing.T) {
	t.Parallel()
	// 8×4 pixels, white in columns 4 to 7 of rows 0 and 1.
	mask := image.NewGray(image.Rect(0, 0, 8, 4))
	for y := range 2 {
		for x := 4; x < 8; x++ {
			mask.Pix[y*mask.Stride+x] = 255
		}
	}
	for name, c := range map[string]struct {
		region        [4]float64
		height, width int
		want          []float32
	}{
		"whole":               {Whole, 2, 2, []float32{0, 1, 0, 0}},
		"cells across edges":  {Whole, 1, 3, []float32{0, 0.25, 0.5}},
		"centre crop":         {[4]float64{0.25, 0, 0.5, 1}, 2, 4, []float32{0, 0, 1, 1, 0, 0, 0, 0}},
		"half pixels":         {[4]float64{0.5 - 1./16, 0, 1. / 8, 0.5}, 1, 1, []float32{0.5}},
		"beyond the picture":  {[4]float64{0.5, -0.5, 1, 1}, 2, 2, []float32{0, 0, 1, 0}},
		"finer than the mask": {[4]float64{0.375, 0.375, 0.25, 0.25}, 2, 2, []float32{0, 1, 0, 0}},
	} {
		got := FromMask(mask, c.region, c.height, c.width)
		for i, v := range got.Values {
			if math.Abs(float64(v-c.want[i])) > 1e-6 {
				t.Errorf("%s: got %v, want %v", name, got.Values, c.want)
				break
			}
		}
		if err := got.ValidateOn(c.height, c.width); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
