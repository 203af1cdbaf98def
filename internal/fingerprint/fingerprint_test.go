package fingerprint

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/image/draw"
)

// scene draws a picture of its own for each seed: some soft blobs of all sizes on a slope of light.
func scene(seed uint64, width, height int) *image.RGBA {
	r := rand.New(rand.NewPCG(seed, 1))
	type blob struct{ x, y, size, r, g, b float64 }
	blobs := make([]blob, 14)
	for i := range blobs {
		blobs[i] = blob{r.Float64(), r.Float64(), 0.03 + 0.25*r.Float64(), r.Float64()*300 - 150, r.Float64()*300 - 150, r.Float64()*300 - 150}
	}
	slope := r.Float64() * 80
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := (float64(x)+0.5)/float64(width), (float64(y)+0.5)/float64(height)
			c := [3]float64{110 + slope*u, 120, 130 - slope*v}
			for _, b := range blobs {
				w := math.Exp(-((u-b.x)*(u-b.x) + (v-b.y)*(v-b.y)) / (2 * b.size * b.size))
				c[0], c[1], c[2] = c[0]+w*b.r, c[1]+w*b.g, c[2]+w*b.b
			}
			out.SetRGBA(x, y, color.RGBA{level(c[0]), level(c[1]), level(c[2]), 255})
		}
	}
	return out
}

func level(v float64) uint8 { return uint8(min(255, max(0, v))) }

func saved(t *testing.T, m image.Image, quality int) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	out, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func scaled(m image.Image, width, height int) image.Image {
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(out, out.Rect, m, m.Bounds(), draw.Src, nil)
	return out
}

// Copies are near, whatever their size, their compression and the kind of image that their decoder returns; other pictures are not.
func TestCopiesAreNearAndOtherPicturesAreNot(t *testing.T) {
	t.Parallel()
	var prints []Fingerprint
	for seed := range uint64(60) {
		m := scene(seed, 240, 180)
		f := Of(m, 1)
		prints = append(prints, f)
		grey, paletted := image.NewGray(m.Rect), image.NewPaletted(m.Rect, grays())
		draw.Draw(grey, m.Rect, m, image.Point{}, draw.Src)
		draw.Draw(paletted, m.Rect, grey, image.Point{}, draw.Src)
		for name, duplicate := range map[string]image.Image{
			"saved again": saved(t, m, 75), "saved badly": saved(t, m, 20), "half as large": scaled(m, 120, 90), "tiny": scaled(m, 31, 23),
			"larger": saved(t, scaled(m, 500, 375), 75), "grey": grey, "in 64 greys": paletted, "stretched": scaled(m, 200, 200),
			"cut by 1% on each side": m.SubImage(image.Rect(3, 2, 237, 178)),
		} {
			if d := Distance(f, Of(duplicate, 1)); d > Bound {
				t.Errorf("scene %d, %s: %d bits differ", seed, name, d)
			}
		}
	}
	for i, f := range prints {
		for j := range i {
			if d := Distance(f, prints[j]); d <= Bound {
				t.Errorf("scenes %d and %d: %d bits differ", i, j, d)
			}
		}
	}
}

func grays() (p color.Palette) {
	for v := range 64 {
		p = append(p, color.Gray{Y: uint8(4 * v)})
	}
	return p
}

// A picture that lies in its file is the same as the upright one, in each of EXIF's orientations.
func TestOrientationIsRespected(t *testing.T) {
	t.Parallel()
	m := scene(7, 160, 120)
	want := Of(m, 1)
	for orientation := 2; orientation <= 8; orientation++ {
		w, h := 160, 120
		if orientation >= 5 {
			w, h = h, w
		}
		stored := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range 120 {
			for x := range 160 { // where EXIF's table puts the pixel of an upright picture
				sx, sy := x, y
				switch orientation {
				case 2:
					sx = 159 - x
				case 3:
					sx, sy = 159-x, 119-y
				case 4:
					sy = 119 - y
				case 5:
					sx, sy = y, x
				case 6:
					sx, sy = y, 159-x
				case 7:
					sx, sy = 119-y, 159-x
				case 8:
					sx, sy = 119-y, x
				}
				stored.Set(sx, sy, m.At(x, y))
			}
		}
		if d := Distance(want, Of(stored, orientation)); d > 2 {
			t.Errorf("orientation %d: %d bits differ", orientation, d)
		}
		if d := Distance(want, Of(stored, 1)); d <= Bound {
			t.Errorf("orientation %d makes no difference", orientation)
		}
	}
}

// A picture of one colour has nothing to go by, and neither has its noise; one of no pixels does no harm.
func TestFlatPicturesHaveNone(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	flat, noise := image.NewGray(image.Rect(0, 0, 90, 70)), image.NewGray(image.Rect(0, 0, 90, 70))
	for i := range flat.Pix {
		flat.Pix[i], noise.Pix[i] = 200, uint8(199+r.IntN(3))
	}
	for name, m := range map[string]image.Image{"flat": flat, "noise": noise, "empty": image.NewRGBA(image.Rect(3, 3, 3, 3))} {
		if f := Of(m, 1); f != 0 {
			t.Errorf("%s: %x", name, uint64(f))
		}
	}
}

// The index finds what comparing each with each finds, once, at every bound.
func TestIndexFindsWhatBruteForceFinds(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 3))
	all := make([]Fingerprint, 3000)
	for i := range all {
		all[i] = Fingerprint(r.Uint64())
		if i > 0 && r.IntN(2) == 0 { // near another one
			all[i] = all[r.IntN(i)]
			for range r.IntN(MaxBound + 3) {
				all[i] ^= 1 << r.IntN(64)
			}
		}
	}
	all[0], all[7], all[14] = ^Fingerprint(0), 1, ^Fingerprint(0)>>1 // bands of all ones and of none
	x := NewIndex(all)
	total := 0
	for bound := range MaxBound + 1 {
		for q := range 200 {
			f := all[q*7]
			var want, got []string
			for i, other := range all {
				if d := Distance(f, other); d <= bound {
					want = append(want, fmt.Sprint(i, d))
				}
			}
			x.Within(f, bound, func(at, d int) { got = append(got, fmt.Sprint(at, d)) })
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Fatalf("bound %d: found %v, want %v", bound, got, want)
			}
			total += len(got)
		}
	}
	if total < 5000 {
		t.Errorf("%d found: the test compares next to nothing", total)
	}
	NewIndex(nil).Within(1, MaxBound, func(int, int) { t.Error("found in nothing") })
}

func BenchmarkOf(b *testing.B) {
	m, err := jpeg.Decode(bytes.NewReader(encoded(b, scene(1, 224, 224))))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Of(m, 1)
	}
}

// BenchmarkDecode is what Of is to be compared with.
func BenchmarkDecode(b *testing.B) {
	data := encoded(b, scene(1, 224, 224))
	for b.Loop() {
		if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}

func encoded(b *testing.B, m image.Image) []byte {
	b.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// BenchmarkIndex looks 50,000 up among 50,000 others.
func BenchmarkIndex(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	train, test := make([]Fingerprint, 50_000), make([]Fingerprint, 50_000)
	for i := range train {
		train[i], test[i] = Fingerprint(r.Uint64()), Fingerprint(r.Uint64())
	}
	for b.Loop() {
		x, n := NewIndex(train), 0
		for _, f := range test {
			x.Within(f, Bound, func(int, int) { n++ })
		}
	}
}
