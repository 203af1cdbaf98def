package confound

import (
	"image"
	"testing"
)

func TestWindow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size         image.Point
		object, want image.Rectangle
		beyond       bool
	}{
		"the middle":                       {image.Pt(300, 200), image.Rect(100, 50, 200, 150), image.Rect(50, 0, 250, 200), true},
		"as near the middle as it can":     {image.Pt(300, 200), image.Rect(10, 50, 100, 150), image.Rect(10, 0, 210, 200), true},
		"on the other side":                {image.Pt(300, 200), image.Rect(200, 50, 300, 150), image.Rect(100, 0, 300, 200), true},
		"longer, with place around":        {image.Pt(300, 200), image.Rect(20, 50, 280, 150), image.Rect(20, -30, 280, 230), true},
		"longer, cut at the bottom":        {image.Pt(300, 200), image.Rect(20, 50, 280, 200), image.Rect(20, -60, 280, 200), true},
		"longer, cut at the top":           {image.Pt(300, 200), image.Rect(20, 0, 280, 150), image.Rect(20, 0, 280, 260), true},
		"longer, within the photograph":    {image.Pt(300, 200), image.Rect(0, 50, 280, 150), image.Rect(40, 0, 240, 200), false},
		"a square is itself":               {image.Pt(90, 90), image.Rect(0, 5, 10, 90), image.Rect(0, 0, 90, 90), true},
		"upright, an object at the bottom": {image.Pt(100, 300), image.Rect(0, 260, 90, 290), image.Rect(0, 190, 100, 290), true},
	} {
		if got := window(c.size, c.object, c.beyond); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// An object's box is given in the photograph's pixels, whatever size the mask has.
func TestBoxOf(t *testing.T) {
	t.Parallel()
	mask := image.NewGray(image.Rect(0, 0, 10, 10))
	mask.Pix[3*10+2], mask.Pix[5*10+6], mask.Pix[0] = 255, 128, 100
	if got, want := boxOf(mask, image.Pt(100, 50)), image.Rect(20, 15, 70, 30); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}
