package trainer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/features"
)

func randomMap(rng *rand.Rand, height, width int) attention.Map {
	m := attention.New(height, width)
	for i := range m.Values {
		m.Values[i] = rng.Float32()
	}
	return m
}

// TestWindowsAreTorchvisions holds many windows to the definition: inside the view, area and ratio within their bounds
// but for rounding, all of the view reached, the centre where no window fits.
func TestWindowsAreTorchvisions(t *testing.T) {
	t.Parallel()
	c := &cropper{least: 0.3, height: 112, width: 96}
	rng := rand.New(rand.NewPCG(1, 2))
	var areas, ratios []float64
	left, right := false, false
	for range 4000 {
		draw := rng.Uint64()
		w := c.window(draw)
		if w != c.window(draw) {
			t.Fatal("one draw gives two windows")
		}
		if w.left < 0 || w.top < 0 || w.width < 1 || w.height < 1 || w.left+w.width > 96 || w.top+w.height > 112 {
			t.Fatalf("window %+v of 112×96 pixels", w)
		}
		areas = append(areas, float64(w.width*w.height)/(112*96))
		ratios = append(ratios, math.Log(float64(w.width)/float64(w.height)))
		left, right = left || w.left == 0, right || w.left+w.width == 96
	}
	if low, high := slices.Min(areas), slices.Max(areas); low < 0.29 || low > 0.31 || high > 1 || high < 0.9 {
		t.Errorf("areas from %.3f to %.3f of the view, want 0.3 to 1", low, high)
	}
	if low, high := slices.Min(ratios), slices.Max(ratios); low < math.Log(0.75)-0.03 || low > math.Log(0.78) || high > math.Log(4.0/3)+0.03 || high < math.Log(1.25) {
		t.Errorf("ratios from %.3f to %.3f, want 0.75 to 1.33", math.Exp(low), math.Exp(high))
	}
	if !left || !right {
		t.Error("no window touches an edge of the view")
	}
	for _, side := range []struct {
		height, width int
		want          window
	}{
		{10, 100, window{43, 0, 13, 10}}, // wider than 4:3 and nothing as large as the view fits
		{100, 10, window{0, 43, 10, 13}},
	} {
		c := &cropper{least: 1, height: side.height, width: side.width}
		if got := c.window(5); got != side.want {
			t.Errorf("%d×%d: %+v, want the centre %+v", side.height, side.width, got, side.want)
		}
	}
}

// TestCroppedMaps holds the resampling of maps to its properties.
func TestCroppedMaps(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for _, grid := range [][2]int{{14, 14}, {7, 9}, {1, 1}, {5, 3}} {
		c := &cropper{least: 0.08, height: 112, width: 96}
		m := randomMap(rng, grid[0], grid[1])
		if got := c.target(m, window{0, 0, 96, 112}); !got.Equal(m) {
			t.Fatalf("%v: the whole view changes the map", grid)
		}
		even := attention.New(grid[0], grid[1])
		for i := range even.Values {
			even.Values[i] = 0.7
		}
		for range 200 {
			w := c.window(rng.Uint64())
			got := c.target(m, w)
			if err := got.ValidateOn(grid[0], grid[1]); err != nil {
				t.Fatalf("%v, %+v: %v", grid, w, err)
			}
			if !c.target(even, w).Equal(even) {
				t.Fatalf("%v, %+v: an even map is not even any more", grid, w)
			}
			flipped := c.target(m.FlipHorizontal(), window{96 - w.left - w.width, w.top, w.width, w.height}).FlipHorizontal()
			for i, v := range got.Values {
				if math.Abs(float64(v-flipped.Values[i])) > 1e-6 {
					t.Fatalf("%v, %+v: mirrored and cut is not cut and mirrored", grid, w)
				}
			}
			// The mean of the result is the mean of the map under the window.
			var want, mean float64
			for y := range m.Height {
				for x := range m.Width {
					want += float64(m.At(y, x)) * overlap(y, m.Height, 112, w.top, w.height) * overlap(x, m.Width, 96, w.left, w.width)
				}
			}
			for _, v := range got.Values {
				mean += float64(v) / float64(len(got.Values))
			}
			if math.Abs(mean-want) > 1e-5 {
				t.Fatalf("%v, %+v: mean %v, want %v", grid, w, mean, want)
			}
		}
	}
	// A window that is a block of 7×7 of 14×14 cells: each becomes four.
	c := &cropper{least: 0.1, height: 112, width: 112}
	m := randomMap(rng, 14, 14)
	got := c.target(m, window{left: 3 * 8, top: 5 * 8, width: 56, height: 56})
	for y := range 14 {
		for x := range 14 {
			if want := m.At(5+y/2, 3+x/2); got.At(y, x) != want {
				t.Fatalf("cell %d, %d is %v, want %v", y, x, got.At(y, x), want)
			}
		}
	}
}

// overlap is the share of a window, from start on and of size pixels, that cell i of n over side pixels takes.
func overlap(i, n, side, start, size int) float64 {
	from, to := float64(i*side)/float64(n), float64((i+1)*side)/float64(n)
	return max(0, min(to, float64(start+size))-max(from, float64(start))) / float64(size)
}

// TestCroppedPixels compares the stretching of pixels with torch's interpolate on a small case, and with what holds of all.
func TestCroppedPixels(t *testing.T) {
	t.Parallel()
	c := &cropper{least: 0.1, height: 4, width: 4}
	view := make([]float32, 32)
	for i := range view {
		view[i] = float32(i * i % 13)
	}
	got := make([]float32, 32)
	c.pixels(got, view, window{0, 0, 4, 4})
	if !slices.Equal(got, view) {
		t.Error("the whole view changes pixels")
	}
	view[9], view[10], view[13], view[14] = 10, 3, 0, 1
	c.pixels(got, view, window{left: 1, top: 2, width: 2, height: 2})
	// torch.nn.functional.interpolate(size=(4, 4), mode="bilinear", align_corners=False) of [[10, 3], [0, 1]].
	want := []float32{10, 8.25, 4.75, 3, 7.5, 6.25, 3.75, 2.5, 2.5, 2.25, 1.75, 1.5, 0, 0.25, 0.75, 1}
	if !slices.Equal(got[:16], want) {
		t.Errorf("stretched to %v, want %v", got[:16], want)
	}
	// Mirrored and cut is cut and mirrored.
	flipped, back := slices.Clone(view), make([]float32, 32)
	features.Mirror(flipped, 4)
	c.pixels(got, view, window{left: 0, top: 1, width: 3, height: 2})
	c.pixels(back, flipped, window{left: 1, top: 1, width: 3, height: 2})
	features.Mirror(back, 4)
	for i := range got {
		if math.Abs(float64(got[i]-back[i])) > 1e-5 {
			t.Fatalf("value %d is %v, and %v through a mirror", i, got[i], back[i])
		}
	}
}
